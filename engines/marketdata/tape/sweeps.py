"""How many prints an arrival makes at its timestamp: mostly one, sometimes a sweep with a heavy-tailed number."""

import numpy as np
import numpy.typing as npt

from engines.wire.errors import UsageError
from engines.wire.scenario import Sweeps

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def mean_prints(sweeps: Sweeps, y: Floats) -> Floats:
    """Mean number of prints of an arrival at stress ``y``."""
    found: Floats = sweeps.mean * (sweeps.mean_peak / sweeps.mean) ** y
    return found


def step_chance(sweeps: Sweeps, y: Floats) -> Floats:
    """Probability that the next print of a sweep is one tick further, at stress ``y``."""
    found: Floats = sweeps.step * (sweeps.step_peak / sweeps.step) ** y
    return found


def draw(sweeps: Sweeps, y: Floats, rng: np.random.Generator) -> Ints:
    """Prints of each arrival, whose mean at stress ``y`` is ``mean_prints`` exactly.

    One print, or with probability (mean - 1) / (mean of a sweep - 1) a sweep of S in 2..most(y), P(S) ~ S^-tail. Raises
    ``UsageError`` where that would exceed 1.
    """
    mean = mean_prints(sweeps, y)
    if sweeps.mean == sweeps.mean_peak == 1:
        return np.ones(y.size, np.int64)
    sizes = np.arange(2, sweeps.most + 1)
    weights = sizes**-sweeps.tail
    cumulated, moments = np.cumsum(weights), np.cumsum(weights * sizes)
    most = np.rint(sweeps.most * (sweeps.most_peak / sweeps.most) ** y).astype(np.int64) - 2
    chance = (mean - 1) / (moments[most] / cumulated[most] - 1)
    if chance.size and chance.max() > 1:
        raise UsageError(
            "The sweeps cannot have so many prints.",
            "At some stress even a sweep on every arrival gives fewer than the mean that is asked for.",
            "Lower sweeps.mean, or raise sweeps.most and sweeps.most_peak.",
        )
    prints = np.ones(y.size, np.int64)
    swept = np.flatnonzero(rng.random(y.size) < chance)
    prints[swept] = 2 + np.searchsorted(cumulated, rng.random(swept.size) * cumulated[most[swept]], side="right")
    return prints
