"""Paths: through the knots, inside the bounds, for any noise."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.marketdata.tape.path import bridge, paths
from engines.wire.course import FALL, LINEAR, REBOUND, Knot, course
from engines.wire.intensity import CELLS, GRID_S, intensity
from engines.wire.pins import pins
from engines.wire.scenario_file import load

CRASH = load("flash-crash-2010")


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    sigma=st.floats(0, 0.5),
    levels=st.lists(st.floats(-1, 1), min_size=5, max_size=5),
    times=st.lists(st.integers(10, 23_390), min_size=3, max_size=3, unique=True),
)
def test_a_bridge_meets_its_knots_and_never_leaves_its_bounds(
    seed: int, sigma: float, levels: list[float], times: list[int]
) -> None:
    noise = sigma * np.cumsum(np.random.default_rng(seed).standard_normal(CELLS + 1)) / np.sqrt(CELLS)
    at = [0.0, *map(float, sorted(times)), 23_400.0]
    shapes = [LINEAR, LINEAR, FALL, REBOUND, LINEAR]
    knots = [Knot(*each) for each in zip(at, levels, shapes, strict=True)]
    path = bridge(knots, np.arange(CELLS + 1.0), noise, (-1.0, 1.0))
    assert path.min() >= -1
    assert path.max() <= 1
    assert [path[round(time / GRID_S)] for time in at] == levels


def test_paths_stay_in_the_days_range_and_meet_their_lows() -> None:
    pinned, day = pins(CRASH), intensity(CRASH)
    own = [pinned[0], *pinned[2:]]  # row 0 is the index, which the future follows
    for seed in range(5):
        made = paths(CRASH, pinned, day, course(CRASH, pinned[0]), np.random.default_rng(seed))
        assert made.row_of == (0, 1, 2, 3, 4)
        for pin, turns, log in zip(own, made.turns, made.log, strict=True):
            price = np.exp(log) * 10_000
            assert price.max() <= pin.high * (1 + 1e-12)
            assert price.min() >= pin.low * (1 - 1e-4)  # the air pocket is sampled on the grid
            assert abs(price.argmin() * GRID_S - turns.low) <= 1
            assert np.exp(turns.trough - turns.pocket) * 10_000 == pytest.approx(pin.low)


def test_air_pockets_are_those_of_the_day() -> None:
    """Of the 2010 lows only AAPL's lies far below what the index's fall explains."""
    pinned = pins(CRASH)
    made = paths(CRASH, pinned, intensity(CRASH), course(CRASH, pinned[0]), np.random.default_rng(0))
    below = [100 * -np.expm1(-turns.pocket) for turns in made.turns]
    assert below == pytest.approx([0, 14.9, 1.3, 0.4, 0], abs=0.06)


def test_without_noise_the_fall_accelerates() -> None:
    pinned = tuple(replace(pin, sigma=0.0) for pin in pins(CRASH))
    log = paths(CRASH, pinned, intensity(CRASH), course(CRASH, pinned[0]), np.random.default_rng(0)).log[0]
    low = round(CRASH.t_low / GRID_S)
    steps = np.diff(log[low - 3_000 : low + 1])
    assert (steps < 0).all()
    assert (np.diff(steps) < 0).all()
