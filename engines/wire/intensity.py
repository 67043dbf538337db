"""How busy the market is through a scenario's day: the tick intensity and the stress that follow from it.

The day is U-shaped; the crash adds a broad shoulder and a narrow spike around the low, the spike sized so that the mean
rate of the last five seconds before the low is ``peak`` times the mean rate of the calm hours.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engines.wire.errors import UsageError
from engines.wire.scenario import Scenario
from engines.wire.session import SESSION_S, session_s
from engines.wire.silences import silences

GRID_S = 0.1
CELLS = 234_000  # SESSION_S / GRID_S
PEAK_S = 5.0  # length of the interval before the low over which the peak rate is a mean
# The calm day's U shape: height in calm rates and e-folding seconds of the opening and of the closing rush.
OPENING, OPENING_S = 1.2, 1_800.0
CLOSING, CLOSING_S = 0.8, 1_200.0

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Intensity:
    """The day on a grid of 0.1 s: ``grid``, ``lam`` and ``y`` have one value per cell, read-only."""

    grid: Floats  # middle of the cell, market seconds after the open
    lam: Floats  # expected ticks per market second, all instruments together; 0 in the real day's halts
    y: Floats  # stress in [0, 1]: log of the rate over the calm rate, 1 at the peak ratio; 0 in a halt
    lam0: float  # mean rate of the calm hours, ticks per second

    def stress_at(self, seconds: float) -> float:
        """Stress at a market time in seconds after the open, held at the ends of the session."""
        cell = min(max(int(seconds / GRID_S), 0), self.y.size - 1)
        return float(self.y[cell])


def intensity(scenario: Scenario) -> Intensity:
    """The day's intensity, scaled so that its integral is ``scenario.ticks``.

    Raises ``UsageError`` when the shoulder alone already exceeds the peak ratio.
    """
    activity = scenario.activity
    grid: Floats = (np.arange(CELLS, dtype=np.float64) + 0.5) * GRID_S
    day = 1 + OPENING * np.exp(-grid / OPENING_S) + CLOSING * np.exp(-(SESSION_S - grid) / CLOSING_S)
    d = grid - scenario.t_low
    base = day + activity.shoulder * _bump(d, activity.shoulder_up_s, activity.shoulder_down_s)
    narrow = _bump(d, activity.narrow_up_s, activity.narrow_down_s)
    halted = _halted(scenario, grid)
    calm = (grid > session_s(activity.calm_from)) & (grid < session_s(activity.calm_to)) & ~halted
    top = (d > -PEAK_S) & (d <= 0)
    height = (activity.peak * base[calm].mean() - base[top].mean()) / (
        narrow[top].mean() - activity.peak * narrow[calm].mean()
    )
    if height < 0:
        raise UsageError(
            f"No spike gives {scenario.name} a peak ratio of {activity.peak:g}.",
            "The shoulder, or calm hours that overlap the spike, already exceed it.",
            "Raise activity.peak, lower activity.shoulder, or move the calm hours.",
        )
    lam = np.where(halted, 0.0, base + height * narrow)
    lam *= scenario.ticks / (lam.sum() * GRID_S)
    lam0 = float(lam[calm].mean())
    y = np.clip(np.log(np.maximum(lam / lam0, 1.0)) / np.log(activity.peak), 0.0, 1.0)
    for column in (grid, lam, y):
        column.flags.writeable = False
    return Intensity(grid, lam, y, lam0)


def _halted(scenario: Scenario, grid: Floats) -> npt.NDArray[np.bool_]:
    """The cells of the real day's market-wide halts."""
    halted = np.zeros(grid.size, np.bool_)
    for start, end in silences(scenario):
        halted |= (grid > start) & (grid < end)
    return halted


def _bump(d: Floats, up_s: float, down_s: float) -> Floats:
    """exp(d / up) before 0, exp(-d / down) after."""
    return np.exp(np.where(d < 0, d / up_s, -d / down_s))
