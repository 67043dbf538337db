"""Severity sweeps: every combination, validated, bounded, and nothing else changed."""

from dataclasses import replace

import pytest

from engines.wire.errors import UsageError
from engines.wire.pins import conflicts
from engines.wire.scenario_file import ScenarioErrors, load
from engines.wire.severity import sweep

CRASH = load("flash-crash-2010")


def test_a_sweep_makes_every_combination_and_changes_nothing_else() -> None:
    made = sweep(CRASH, falls=[0.02, 0.06], peaks=[20, 40, 100], depths=[0.008, 0.1])
    assert len(made) == len({each.name for each in made}) == 12
    shapes = {(each.leg.drop, each.activity.peak, each.book.depth_floor) for each in made}
    assert shapes == {(f, p, d) for f in (0.02, 0.06) for p in (20, 40, 100) for d in (0.008, 0.1)}
    for each in made:
        back = replace(each, name=CRASH.name, aliases=CRASH.aliases, leg=CRASH.leg, activity=CRASH.activity)
        assert replace(back, book=CRASH.book) == CRASH


def test_an_axis_that_is_not_given_keeps_the_scenarios_value() -> None:
    (same,) = sweep(CRASH)
    assert (same.leg, same.activity, same.book) == (CRASH.leg, CRASH.activity, CRASH.book)


def test_a_fall_beyond_the_days_range_is_a_conflict_of_that_copy() -> None:
    small, large = sweep(CRASH, falls=[0.05, 0.2])
    assert conflicts(small) == ()
    assert conflicts(large)[0].startswith("leg.drop")


def test_mistakes_of_all_copies_come_at_once_and_their_number_is_bounded() -> None:
    with pytest.raises(ScenarioErrors) as caught:
        sweep(CRASH, falls=[0.05, 1.2], depths=[0.0])
    assert len(caught.value.mistakes) == 3
    with pytest.raises(UsageError, match="513"):
        sweep(CRASH, falls=[0.0001 * n for n in range(1, 514)])
