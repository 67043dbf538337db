"""Rate curves of an open phase: requests per second in cells of `step_s`, as `OpenPhase.rate` takes them.  Pure.

A cell's rate is the mean of the shape over the cell, so that a curve's expected arrivals are the shape's integral.
All raise LoadError for rates that are negative or not finite, and for times that are not above zero.
"""

import math
from collections.abc import Sequence

import numpy as np

from engines.wire.intensity import Intensity, intensity
from engines.wire.scenario import Scenario
from engines.wire.session import session_s
from stress.load.errors import LoadError

STEP_S = 0.1
_NEXT = "Correct the shape and run the plan again."

Curve = tuple[float, ...]


def constant(rate: float, seconds: float, step_s: float = STEP_S) -> Curve:
    """The same rate for `seconds`."""
    return ramp(rate, rate, seconds, step_s)


def ramp(start: float, end: float, seconds: float, step_s: float = STEP_S) -> Curve:
    """A straight line from `start` to `end` requests per second."""
    _check_rates(start, end)
    cells = _cells(seconds, step_s)
    middle = (np.arange(cells) + 0.5) / cells
    return tuple((start + (end - start) * middle).tolist())


def steps(levels: Sequence[tuple[float, float]], step_s: float = STEP_S) -> Curve:
    """One level after the other, each a rate and its seconds."""
    if not levels:
        raise LoadError("A rate curve of steps has no step.", "It needs a rate and its seconds at least.", _NEXT)
    return tuple(rate for level, seconds in levels for rate in constant(level, seconds, step_s))


def spike(base: float, peak: float, at_s: float, width_s: float, seconds: float, step_s: float = STEP_S) -> Curve:
    """`base`, but `peak` for `width_s` from `at_s` on; the spike lies within `seconds`."""
    after_s = seconds - at_s - width_s
    if at_s <= 0 or after_s <= 0:
        raise LoadError(
            f"A spike of {width_s:g} s at {at_s:g} s does not lie within {seconds:g} s.",
            "The base rate comes before and after it.",
            _NEXT,
        )
    return steps([(base, at_s), (peak, width_s), (base, after_s)], step_s)


def stress_of(scenario: Scenario, cells: int) -> tuple[float, ...]:
    """The tape's stress y (0 to about 1) in the middle of each of so many equal parts of the measured window."""
    curve: Intensity = intensity(scenario)
    start, width = session_s(scenario.window.start), scenario.window.wall_s * scenario.window.speed / cells
    return tuple(curve.stress_at(start + (n + 0.5) * width) for n in range(cells))


def as_stress(scenario: Scenario, peak: float, floor: float, seconds: float, step_s: float = STEP_S) -> Curve:
    """`peak (floor + (1 - floor) y)`, y the stress of the scenario's measured window, stretched over `seconds`."""
    _check_rates(peak)
    y = np.asarray(stress_of(scenario, _cells(seconds, step_s)))
    return tuple((peak * (floor + (1 - floor) * y)).tolist())


def _cells(seconds: float, step_s: float) -> int:
    """How many cells of `step_s` make up `seconds`; a part of one is refused, since it would change the length."""
    if not (0 < step_s < math.inf and 0 < seconds < math.inf):
        raise LoadError(
            f"A rate curve cannot last {seconds:g} s in cells of {step_s:g} s.", "Both are above zero.", _NEXT
        )
    cells = round(seconds / step_s)
    if cells < 1 or not math.isclose(cells * step_s, seconds, rel_tol=1e-9, abs_tol=1e-9):
        raise LoadError(f"{seconds:g} s are no whole number of cells of {step_s:g} s.", "Cells are not split.", _NEXT)
    return cells


def _check_rates(*rates: float) -> None:
    for rate in rates:
        if not 0 <= rate < math.inf:
            raise LoadError(f"{rate:g} is no rate.", "Rates are finite and not below zero.", _NEXT)
