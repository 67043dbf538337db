"""One check's outcome."""

from collections.abc import Callable
from typing import Literal

import msgspec

Status = Literal["ok", "warn", "fail"]


class Finding(msgspec.Struct, frozen=True):
    """What was found; `fix` is the command, or else the deed, that mends it."""

    name: str
    status: Status
    detail: str
    fix: str = ""


Check = Callable[[], Finding]


def perform(name: str, check: Check) -> Finding:
    """Perform a check; one that crashes has found nothing out, and says so."""
    try:
        return check()
    except Exception as error:
        return Finding(name, "fail", f"the check itself failed: {type(error).__name__}: {error}", "report this")
