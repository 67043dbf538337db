"""The regular trading session of a New York day: market seconds, epoch nanoseconds, wall-clock times."""

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

ZONE = "America/New_York"
OPEN = dt.time(9, 30)
CLOSE = dt.time(16, 0)
SESSION_S = 23_400.0
NS = 1_000_000_000


def session_s(time: dt.time) -> float:
    """Seconds from the open to ``time`` of the same day, negative before the open."""
    return (time.hour - 9) * 3600.0 + (time.minute - 30) * 60.0 + time.second + time.microsecond / 1e6


@lru_cache(maxsize=256)
def open_ns(day: dt.date) -> int:
    """The open of ``day`` in nanoseconds since the Unix epoch, UTC."""
    opening = dt.datetime.combine(day, OPEN, tzinfo=ZoneInfo(ZONE))
    return int(opening.timestamp()) * NS


def epoch_ns(day: dt.date, time: dt.time) -> int:
    """A wall-clock time of ``day`` in New York as nanoseconds since the Unix epoch, UTC."""
    return open_ns(day) + round(session_s(time) * NS)


def wall_time(seconds: float) -> dt.time:
    """The New York time that lies ``seconds`` after the open, to the microsecond; raises ValueError past midnight."""
    micros = round((session_s(dt.time(0)) * -1 + seconds) * 1e6)
    hour, micros = divmod(micros, 3_600_000_000)
    minute, micros = divmod(micros, 60_000_000)
    second, micros = divmod(micros, 1_000_000)
    return dt.time(hour, minute, second, micros)
