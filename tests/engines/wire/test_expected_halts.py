"""The one function that makes halts of levels, on made-up levels; and the course, whose passages it judges."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.risk import breakers as risk
from engines.wire.course import course, plain
from engines.wire.errors import UsageError
from engines.wire.expected_halts import trips
from engines.wire.messages import Halt
from engines.wire.pins import pins
from engines.wire.rulebook import rules
from engines.wire.scenario_file import ScenarioErrors, load, names
from engines.wire.scenario_rules import problems
from engines.wire.session import NS, epoch_ns, open_ns
from engines.wire.ticks import LEVEL, Rows

DAY = dt.date(2020, 3, 9)
PRIOR = 29_723_700


def levels(*points: tuple[str, float]) -> Rows:
    rows = np.zeros(len(points), LEVEL)
    rows["ts"] = [epoch_ns(DAY, dt.time.fromisoformat(time)) for time, _ in points]
    rows["level"] = [round(level * 10_000) for _, level in points]
    return rows


def halts(*points: tuple[str, float]) -> list[tuple[int, int, int]]:
    rule = rules(DAY).market_wide
    opening = open_ns(DAY)
    return [
        (trip.level, (trip.start_ns - opening) // NS, (trip.end_ns - opening) // NS)
        for trip in trips(levels(*points), DAY, PRIOR, rule)
    ]


def test_a_cent_decides() -> None:
    assert halts(("10:00:00", 2764.31)) == []
    assert halts(("10:00:00", 2764.30)) == [(1, 1_800, 2_700)]


def test_the_open_itself_does_not_halt_and_the_next_value_does() -> None:
    assert halts(("09:30:00", 2700.0)) == []
    assert halts(("09:30:00", 2700.0), ("09:30:01", 2700.0)) == [(1, 1, 901)]


def test_each_level_halts_once_and_none_while_the_market_is_halted() -> None:
    fall = [("10:00:00", 2700.0), ("10:05:00", 2500.0), ("10:15:00", 2500.0), ("11:00:00", 2500.0)]
    assert halts(*fall) == [(1, 1_800, 2_700), (2, 2_700, 3_600)]
    assert halts(("10:00:00", 2500.0), ("10:20:00", 2700.0)) == [(2, 1_800, 2_700)]


def test_levels_one_and_two_end_at_1525_and_three_closes_the_day() -> None:
    assert halts(("15:25:00", 2700.0)) == [(1, 21_300, 22_200)]
    assert halts(("15:25:01", 2500.0)) == []
    assert halts(("15:50:00", 2300.0)) == [(3, 22_800, 23_400)]
    assert trips(levels(("15:50:00", 1.0)), DAY, PRIOR, None) == ()


Walk = st.lists(st.tuples(st.integers(0, 23_400), st.integers(20_000_000, 31_000_000)), min_size=1, max_size=30)


@given(walk=Walk, day=st.sampled_from([dt.date(2020, 3, 9), dt.date(2010, 5, 6), dt.date(1999, 4, 1)]))
def test_the_risk_engine_comes_to_the_same_halts(walk: list[tuple[int, int]], day: dt.date) -> None:
    rows = np.zeros(len(walk), LEVEL)
    rows["ts"] = [open_ns(day) + second * NS for second, _ in sorted(walk)]
    state, _ = risk.open_day(day)
    assert state.prior_close is not None
    rows["level"] = [level * state.prior_close // PRIOR for _, level in walk]
    called = [body for body in risk.on_levels(state, rows, 90) if isinstance(body, Halt)]
    made = trips(rows, day, state.prior_close, rules(day).market_wide)
    assert {(h.level, h.start_ns, h.end_ns) for h in called} == {(t.level, t.start_ns, t.end_ns) for t in made}


@pytest.mark.parametrize("name", names())
def test_a_course_meets_its_pins_and_stays_above_levels_that_are_not_passed(name: str) -> None:
    scenario = load(name)
    index = pins(scenario)[0]
    found = course(scenario, index)
    at = np.arange(23_401.0)
    price = np.exp(plain(found.knots, at)) * 10_000
    assert price[0] == pytest.approx(index.open)
    assert price[-1] == pytest.approx(index.close)
    assert price.max() == pytest.approx(index.high)
    assert price.min() == pytest.approx(index.low)
    for passed in found.passed:
        assert (price[: passed.at_s] > passed.most).all()


def test_a_turn_inside_a_halt_is_refused() -> None:
    march = load("2020-03-18")
    turned = replace(march, leg=replace(march.leg, high_at=dt.time(13, 0)))
    with pytest.raises(UsageError, match="cannot turn"):
        course(turned, pins(turned)[0])


def test_passages_need_a_rule_a_level_and_a_whole_second_in_order() -> None:
    march = load("2020-03-18")
    (passage,) = march.passages
    bad = (
        replace(passage, level=4),
        replace(passage, at=dt.time(9, 30)),
        replace(passage, at=dt.time(13, 0, 0, 500_000)),
    )
    found = problems(replace(march, passages=bad))
    assert [text.split(":")[0] for text in found] == [
        "passages[0].level", "passages[1].at", "passages[2].at", "passages"
    ]  # fmt: skip
    early = replace(load("1987-10-19"), passages=(passage,))
    assert "has no level 1" in problems(early)[0]
    assert issubclass(ScenarioErrors, UsageError)
