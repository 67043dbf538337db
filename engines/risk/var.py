"""Value at risk and expected shortfall of one symbol from its daily bars.

Conventions. Returns are simple, close to close, adjusted for splits and dividends where the bundle has adjusted closes.
A loss is positive, as a fraction of the holding, over one trading day, for one unit held long.
- `historical`: the (1 - c) quantile with linear interpolation (Hyndman and Fan's type 7); the shortfall is the mean of
  the lowest int((n - 1)(1 - c)) + 1 returns. The two do not share one estimator.
- `parametric`: normal with the sample's mean and standard deviation (ddof 1).
- `ewma`: normal with mean 0 and RiskMetrics' (1996) variance, decay 0.94, weights normalised over the window.
"""

import datetime as dt
from statistics import NormalDist
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from engines.wire import bundle
from engines.wire.errors import DataError

Floats = npt.NDArray[np.float64]
Method = Literal["historical", "parametric", "ewma"]

DECAY = 0.94
NORMAL = NormalDist()


class Tail(msgspec.Struct, frozen=True):
    """Losses as positive fractions; `var` may be negative where even the tail gains."""

    var: float
    es: float


def daily_returns(symbol: str, window: int, asof: dt.date | None) -> Floats:
    """The last `window` daily returns up to `asof` (the last bar when None).

    Raises:
        UnknownSymbol: the bundle has no such symbol.
        DataError: there are fewer than `window` returns.
    """
    found = bundle.bars(symbol, None, asof)
    if len(found) < window + 1:
        raise DataError(
            f"{symbol} has {len(found)} bars up to {asof or 'its end'}.",
            f"A window of {window} returns needs {window + 1}.",
            "Choose a smaller window or a later day.",
        )
    close = found.adj_close[-window - 1 :]
    if not np.isfinite(close).all():
        close = found.close[-window - 1 :]
    return close[1:] / close[:-1] - 1.0


def tail(returns: Floats, confidence: float, method: Method) -> Tail:
    """VaR and expected shortfall of `returns` (n >= 2) at `confidence` in (0, 1)."""
    if method == "historical":
        return _historical(returns, round(1.0 - confidence, 12))  # 1 - 0.9 must be 0.1
    if method == "parametric":
        return _normal(float(returns.mean()), float(returns.std(ddof=1)), confidence)
    weights = DECAY ** np.arange(returns.size - 1, -1, -1)
    variance = float(np.dot(weights, returns**2) / weights.sum())
    return _normal(0.0, variance**0.5, confidence)


def _historical(returns: Floats, cutoff: float) -> Tail:
    """The empirical quantile, and the mean of what lies at or below its place."""
    ordered = np.sort(returns)
    place = (ordered.size - 1) * cutoff
    below = int(place)
    above = min(below + 1, ordered.size - 1)
    quantile = ordered[below] + (place - below) * (ordered[above] - ordered[below])
    return Tail(-float(quantile), -float(ordered[: below + 1].mean()))


def _normal(mean: float, deviation: float, confidence: float) -> Tail:
    """Closed forms: VaR = z s - m, ES = s phi(z) / (1 - c) - m."""
    z = NORMAL.inv_cdf(confidence)
    return Tail(z * deviation - mean, deviation * NORMAL.pdf(z) / (1.0 - confidence) - mean)
