"""Sessions of the New York Stock Exchange (exchange_calendars, XNYS): which days, which hours, and why not.

The library's holiday rules begin in 1970; before that the index's own bars are the only record of trading days.
Loading it takes about a second (pandas), so that nothing here imports it before the first question.
"""

import datetime as dt
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from engines.wire.errors import DataError, UsageError

NAME = "XNYS"
FIRST = dt.date(1970, 1, 2)
_REGULAR = dt.timedelta(hours=6, minutes=30)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Session:
    """One trading day's regular hours, in UTC."""

    day: dt.date
    open: dt.datetime
    close: dt.datetime

    @property
    def early(self) -> bool:
        """Whether it ends before the usual hour."""
        return self.close - self.open < _REGULAR


class NoSession(DataError):
    """The exchange did not open that day."""

    def __init__(self, day: dt.date, reason: str, previous: dt.date | None, following: dt.date | None) -> None:
        near = [f"the session before is {previous}"] * (previous is not None)
        near += [f"the next one is {following}"] * (following is not None)
        super().__init__(f"{NAME} has no session on {day}.", f"{reason}; {' and '.join(near)}.", "Choose one of them.")
        self.day = day
        self.reason = reason
        self.previous = previous
        self.following = following


class OutsideCalendar(DataError):
    """The calendar does not know that day."""

    def __init__(self, day: dt.date) -> None:
        super().__init__(
            f"The {NAME} calendar does not know {day}.",
            f"Its rules run from {FIRST} to {last()}.",
            "Choose a day between them.",
        )


@lru_cache(maxsize=1)
def _calendar() -> Any:
    import exchange_calendars

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's own use of pandas is on its way out; nothing for a user to do
        return exchange_calendars.get_calendar(NAME, start=FIRST.isoformat())


@lru_cache(maxsize=1)
def _days() -> npt.NDArray[np.datetime64]:
    """Every session, as datetime64[D]."""
    days = np.asarray(_calendar().sessions.to_numpy(), dtype="datetime64[D]")
    days.flags.writeable = False
    return days


def last() -> dt.date:
    """The last session that the calendar knows (about a year ahead)."""
    day: dt.date = _days()[-1].item()
    return day


def sessions(start: dt.date, end: dt.date) -> npt.NDArray[np.datetime64]:
    """The trading days from ``start`` to ``end``, both inclusive, as datetime64[D].

    Raises:
        UsageError: the range is backwards.
        OutsideCalendar: one of the days is before 1970 or after the calendar's end.
    """
    if start > end:
        raise UsageError(f"{start} is after {end}.", "A range begins before it ends.", "Swap the two days.")
    for day in (start, end):
        _known(day)
    days = _days()
    low = days.searchsorted(np.datetime64(start, "D"), side="left")
    return days[low : days.searchsorted(np.datetime64(end, "D"), side="right")]


def is_session(day: dt.date) -> bool:
    """Whether the exchange opened; raises ``OutsideCalendar``."""
    return bool(sessions(day, day).size)


def session(day: dt.date) -> Session:
    """The hours of one trading day.

    Raises:
        NoSession: a weekend, a holiday or a special closure, with the sessions around it.
        OutsideCalendar: before 1970 or after the calendar's end.
    """
    if not is_session(day):
        days = _days()
        at = int(days.searchsorted(np.datetime64(day, "D")))
        previous = days[at - 1].item() if at > 0 else None
        following = days[at].item() if at < days.size else None
        raise NoSession(day, why_closed(day), previous, following)
    calendar = _calendar()
    key = day.isoformat()
    return Session(day, calendar.session_open(key).to_pydatetime(), calendar.session_close(key).to_pydatetime())


def early_closes(start: dt.date, end: dt.date) -> tuple[Session, ...]:
    """The sessions of a range that end before the usual hour; raises what ``sessions`` raises."""
    shortened = np.asarray(_calendar().early_closes.to_numpy(), dtype="datetime64[D]")
    return tuple(session(day) for day in np.intersect1d(sessions(start, end), shortened).tolist())


def why_closed(day: dt.date) -> str:
    """Why a day that is no session is none: the weekday, the holiday's name, or a special closure."""
    if day.weekday() >= 5:
        return f"it is a {_WEEKDAYS[day.weekday()]}"
    named = _calendar().regular_holidays.holidays(day.isoformat(), day.isoformat(), return_name=True)
    return f"it is a holiday ({named.iloc[0]})" if len(named) else "the exchange was closed for a special reason"


def _known(day: dt.date) -> None:
    if not FIRST <= day <= last():
        raise OutsideCalendar(day)
