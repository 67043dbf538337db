"""Ridge regression in closed form, its penalty chosen by purged walk-forward.

beta = (Z'Z / n + penalty I)^-1 Z'(y - mean y) / n on standardised features Z (Hoerl and Kennard 1970).
Purging and embargo follow Lopez de Prado (2018), chapter 7: nothing whose target overlaps the judged days is learnt.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from engines.ml.config import CONFIG, Daily
from engines.ml.dataset import Floats, Samples

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Ridge:
    """A fitted model: forecasts are `intercept + (x - centre) / scale @ beta`."""

    centre: Floats
    scale: Floats
    beta: Floats
    intercept: float
    penalty: float

    def predict(self, x: Floats) -> Floats:
        """Forecasts of rows (rows, features), in units of volatility."""
        return self.intercept + (x - self.centre) / self.scale @ self.beta


def fit(x: Floats, y: Floats, penalty: float) -> Ridge:
    """The least-squares fit with an L2 penalty on standardised features."""
    centre, scale = x.mean(axis=0), x.std(axis=0)
    z, middle = (x - centre) / scale, float(y.mean())
    gram = z.T @ z / y.size + penalty * np.eye(x.shape[1])
    return Ridge(centre, scale, np.linalg.solve(gram, z.T @ (y - middle) / y.size), middle, penalty)


def walk_forward(samples: Samples, folds: int, embargo: int) -> Iterator[tuple[Mask, Mask]]:
    """(learnt, judged) of each fold: an expanding past, then the next stretch of days.

    A sample is learnt from only if its target is known more than `embargo` trading days before the stretch begins.
    """
    days = np.unique(samples.day)
    bounds = np.linspace(0, days.size, folds + 2).astype(int)[1:]
    for start, end in pairwise(bounds):
        cut = days[max(0, start - embargo)]
        judged = (samples.day >= days[start]) & (samples.day <= days[end - 1])
        yield samples.next_day < cut, judged


def choose(samples: Samples, config: Daily = CONFIG.daily) -> float:
    """The penalty with the smallest mean squared error over the folds."""
    errors = np.zeros(len(config.penalties))
    for learnt, judged in walk_forward(samples, config.folds, config.embargo):
        for i, penalty in enumerate(config.penalties):
            model = fit(samples.x[learnt], samples.y[learnt], penalty)
            errors[i] += float(np.mean((samples.y[judged] - model.predict(samples.x[judged])) ** 2))
    return config.penalties[int(errors.argmin())]


def train(samples: Samples, config: Daily = CONFIG.daily) -> Ridge:
    """The model: penalty by walk-forward, then a fit on all of `samples`."""
    return fit(samples.x, samples.y, choose(samples, config))
