"""Sweeps: their law, several prints at one timestamp that walk the book, and what they do to short-scale clustering."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.marketdata.tape.arrivals import arrivals
from engines.marketdata.tape.sweeps import draw, mean_prints, step_chance
from engines.marketdata.tape.tape import Tape, make
from engines.wire.errors import UsageError
from engines.wire.intensity import GRID_S, intensity
from engines.wire.scenario import Sweeps
from engines.wire.scenario_file import load
from engines.wire.scenario_rules import mean_sweep
from engines.wire.session import NS, open_ns

CRASH = load("flash-crash-2010")
MANY = Sweeps(mean=6.9, mean_peak=1.3, most=400, most_peak=20)


@settings(max_examples=10, deadline=None)
@given(y=st.floats(0, 1), seed=st.integers(0, 2**32))
def test_the_mean_number_of_prints_is_the_wanted_one_at_any_stress(y: float, seed: int) -> None:
    prints = draw(MANY, np.full(100_000, y), np.random.default_rng(seed))
    wanted = float(mean_prints(MANY, np.array([y]))[0])
    assert abs(prints.mean() - wanted) < 5 * prints.std() / np.sqrt(prints.size)
    assert 1 <= prints.min() <= prints.max() <= 400


def test_sizes_of_calm_sweeps_follow_the_power_law() -> None:
    prints = draw(MANY, np.zeros(400_000), np.random.default_rng(1))
    swept = prints[prints > 1]
    sizes = np.arange(2, 12)
    weights = np.arange(2, 401) ** -2.0
    wanted = swept.size * weights[:10] / weights.sum()
    found = np.bincount(swept, minlength=401)[sizes]
    assert (np.abs(found - wanted) < 5 * np.sqrt(wanted)).all()
    assert swept.mean() == pytest.approx(mean_sweep(2.0, 400), rel=0.05)


def test_stress_makes_sweeps_shorter_and_steps_likelier() -> None:
    prints = draw(MANY, np.ones(100_000), np.random.default_rng(1))
    assert prints.max() == 20
    assert step_chance(MANY, np.array([0.0, 1.0])) == pytest.approx([MANY.step, MANY.step_peak])


def test_no_sweeps_draw_ones_and_too_many_are_refused() -> None:
    assert (draw(Sweeps(), np.zeros(10), np.random.default_rng(1)) == 1).all()
    with pytest.raises(UsageError, match="so many prints"):
        draw(Sweeps(mean=9.0, mean_peak=9.0, most=40), np.zeros(10), np.random.default_rng(1))


@pytest.fixture(scope="module")
def tape() -> Tape:
    return make(CRASH, 7)


def test_a_sweep_is_one_timestamp_one_side_and_walks_away_from_the_touch(tape: Tape) -> None:
    """Equal times are one arrival, but for the chance that two meet in one nanosecond; checked where sides agree."""
    trades, quotes = tape.trades, tape.quotes
    same = (np.diff(trades["ts"]) == 0) & (np.diff(trades["symbol"].astype(int)) == 0)
    assert 0.4 < same.mean() < 0.7
    assert (np.diff(trades["side"])[same] == 0).all()
    steps = (np.diff(trades["price"]) * trades["side"][1:])[same]
    assert steps.min() == 0
    ticks = np.array([0, 2_500, 100, 100, 100, 100])[trades["symbol"][1:]][same]
    assert set(np.unique(steps // ticks)) == {0, 1}
    assert (steps > 0).mean() > 0.03
    touch = np.where(trades["side"] > 0, quotes["ask"], quotes["bid"])
    pinned = np.isin(
        trades["price"], [value for pin in tape.pins for value in (pin.open, pin.high, pin.low, pin.close)]
    )
    assert (touch == trades["price"])[~pinned].all()
    assert (quotes["bid"] < quotes["ask"]).all()


def fano(tape: Tape, scale: float) -> float:
    """Variance over mean of the future's prints in bins of ``scale`` seconds, 12:00 to 14:00."""
    at = (tape.trades["ts"][tape.trades["symbol"] == 1] - open_ns(tape.scenario.date)) / NS
    counts = np.histogram(at, np.arange(9_000, 16_200 + scale / 2, scale))[0]
    return float(counts.var() / counts.mean())


def per_timestamp(tape: Tape) -> float:
    at = tape.trades["ts"][(tape.trades["symbol"] == 1)]
    seconds = (at - open_ns(tape.scenario.date)) / NS
    calm = at[(seconds > 9_000) & (seconds < 16_200)]
    return float(calm.size / np.unique(calm).size)


def test_short_scale_clustering_rises_toward_the_e_minis() -> None:
    """Facts of September 2013: 6.9 prints per timestamp, 1 s Fano 101. Without sweeps and fast kernel it is below 4."""
    plain = replace(CRASH, sweeps=Sweeps(), hawkes=replace(CRASH.hawkes, fast=0.0))
    swept = replace(CRASH, sweeps=replace(CRASH.sweeps, mean=6.9))
    one, ours, many = ([make(each, seed) for seed in range(2)] for each in (plain, CRASH, swept))
    assert np.mean([fano(tape, 1.0) for tape in one]) < 4
    assert np.mean([fano(tape, 1.0) for tape in ours]) > 30
    assert 50 < np.mean([fano(tape, 1.0) for tape in many]) < 150
    assert np.mean([per_timestamp(tape) for tape in one]) < 1.001
    assert np.mean([per_timestamp(tape) for tape in ours]) == pytest.approx(2.5, abs=0.25)
    assert np.mean([per_timestamp(tape) for tape in many]) == pytest.approx(6.9, abs=0.8)


def test_the_fast_kernel_alone_raises_clustering_within_a_tenth_of_a_second() -> None:
    slow = replace(CRASH, sweeps=Sweeps(), hawkes=replace(CRASH.hawkes, fast=0.0))
    fast = replace(slow, hawkes=CRASH.hawkes)
    values = [[fano(make(each, seed), 0.1) for seed in range(2)] for each in (slow, fast)]
    assert max(values[0]) < min(values[1])


def test_the_mean_number_of_prints_is_the_scenarios() -> None:
    """In the calm hours and in the worst five seconds: over seeds, within four standard errors of their own spread."""
    day = intensity(CRASH)
    wanted, even = day.lam / mean_prints(CRASH.sweeps, day.y), np.full(day.lam.size, 0.5)
    spans = [(9_000, 16_200), (CRASH.t_low - 5, CRASH.t_low), (0, 23_400)]
    counts = np.empty((50, len(spans)))
    for seed in range(len(counts)):
        rng = np.random.default_rng(seed)
        hits = arrivals(CRASH, wanted, even, rng)
        prints = draw(CRASH.sweeps, day.y[(hits.t / GRID_S).astype(int)], rng)
        counts[seed] = [prints[(hits.t > start) & (hits.t <= end)].sum() for start, end in spans]
    expected = [day.lam[(day.grid > start) & (day.grid < end)].sum() * GRID_S for start, end in spans]
    errors = counts.std(axis=0, ddof=1) / np.sqrt(len(counts))
    assert (np.abs(counts.mean(axis=0) - expected) < 4 * errors).all()
    assert (errors < 0.04 * np.array(expected)).all()
