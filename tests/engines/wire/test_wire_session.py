"""Market time: seconds, New York times and epoch nanoseconds, across summer time."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.wire.session import epoch_ns, open_ns, session_s, wall_time


@pytest.mark.parametrize(
    ("day", "utc"),
    [(dt.date(2010, 5, 6), "2010-05-06T13:30:00+00:00"), (dt.date(2010, 1, 4), "2010-01-04T14:30:00+00:00")],
)
def test_the_open_in_utc_follows_summer_time(day: dt.date, utc: str) -> None:
    assert open_ns(day) == int(dt.datetime.fromisoformat(utc).timestamp()) * 10**9


def test_a_time_of_day_as_epoch_nanoseconds() -> None:
    day = dt.date(2010, 5, 6)
    assert epoch_ns(day, dt.time(14, 45, 28, 500_000)) - open_ns(day) == 18_928_500_000_000


@given(st.times())
def test_seconds_and_times_are_inverse(time: dt.time) -> None:
    assert wall_time(session_s(time)) == time
