"""The calendar against the bundle's fifty years of trading days, and its answers to days without a session."""

import datetime as dt
import subprocess
import sys

import numpy as np
import pytest

from engines.data import calendar
from engines.wire import bundle
from engines.wire.errors import DataError, UsageError


@pytest.mark.parametrize(("symbol", "source"), [("SPX", ""), ("AAPL", ""), ("NVDA", ""), ("IXIC", "")])
def test_the_sessions_are_the_days_on_which_there_are_bars(symbol: str, source: str) -> None:
    held = bundle.bars(symbol, source=source).between(calendar.FIRST, None)
    sessions = calendar.sessions(held.date[0].item(), held.date[-1].item())
    assert np.array_equal(sessions, held.date)


@pytest.mark.parametrize(
    ("day", "reason", "previous", "following"),
    [
        (dt.date(2010, 5, 8), "a Saturday", dt.date(2010, 5, 7), dt.date(2010, 5, 10)),
        (dt.date(2020, 4, 10), r"Good Friday", dt.date(2020, 4, 9), dt.date(2020, 4, 13)),
        (dt.date(2001, 9, 12), "special reason", dt.date(2001, 9, 10), dt.date(2001, 9, 17)),
    ],
)
def test_a_day_without_a_session_says_why_and_which_are_near(
    day: dt.date, reason: str, previous: dt.date, following: dt.date
) -> None:
    assert not calendar.is_session(day)
    with pytest.raises(calendar.NoSession, match=reason) as caught:
        calendar.session(day)
    assert (caught.value.previous, caught.value.following) == (previous, following)
    assert str(previous) in caught.value.why
    assert isinstance(caught.value, DataError)


def test_hours_follow_new_yorks_clock_and_some_days_end_early() -> None:
    day = calendar.session(dt.date(2020, 3, 9))  # the first day of summer time
    assert (day.open, day.close) == (
        dt.datetime(2020, 3, 9, 13, 30, tzinfo=dt.UTC),
        dt.datetime(2020, 3, 9, 20, 0, tzinfo=dt.UTC),
    )
    assert not day.early
    assert calendar.session(dt.date(2020, 3, 6)).open.hour == 14
    early = calendar.early_closes(dt.date(2019, 1, 1), dt.date(2019, 12, 31))
    assert [str(one.day) for one in early] == ["2019-07-03", "2019-11-29", "2019-12-24"]
    assert {one.close.hour for one in early} == {17, 18}
    assert all(one.early for one in early)


def test_days_that_the_rules_do_not_reach_are_refused() -> None:
    for day in (dt.date(1969, 12, 31), calendar.last() + dt.timedelta(days=1)):
        with pytest.raises(calendar.OutsideCalendar, match="1970-01-02"):
            calendar.session(day)
    with pytest.raises(UsageError, match="is after"):
        calendar.sessions(dt.date(2020, 1, 2), dt.date(2020, 1, 1))


def test_importing_it_loads_neither_pandas_nor_the_library() -> None:
    code = "import sys, engines.data.calendar, engines.data.catalog; print([m for m in ('pandas', 'exchange_calendars', 'duckdb') if m in sys.modules])"  # noqa: E501
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
