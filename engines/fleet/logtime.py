"""When a log line was written, read from the line itself; and what `--since` means.

Understood: ISO 8601 with a space or a T, a dot or a comma before the fraction, with or without a zone (as Python's
logging and most programs write it), and `22 Nov 2026 17:15:26.551` (Valkey, Redis).  A time without a zone is local.
"""

import datetime
import re
import time
from functools import lru_cache

from engines.wire.errors import UsageError

_HEAD = 64  # bytes of a line in which its time must begin
_ISO = re.compile(
    rb"(?<!\d)(\d{4})-(\d\d)-(\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)?(?!\d)",
)
_VALKEY = re.compile(
    rb"(?<!\d)(\d{1,2}) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (\d{4}) (\d\d:\d\d:\d\d)\.(\d{3})"
)
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_SPAN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def stamp(line: bytes) -> float | None:
    """Unix seconds of a line; None when it bears no time."""
    if (
        line[19:20] == b"," and line[23:24] == b" "
    ):  # as our engines write it: without a search, most lines of most logs
        second = _plain(line[:19])
        if second is not None and line[20:23].isdigit():
            return second + int(line[20:23]) / 1000
    head = line[:_HEAD]
    found = _ISO.search(head)
    if found is not None:
        year, month, day, clock, fraction, zone = found.groups()
        second = _second(int(year), int(month), int(day), clock, zone or b"")
    else:
        found = _VALKEY.search(head)
        if found is None:
            return None
        day, name, year, clock, fraction = found.groups()
        second = _second(int(year), _MONTHS.index(name) + 1, int(day), clock, b"")
    if second is None:
        return None
    return second + (int(fraction) / 10 ** len(fraction) if fraction else 0.0)


@lru_cache(maxsize=4096)
def _plain(head: bytes) -> float | None:
    """Unix seconds of `2026-01-31 09:30:00`, local; None when it is not of this form."""
    try:
        return datetime.datetime.strptime(head.decode("ascii"), "%Y-%m-%d %H:%M:%S").timestamp()  # noqa: DTZ007 - local
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=4096)
def _second(year: int, month: int, day: int, clock: bytes, zone: bytes) -> float | None:
    hour, minute, second = (int(part) for part in clock.split(b":"))
    try:
        offset = datetime.datetime.strptime(zone.decode(), "%z").tzinfo if zone else None
        return datetime.datetime(year, month, day, hour, minute, second, tzinfo=offset).timestamp()
    except (ValueError, OverflowError):
        return None  # digits in the shape of a date that no calendar has


def since(text: str, now: float | None = None) -> float:
    """Unix seconds that `10m`, `1h30m`, `2d` ago or an ISO 8601 date or time stands for.

    Raises:
        UsageError: it is neither.
    """
    span = _SPAN.fullmatch(text)
    if span is not None and text:
        days, hours, minutes, seconds = (int(part or 0) for part in span.groups())
        ago = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
        return (time.time() if now is None else now) - ago
    try:
        return datetime.datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is no time.",
            "A time is how long ago (90s, 10m, 1h30m, 2d), or a date (2026-01-31), or a date and time "
            "(2026-01-31T09:30:00, local unless a zone follows).",
            "nautilus logs --since 10m",
        ) from None
