"""Rulebooks by date: thresholds of March 2020, the halts of 1997 and 2020, LULD bands, continuity of the data."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.wire.errors import UsageError
from engines.wire.expected_halts import trips
from engines.wire.rulebook import LuldBucket, MarketWide, _all, rules
from engines.wire.session import NS, epoch_ns
from engines.wire.ticks import LEVEL, to_units

CENT = 100


def market_wide(day: dt.date) -> MarketWide:
    found = rules(day).market_wide
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("prior", "published"),
    [
        (2972.37, (2764.30, 2585.96, 2377.89)),
        (2741.38, (2549.48, 2385.00, 2193.10)),
        (2711.02, (2521.24, 2358.58, 2168.81)),
        (2529.19, (2352.14, 2200.39, 2023.35)),
    ],
)
def test_thresholds_of_march_2020_as_published(prior: float, published: tuple[float, ...]) -> None:
    found = market_wide(dt.date(2020, 3, 9)).thresholds(to_units(prior))
    assert tuple(value // CENT for value in found) == tuple(round(value * 100) for value in published)


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_the_rule_of_2013_is_the_integer_inequality(price: int, prior: int) -> None:
    level = market_wide(dt.date(2013, 4, 8)).breached(price, prior)
    wanted = max((n for n, share in ((1, 93), (2, 87), (3, 80)) if 100 * price <= share * prior), default=0)
    assert level == wanted


def test_the_halt_of_18_march_2020_lasts_fifteen_minutes() -> None:
    day = dt.date(2020, 3, 18)
    trip = market_wide(day).halt(1, epoch_ns(day, dt.time(12, 56, 17)), day)
    assert trip is not None
    assert (trip.level, trip.end_ns, trip.proxy) == (1, epoch_ns(day, dt.time(13, 11, 17)), False)


@pytest.mark.parametrize(
    ("time", "close", "minutes"),
    [
        (dt.time(15, 25), dt.time(16), 15),
        (dt.time(15, 25, 1), dt.time(16), None),
        (dt.time(12, 25), dt.time(13), 15),
        (dt.time(12, 25, 1), dt.time(13), None),
    ],
)
def test_levels_1_and_2_halt_up_to_1525_inclusive(time: dt.time, close: dt.time, minutes: int | None) -> None:
    day = dt.date(2020, 3, 9)
    begin = epoch_ns(day, time)
    for level in (1, 2):
        trip = market_wide(day).halt(level, begin, day, close=close)
        assert (trip is None) == (minutes is None)
        if trip is not None and minutes is not None:
            assert trip.end_ns - begin == minutes * 60 * NS
    last = market_wide(day).halt(3, begin, day, close=close)
    assert last is not None
    assert last.end_ns == epoch_ns(day, close)


def test_27_october_1997_halts_at_1436_and_closes_at_1530() -> None:
    day, prior = dt.date(1997, 10, 27), to_units(7_715.41)
    rule = market_wide(day)
    assert rule.breached(prior - to_units(350), prior, "DJIA") == 1
    assert rule.breached(prior - to_units(549.99), prior, "DJIA") == 1
    assert rule.breached(prior - to_units(550), prior, "DJIA") == 2
    first = rule.halt(1, epoch_ns(day, dt.time(14, 36)), day, index="DJIA")
    second = rule.halt(2, epoch_ns(day, dt.time(15, 30)), day, index="DJIA")
    assert first is not None
    assert second is not None
    assert first.end_ns == epoch_ns(day, dt.time(15, 6))
    assert second.end_ns == epoch_ns(day, dt.time(16))
    with pytest.raises(UsageError, match="cannot be judged on SPX"):
        rule.thresholds(to_units(941.64))


def test_6_may_2010_had_no_market_wide_halt() -> None:
    day = dt.date(2010, 5, 6)
    rule = market_wide(day)
    prior, low = to_units(1165.87), to_units(1065.79)
    assert rule.breached(low, prior) == 0
    assert rule.halt(1, epoch_ns(day, dt.time(14, 45)), day) is None  # no level 1 from 14:30 on
    assert rule.breached(to_units(10_868.12 - 998.5), to_units(10_868.12), "DJIA") == 0
    at = rule.thresholds(prior)[0]
    assert at / prior == pytest.approx(1 - 0.0966, abs=5e-5)  # 1,050 points of 10,868.12, flagged proxy
    trip = rule.halt(1, epoch_ns(day, dt.time(13, 0)), day)
    assert trip is not None
    assert trip.proxy


def test_the_pause_of_6_may_2010_is_recorded_for_that_day_only() -> None:
    day = dt.date(2010, 5, 6)
    (pause,) = rules(day).futures_pauses
    assert pause.span(day) == (epoch_ns(day, dt.time(14, 45, 28)), epoch_ns(day, dt.time(14, 45, 33)))
    assert rules(dt.date(2010, 5, 7)).futures_pauses == ()
    assert rules(day).futures_limits[0].points == (110, 220, 330)


@given(st.dates(dt.date(1988, 10, 19), dt.date(2030, 1, 1)))
def test_a_market_wide_rule_holds_on_every_day_since_1988(day: dt.date) -> None:
    assert sum(rule.holds(day) for rule in _all("market-wide", "rule", MarketWide)) == 1


def test_before_the_rules_there_were_none() -> None:
    book = rules(dt.date(1987, 10, 19))
    assert (book.market_wide, book.single_stock, book.luld, book.short_sale) == (None, None, None, None)


@pytest.mark.parametrize(
    ("day", "tier", "close", "time", "percent"),
    [
        (dt.date(2015, 8, 24), 1, 100.0, dt.time(12), 5),
        (dt.date(2015, 8, 24), 2, 100.0, dt.time(12), 10),
        (dt.date(2015, 8, 24), 1, 100.0, dt.time(9, 40), 10),
        (dt.date(2015, 8, 24), 2, 3.00, dt.time(12), 20),
        (dt.date(2020, 3, 9), 1, 100.0, dt.time(9, 40), 5),
        (dt.date(2020, 3, 9), 1, 100.0, dt.time(15, 40), 10),
        (dt.date(2020, 3, 9), 2, 100.0, dt.time(15, 40), 10),
        (dt.date(2020, 3, 9), 2, 2.50, dt.time(15, 40), 40),
    ],
)
def test_luld_bands(day: dt.date, tier: int, close: float, time: dt.time, percent: int) -> None:
    luld = rules(day).luld
    assert luld is not None
    reference = to_units(80.0)  # the bucket goes by the previous close
    assert luld.band(tier, reference, to_units(close), time) == (
        reference * (100 - percent) // 100,
        reference * (100 + percent) // 100,
    )


def test_luld_below_75_cents_is_the_lesser_of_15_cents_and_75_percent() -> None:
    luld = rules(dt.date(2016, 1, 4)).luld
    assert luld is not None
    assert luld.band(2, to_units(0.50), to_units(0.50), dt.time(12)) == (to_units(0.35), to_units(0.65))
    assert luld.band(2, to_units(0.12), to_units(0.12), dt.time(12)) == (to_units(0.03), to_units(0.21))
    assert LuldBucket(1, 0, 75, 1_500) in luld.buckets


def test_luld_has_no_band_outside_its_hours_and_tiers() -> None:
    first = rules(dt.date(2013, 4, 8)).luld
    assert first is not None
    assert first.band(2, to_units(50), to_units(50), dt.time(12)) is None
    assert first.band(1, to_units(50), to_units(50), dt.time(9, 44)) is None
    assert rules(dt.date(2010, 5, 6)).luld is None


@pytest.mark.parametrize(
    ("day", "falls"),
    [
        (dt.date(1988, 10, 18), None),
        (dt.date(1988, 10, 19), (250, 400)),
        (dt.date(1996, 6, 28), (250, 400)),
        (dt.date(1997, 2, 2), (250, 400)),
        (dt.date(1997, 2, 3), (350, 550)),
        (dt.date(1998, 4, 14), (350, 550)),
        (dt.date(1998, 4, 15), (10, 20, 30)),
        (dt.date(2010, 3, 31), (10, 20, 30)),
        (dt.date(2010, 4, 1), (1050, 2150, 3200)),
        (dt.date(2010, 6, 30), (1050, 2150, 3200)),
        (dt.date(2010, 7, 1), (10, 20, 30)),
        (dt.date(2013, 4, 7), (10, 20, 30)),
        (dt.date(2013, 4, 8), (7, 13, 20)),
    ],
)
def test_market_wide_falls_at_the_days_on_which_they_changed(day: dt.date, falls: tuple[int, ...] | None) -> None:
    rule = rules(day).market_wide
    assert (rule and tuple(level.fall for level in rule.levels)) == falls


@pytest.mark.parametrize(
    ("day", "level", "time", "minutes"),  # minutes: 0 to the close, None no halt
    [
        (dt.date(1988, 10, 19), 1, "10:00", 60),
        (dt.date(1988, 10, 19), 2, "10:00", 120),
        (dt.date(1996, 7, 1), 1, "10:00", 30),
        (dt.date(1996, 7, 1), 2, "10:00", 60),
        (dt.date(1997, 2, 3), 1, "15:29:59", 30),
        (dt.date(1997, 2, 3), 1, "15:30", 0),
        (dt.date(1997, 2, 3), 2, "14:59:59", 60),
        (dt.date(1997, 2, 3), 2, "15:00", 0),
        (dt.date(1998, 4, 15), 1, "13:59:59", 60),
        (dt.date(1998, 4, 15), 1, "14:00", 30),
        (dt.date(1998, 4, 15), 1, "14:30", None),
        (dt.date(1998, 4, 15), 2, "12:59:59", 120),
        (dt.date(1998, 4, 15), 2, "13:00", 60),
        (dt.date(1998, 4, 15), 2, "14:00", 0),
        (dt.date(1998, 4, 15), 3, "09:45", 0),
        (dt.date(2013, 4, 8), 1, "09:30", None),
        (dt.date(2013, 4, 8), 1, "09:30:01", 15),
        (dt.date(2013, 4, 8), 2, "15:25", 15),
        (dt.date(2013, 4, 8), 2, "15:25:01", None),
        (dt.date(2013, 4, 8), 3, "15:59", 0),
    ],
)
def test_how_long_each_level_halts_by_its_time(day: dt.date, level: int, time: str, minutes: int | None) -> None:
    rule = market_wide(day)
    at = epoch_ns(day, dt.time.fromisoformat(time))
    trip = rule.halt(level, at, day, index=rule.index)
    if minutes is None:
        assert trip is None
    else:
        assert trip is not None
        assert trip.end_ns == (at + minutes * 60 * NS if minutes else epoch_ns(day, dt.time(16)))


def test_27_october_1997_from_the_days_own_levels_of_the_djia() -> None:
    """Level 1 at 14:36, trading again at 15:06, level 2 at 15:30 closes the day. Levels are rows of this test."""
    day, prior = dt.date(1997, 10, 27), to_units(7_715.41)
    falls = [("14:35:00", 349.99), ("14:36:00", 350.0), ("15:05:59", 420.0), ("15:06:00", 400.0), ("15:29:00", 549.0)]
    falls += [("15:30:00", 550.0), ("15:59:00", 554.26)]
    rows = np.zeros(len(falls), LEVEL)
    rows["ts"] = [epoch_ns(day, dt.time.fromisoformat(time)) for time, _ in falls]
    rows["level"] = [prior - to_units(fall) for _, fall in falls]
    found = trips(rows, day, prior, market_wide(day), "DJIA")
    spans = [(1, dt.time(14, 36), dt.time(15, 6)), (2, dt.time(15, 30), dt.time(16))]
    assert [(trip.level, trip.start_ns, trip.end_ns) for trip in found] == [
        (level, epoch_ns(day, start), epoch_ns(day, end)) for level, start, end in spans
    ]
    assert not any(trip.proxy for trip in found)


@pytest.mark.parametrize(
    ("day", "scopes"),
    [
        (dt.date(2010, 6, 10), None),
        (dt.date(2010, 6, 11), [("S&P 500",)]),
        (dt.date(2010, 9, 9), [("S&P 500",)]),
        (dt.date(2010, 9, 10), [("S&P 500", "Russell 1000", "ETP")]),
        (dt.date(2011, 8, 7), [("S&P 500", "Russell 1000", "ETP")]),
        (dt.date(2011, 8, 8), [("S&P 500", "Russell 1000", "ETP"), ("other",), ("other",)]),
        (dt.date(2013, 4, 7), [("S&P 500", "Russell 1000", "ETP"), ("other",), ("other",)]),
        (dt.date(2013, 4, 8), None),
    ],
)
def test_single_stock_pauses_by_date(day: dt.date, scopes: list[tuple[str, ...]] | None) -> None:
    rule = rules(day).single_stock
    assert (rule and [tier.scope for tier in rule.tiers]) == scopes
    if rule is not None:
        assert (rule.tiers[0].percent, rule.window_s, rule.pause_s) == (10, 300, 300)


@pytest.mark.parametrize(
    ("day", "first", "last", "doubled_at_0940", "doubled_at_1540"),
    [
        (dt.date(2013, 4, 8), dt.time(9, 45), dt.time(15, 30), None, None),
        (dt.date(2013, 8, 4), dt.time(9, 45), dt.time(15, 30), None, None),
        (dt.date(2013, 8, 5), dt.time(9, 30), dt.time(15, 45), True, True),
        (dt.date(2014, 2, 23), dt.time(9, 30), dt.time(15, 45), True, True),
        (dt.date(2014, 2, 24), dt.time(9, 30), dt.time(16), True, True),
        (dt.date(2017, 11, 20), dt.time(9, 30), dt.time(16), True, True),
        (dt.date(2020, 2, 23), dt.time(9, 30), dt.time(16), True, True),
        (dt.date(2020, 2, 24), dt.time(9, 30), dt.time(16), False, True),
    ],
)
def test_luld_hours_and_doubling_by_date(
    day: dt.date, first: dt.time, last: dt.time, doubled_at_0940: bool | None, doubled_at_1540: bool | None
) -> None:
    luld = rules(day).luld
    assert luld is not None
    assert (luld.start, luld.end) == (first, last)
    for time, doubled in ((dt.time(9, 40), doubled_at_0940), (dt.time(15, 40), doubled_at_1540)):
        band = luld.band(1, to_units(100), to_units(100), time)
        wanted = None if doubled is None else (90, 110) if doubled else (95, 105)
        assert (band and tuple(price // 10_000 for price in band)) == wanted
    assert luld.until_primary_reopens == (day >= dt.date(2017, 11, 20))
    assert rules(dt.date(2013, 4, 7)).luld is None


@pytest.mark.parametrize(
    ("day", "futures", "pauses", "short"),
    [
        (dt.date(2010, 3, 31), 0, 0, False),
        (dt.date(2010, 4, 1), 1, 0, False),
        (dt.date(2010, 5, 6), 1, 1, False),
        (dt.date(2010, 6, 30), 1, 0, False),
        (dt.date(2010, 7, 1), 0, 0, False),
        (dt.date(2011, 2, 27), 0, 0, False),
        (dt.date(2011, 2, 28), 0, 0, True),
    ],
)
def test_futures_limits_pauses_and_rule_201_by_date(day: dt.date, futures: int, pauses: int, short: bool) -> None:
    book = rules(day)
    assert (len(book.futures_limits), len(book.futures_pauses), book.short_sale is not None) == (futures, pauses, short)
    assert book.short_sale is None or book.short_sale.percent == 10


def test_every_rule_names_its_source_and_how_far_it_was_checked() -> None:
    days = [dt.date(1988, 10, 19), dt.date(1996, 8, 1), dt.date(2010, 5, 6), dt.date(2012, 1, 3), dt.date(2020, 3, 9)]
    for book in map(rules, days):
        single = (book.market_wide, book.single_stock, book.luld, book.short_sale)
        for rule in (*single, *book.futures_limits, *book.futures_pauses):
            if rule is not None:
                assert len(rule.source) > 10
                assert rule.confidence != "verified" or "not checked" not in rule.source
