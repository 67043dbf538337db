"""The strategies' rules on the bundle's daily bars.  Prices are adjusted closes where there are any."""

import datetime as dt

import msgspec
import numpy as np
import numpy.typing as npt

from engines.strategy.rules import z_score
from engines.wire import bundle
from engines.wire.errors import DataError, UsageError


class Crossover(msgspec.Struct, frozen=True):
    """Moving averages on the last day, and the days on which the fast one crossed the slow one."""

    symbol: str
    date: str
    fast: float
    slow: float
    position: int  # +1 fast above slow, -1 below, 0 equal
    crossings: int  # within the last `days`
    last_crossing: str | None
    days: int


class Deviation(msgspec.Struct, frozen=True):
    """Bollinger z-score on the last day; None when the closes are all equal."""

    symbol: str
    date: str
    bars: int
    close: float
    z: float | None


def _closes(symbol: str, end: dt.date | None, count: int) -> tuple[npt.NDArray[np.float64], bundle.Dates]:
    """The last `count` closes up to `end`, and their dates.

    Raises:
        UnknownSymbol: the bundle does not hold it.
        DataError: there are fewer.
    """
    found = bundle.bars(symbol, None, end)
    if len(found) < count:
        raise DataError(
            f"{symbol} has {len(found)} bars there.", f"At least {count} are needed.", "Ask for fewer or a later end."
        )
    adjusted = found.adj_close[-count:]
    return (found.close[-count:] if np.isnan(adjusted).any() else adjusted), found.date[-count:]


def crossover(symbol: str, fast: int, slow: int, days: int, end: dt.date | None) -> Crossover:
    """Simple moving averages of `fast` and `slow` days, over the last `days`.

    Raises:
        UsageError: fast is not shorter than slow.
        UnknownSymbol, DataError: the bundle does not hold it, or not enough of it.
    """
    if fast >= slow:
        raise UsageError(f"fast={fast} is not shorter than slow={slow}.", "", "Give fast < slow.")
    closes, dates = _closes(symbol, end, slow + days)
    sums = np.concatenate(([0.0], np.cumsum(closes)))
    quick = (sums[slow:] - sums[slow - fast : -fast]) / fast
    calm = (sums[slow:] - sums[:-slow]) / slow
    above = np.sign(np.round(quick - calm, 9))
    held = above[above != 0]  # a touch without a crossing does not count
    at = dates[slow - 1 :][above != 0]
    crossed = np.flatnonzero(held[1:] != held[:-1]) + 1
    return Crossover(
        symbol=symbol,
        date=str(dates[-1]),
        fast=float(quick[-1]),
        slow=float(calm[-1]),
        position=int(above[-1]),
        crossings=int(crossed.size),
        last_crossing=str(at[crossed[-1]]) if crossed.size else None,
        days=days,
    )


def deviation(symbol: str, bars: int, end: dt.date | None) -> Deviation:
    """The z-score of the last close over `bars` days.

    Raises:
        UnknownSymbol, DataError: the bundle does not hold it, or not enough of it.
    """
    closes, dates = _closes(symbol, end, bars)
    return Deviation(symbol, str(dates[-1]), bars, float(closes[-1]), z_score(closes.tolist(), bars))
