"""Whether a range of days can be asked of a series: order, dates that it has, days on which the exchange opened."""

import datetime as dt

from engines.data import calendar
from engines.wire.bundle_files import SeriesInfo
from engines.wire.errors import DataError, UsageError


class OutsideSeries(DataError):
    """The range does not touch the dates that the series has."""

    def __init__(self, info: SeriesInfo, start: dt.date | None, end: dt.date | None) -> None:
        asked = " to ".join(str(day) for day in dict.fromkeys((start, end)) if day is not None)
        super().__init__(
            f"{info.symbol} has nothing on {asked}." if start == end else f"{info.symbol} has nothing in {asked}.",
            f"Its {info.kind} run from {info.first} to {info.last}.",
            "Choose days inside them.",
        )


def ordered(start: dt.date | None, end: dt.date | None) -> None:
    """Nothing where ``start`` is not after ``end``.

    Raises:
        UsageError: it is.
    """
    if start is not None and end is not None and start > end:
        raise UsageError(f"start {start} is after end {end}.", "A range begins before it ends.", "Swap the two days.")


def overlaps(info: SeriesInfo, start: dt.date | None, end: dt.date | None) -> None:
    """Nothing where the range touches the series' dates.

    Raises:
        OutsideSeries: it does not.
    """
    if (start is not None and start > info.last) or (end is not None and end < info.first):
        raise OutsideSeries(info, start, end)


def why_empty(info: SeriesInfo, start: dt.date | None, end: dt.date | None) -> DataError:
    """The error for a range inside a daily series that holds no row: which day was no session, and why."""
    if start is None or end is None or start < calendar.FIRST or info.imported:
        return DataError(
            f"{info.symbol} has no row from {start or info.first} to {end or info.last}.",
            "No trading day lies between them.",
            "Choose a wider range.",
        )
    if start == end and not calendar.is_session(start):
        try:
            calendar.session(start)
        except calendar.NoSession as error:
            return error
    if calendar.sessions(start, end).size == 0:
        return DataError(
            f"{calendar.NAME} has no session from {start} to {end}.",
            f"On {start} {calendar.why_closed(start)}.",
            "Choose a wider range.",
        )
    return DataError(
        f"{info.symbol} has no row from {start} to {end}.",
        "The exchange opened, but the series lacks the day.",
        "See: nautilus data show " + info.symbol,
    )
