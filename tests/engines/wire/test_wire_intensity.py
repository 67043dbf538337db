"""Intensity and stress: their integral, their peak, their calm."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from engines.wire.errors import UsageError
from engines.wire.intensity import GRID_S, intensity
from engines.wire.scenario import Scenario
from engines.wire.scenario_file import load


@pytest.fixture(scope="module")
def crash() -> Scenario:
    return load("flash-crash-2010")


@pytest.mark.parametrize(("peak", "ticks"), [(100.0, 200_000), (40.0, 50_000)])
def test_integral_and_peak_ratio_are_what_the_scenario_says(crash: Scenario, peak: float, ticks: int) -> None:
    day = intensity(replace(crash, ticks=ticks, activity=replace(crash.activity, peak=peak)))
    assert day.lam.sum() * GRID_S == pytest.approx(ticks, rel=1e-12)
    calm = (day.grid > 9_000) & (day.grid < 16_200)
    top = (day.grid > crash.t_low - 5) & (day.grid < crash.t_low)
    assert day.lam[top].mean() / day.lam[calm].mean() == pytest.approx(peak, rel=1e-9)
    assert day.lam0 == pytest.approx(day.lam[calm].mean())


def test_stress_is_one_at_the_low_small_when_calm_and_inside_the_unit_interval(crash: Scenario) -> None:
    day = intensity(crash)
    assert day.y.min() >= 0
    assert day.y.max() == 1
    assert day.stress_at(crash.t_low) == 1
    assert day.stress_at(3.5 * 3600) < 0.01
    assert day.stress_at(-1) == day.y[0]
    assert day.stress_at(1e9) == day.y[-1]
    before = day.y[(day.grid > crash.t_low - 300) & (day.grid < crash.t_low)]
    assert (np.diff(before) >= 0).all()


def test_a_peak_below_the_shoulder_is_refused(crash: Scenario) -> None:
    with pytest.raises(UsageError, match="No spike"):
        intensity(replace(crash, activity=replace(crash.activity, peak=5.0)))


def test_calm_hours_over_the_spike_are_refused(crash: Scenario) -> None:
    activity = replace(crash.activity, calm_from=dt.time(14, 45, 20), calm_to=dt.time(14, 45, 30))
    with pytest.raises(UsageError, match="No spike"):
        intensity(replace(crash, activity=activity))
