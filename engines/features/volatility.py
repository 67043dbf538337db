"""Daily volatility from stored bars, annualised: close-to-close and three range estimators.

With O, H, L, C of n days and log ranges:
- realised: mean of ln(C_t / C_(t-1))^2, mean taken as zero;
- Parkinson (1980): mean of ln(H/L)^2 / (4 ln 2);
- Garman and Klass (1980): mean of ln(H/L)^2 / 2 - (2 ln 2 - 1) ln(C/O)^2;
- Rogers and Satchell (1991): mean of ln(H/C) ln(H/O) + ln(L/C) ln(L/O).
Each variance is multiplied by 252 before the root.
"""

import datetime as dt
import math
from collections.abc import Callable
from typing import Literal

import msgspec
import numpy as np

from engines.wire import bundle
from engines.wire.errors import DataError

Estimator = Literal["realised", "parkinson", "garman-klass", "rogers-satchell"]
DAYS_A_YEAR = 252


class Volatility(msgspec.Struct, frozen=True):
    """An annualised volatility over `window` trading days ending on `date`."""

    symbol: str
    estimator: Estimator
    window: int
    date: dt.date
    volatility: float


def realised(bars: bundle.Bars) -> float:
    """Daily variance from closes (adjusted where there is an adjusted close); n + 1 bars give n returns."""
    closes = bars.close if np.isnan(bars.adj_close).any() else bars.adj_close
    return float(np.mean(np.diff(np.log(closes)) ** 2))


def parkinson(bars: bundle.Bars) -> float:
    """Daily variance from ranges, Parkinson (1980)."""
    return float(np.mean(np.log(bars.high / bars.low) ** 2) / (4 * math.log(2)))


def garman_klass(bars: bundle.Bars) -> float:
    """Daily variance from open, high, low, close, Garman and Klass (1980)."""
    body = np.log(bars.close / bars.open) ** 2
    return float(np.mean(np.log(bars.high / bars.low) ** 2 / 2 - (2 * math.log(2) - 1) * body))


def rogers_satchell(bars: bundle.Bars) -> float:
    """Daily variance that holds under any drift, Rogers and Satchell (1991)."""
    up = np.log(bars.high / bars.close) * np.log(bars.high / bars.open)
    down = np.log(bars.low / bars.close) * np.log(bars.low / bars.open)
    return float(np.mean(up + down))


_VARIANCE: dict[Estimator, Callable[[bundle.Bars], float]] = {
    "realised": realised,
    "parkinson": parkinson,
    "garman-klass": garman_klass,
    "rogers-satchell": rogers_satchell,
}


def volatility(symbol: str, estimator: Estimator, window: int, end: dt.date | None = None) -> Volatility:
    """Annualised volatility of the last `window` trading days up to `end` (inclusive; None: the last one stored).

    Raises:
        bundle.UnknownSymbol: no such symbol.
        DataError: fewer bars than the window needs.
    """
    needed = window + 1 if estimator == "realised" else window
    bars = bundle.bars(symbol, None, end)
    if len(bars) < needed:
        raise DataError(
            f"{symbol} has {len(bars)} bars up to {end or 'its last day'}.",
            f"{estimator} over {window} days needs {needed}.",
            "Ask for a shorter window or a later end.",
        )
    part = bars.before(bars.date[-1].item() + dt.timedelta(days=1), needed)
    variance = _VARIANCE[estimator](part)
    last: dt.date = part.date[-1].item()
    return Volatility(symbol, estimator, window, last, math.sqrt(DAYS_A_YEAR * max(variance, 0.0)))
