"""Samples from stored daily bars: what is known at a day's close, and the log return of the day after.

Returns are of adjusted closes.  Features and target are in units of the day's own volatility (standard deviation of
the last 20 returns), so that quiet and wild years, and symbols, are comparable.
"""

import datetime as dt
import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from engines.ml.config import CONFIG, Daily
from engines.wire import bundle

Floats = npt.NDArray[np.float64]
FEATURES = ("return_1", "return_5", "return_20", "range_1", "volume_20", "volatility_trend")
LONG, SHORT = 60, 20  # days of the volatilities


@dataclass(frozen=True, eq=False)
class Samples:
    """Rows in date order; arrays of equal length, `x` is (rows, features).  `y` is NaN for a symbol's last day."""

    day: npt.NDArray[np.datetime64]
    next_day: npt.NDArray[np.datetime64]  # when the target is known
    x: Floats
    y: Floats  # log return of the next day / volatility
    volatility: Floats

    def where(self, mask: npt.NDArray[np.bool_]) -> "Samples":
        """The rows that `mask` chooses."""
        return Samples(self.day[mask], self.next_day[mask], self.x[mask], self.y[mask], self.volatility[mask])


@lru_cache(maxsize=16)
def samples_of(symbol: str) -> Samples:
    """One symbol's samples, from the day on which every feature is known.

    Raises:
        bundle.UnknownSymbol: no such symbol.
    """
    bars = bundle.bars(symbol)
    returns = np.diff(np.log(bars.adj_close), prepend=np.nan)
    volatility, slow = _std(returns, SHORT), _std(returns, LONG)
    volume = np.log(np.maximum(bars.volume, 1))
    usual, spread = _mean(volume, SHORT), _std(volume, SHORT)
    with np.errstate(divide="ignore", invalid="ignore"):  # a row that is not finite is left out below
        columns = (
            returns / volatility,
            _mean(returns, 5) * np.sqrt(5) / volatility,
            _mean(returns, SHORT) * np.sqrt(SHORT) / volatility,
            np.log(bars.high / bars.low) / volatility,
            (volume - usual) / spread,
            np.log(volatility / slow),
        )
        y = np.append(returns[1:], np.nan) / volatility
    x = np.column_stack(columns)
    next_day = np.append(bars.date[1:], bars.date[-1])
    return Samples(bars.date, next_day, x, y, volatility).where(np.isfinite(x).all(axis=1))


def pooled(symbols: tuple[str, ...]) -> Samples:
    """The samples of several symbols whose target is known, in date order."""
    parts = [samples_of(symbol) for symbol in symbols]
    names = ("day", "next_day", "x", "y", "volatility")
    whole = Samples(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
    order = np.argsort(whole.day, kind="stable")
    ordered = Samples(*(getattr(whole, name)[order] for name in names))
    return ordered.where(np.isfinite(ordered.y))


def split(config: Daily = CONFIG.daily) -> tuple[Samples, Samples]:
    """What is learnt from and what is judged on: the first's targets are known `embargo` days before the second."""
    whole = pooled(config.symbols)
    end = np.datetime64(config.train_end, "D")
    later = np.unique(whole.day[whole.day > end])
    first_test = later[min(config.embargo, later.size - 1)]
    return whole.where(whole.next_day <= end), whole.where(whole.day >= first_test)


def digest(config: Daily = CONFIG.daily) -> str:
    """sha256 of everything that training depends on: the samples, their features' names, the settings."""
    summed = hashlib.sha256(repr((FEATURES, config)).encode())
    for part in split(config):
        for array in (part.day, part.x, part.y):
            summed.update(np.ascontiguousarray(array).view(np.uint8).data)
    return summed.hexdigest()


def row_of(samples: Samples, day: dt.date) -> int | None:
    """The row of `day`; None when there is none."""
    row = int(samples.day.searchsorted(np.datetime64(day, "D")))
    return row if row < samples.day.size and samples.day[row].item() == day else None


def _mean(x: Floats, window: int) -> Floats:
    out = np.full(x.size, np.nan)
    out[window - 1 :] = np.lib.stride_tricks.sliding_window_view(x, window).mean(axis=1)
    return out


def _std(x: Floats, window: int) -> Floats:
    out = np.full(x.size, np.nan)
    out[window - 1 :] = np.lib.stride_tricks.sliding_window_view(x, window).std(axis=1, ddof=1)
    return out
