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


def as_expected(request: Request, body: bytes) -> bool:
    """Whether `body` is JSON, has every field that the request names, of its kind, and the checked one its value."""
    try:
        found: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return False
    kinds = all(_KINDS.get(type(_at(found, path))) == kind for path, kind in request.fields.items())
    return kinds and (request.check is None or _equal(_at(found, request.check.field), request.check))


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
