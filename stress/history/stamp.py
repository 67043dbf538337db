"""When a record was made: both clocks, read together."""

import time
from datetime import UTC, datetime
from typing import TypedDict


class Stamp(TypedDict):
    """The head of every record."""

    at: str
    mono_ns: int


def stamp() -> Stamp:
    """Now, as UTC ISO 8601 with microseconds and CLOCK_MONOTONIC: ``Phase(name=..., **stamp())``."""
    return Stamp(at=datetime.now(UTC).isoformat(timespec="microseconds"), mono_ns=time.monotonic_ns())
