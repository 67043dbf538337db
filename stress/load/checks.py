"""Whether a reply's JSON body has the fields, of the kinds and the value, that its request expects."""

from typing import Any

import msgspec

from stress.load.plan import Check, Kind, Request

_MISSING = object()
_KINDS: dict[type, Kind] = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    type(None): "null",
}


def mistake(request: Request, body: bytes) -> str:
    """What is wrong with a reply's body; empty when it is JSON, has every field that the request names, of its kind,
    and the checked one its value.
    """
    try:
        found: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return "it is not JSON"
    for path, kind in request.fields.items():
        value = _at(found, path)
        if value is _MISSING:
            return f"{path} is missing"
        if _KINDS[type(value)] != kind:
            return f"{path} is of kind {_KINDS[type(value)]}, not {kind}"
    if request.check is None:
        return ""
    value = _at(found, request.check.field)
    if value is _MISSING:
        return f"{request.check.field} is missing"
    return (
        ""
        if _equal(value, request.check)
        else f"{request.check.field} is {_short(value)}, not {_wanted(request.check)}"
    )


def _short(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 40 else f"{text[:37]}..."


def _wanted(check: Check) -> str:
    if not check.tolerance or isinstance(check.equals, bool) or not isinstance(check.equals, int | float):
        return _short(check.equals)
    return f"{check.equals - check.tolerance:g} to {check.equals + check.tolerance:g}"


def _at(found: Any, path: str) -> object:
    """What is at a dotted path, or _MISSING."""
    for part in path.split("."):
        if isinstance(found, dict) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        else:
            return _MISSING
    return found


def _equal(found: object, check: Check) -> bool:
    wanted = check.equals
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, int | float) and isinstance(wanted, int | float):
        return abs(found - wanted) <= check.tolerance
    return found == wanted
