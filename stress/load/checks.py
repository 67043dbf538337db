"""Whether a reply's JSON body holds the value that its request expects."""

from typing import Any

import msgspec

from stress.load.plan import Check


def passes(check: Check, body: bytes) -> bool:
    """Whether `body` is JSON, has the field, and the field has the expected value."""
    try:
        found: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return False
    for part in check.field.split("."):
        if isinstance(found, dict) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        else:
            return False
    return _equal(found, check)


def _equal(found: object, check: Check) -> bool:
    wanted = check.equals
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, int | float) and isinstance(wanted, int | float):
        return abs(found - wanted) <= check.tolerance
    return found == wanted
