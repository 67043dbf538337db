"""Haircuts of securities given as collateral, from daily bars.

The haircut is the loss over `horizon` trading days that was exceeded in a share 1 - c of the overlapping periods of the
window: the (1 - c) quantile with linear interpolation, turned to a loss, and at least the configured floor.
"""

import datetime as dt

import msgspec
import numpy as np
import numpy.typing as npt

from engines.collateral.config import CONFIG
from engines.wire import bundle
from engines.wire.errors import DataError


class Haircut(msgspec.Struct, frozen=True):
    """Fractions of market value; `value` is what a unit of market value counts for."""

    symbol: str
    confidence: float
    horizon: int
    window: int
    haircut: float
    value: float
    worst: float


def haircut(symbol: str, confidence: float, horizon: int, window: int, asof: dt.date | None) -> Haircut:
    """The haircut of `symbol` over its last `window` overlapping periods up to `asof` (its last bar when None).

    Raises:
        UnknownSymbol: the bundle has no such symbol.
        DataError: there are too few bars.
    """
    found = bundle.bars(symbol, None, asof)
    if len(found) < window + horizon:
        raise DataError(
            f"{symbol} has {len(found)} bars up to {asof or 'its end'}.",
            f"{window} periods of {horizon} days need {window + horizon}.",
            "Choose a smaller window or a later day.",
        )
    close = found.adj_close[-window - horizon :]
    moves = close[horizon:] / close[:-horizon] - 1.0
    floor = CONFIG.haircut_floor_percent / 100
    cut = min(1.0, max(floor, -quantile(moves, round(1.0 - confidence, 12))))
    return Haircut(symbol, confidence, horizon, window, cut, 1.0 - cut, -float(moves.min()))


def quantile(sample: npt.NDArray[np.float64], share: float) -> float:
    """Linear interpolation between order statistics (Hyndman and Fan's type 7)."""
    ordered = np.sort(sample)
    place = (ordered.size - 1) * share
    below = int(place)
    above = min(below + 1, ordered.size - 1)
    return float(ordered[below] + (place - below) * (ordered[above] - ordered[below]))
