"""Performance of a series of returns by empyrical's conventions: simple returns, 252 days, ddof 1, no risk-free rate.

Arrays are float64 of shape (days,).  A figure that is undefined (no variance, too few days) is None.
"""

import msgspec
import numpy as np
import numpy.typing as npt

from engines.analytics.config import TRADING_DAYS
from engines.wire.bundle import Bars
from engines.wire.errors import DataError

Floats = npt.NDArray[np.float64]
_FLAT = 1e-12  # a standard deviation below this is rounding, not movement


class Against(msgspec.Struct, frozen=True):
    """One symbol against a benchmark, over the days that both have; alpha is annualised."""

    benchmark: str
    days: int
    beta: float | None
    alpha: float | None
    correlation: float | None


class Report(msgspec.Struct, frozen=True):
    """Performance of one symbol between two stored days, both included; returns are of adjusted closes."""

    symbol: str
    first: str
    last: str
    days: int
    total_return: float
    annual_return: float
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    max_drawdown: float
    calmar: float | None
    against: Against | None


class Correlation(msgspec.Struct, frozen=True):
    """How two symbols' daily returns move together on the days that both have.

    `now` is over the last `window` days; `least`, `most` and `mean` are of every window; `whole` over all days.
    `beta` is of `a` against `b` over the last window.
    """

    a: str
    b: str
    window: int
    first: str
    last: str
    days: int
    whole: float | None
    now: float | None
    beta: float | None
    least: float | None
    most: float | None
    mean: float | None


def simple_returns(close: Floats) -> Floats:
    """close[t] / close[t-1] - 1, one shorter than `close`."""
    return close[1:] / close[:-1] - 1


def total_return(returns: Floats) -> float:
    """Compounded."""
    return float(np.prod(1 + returns) - 1)


def annual_return(returns: Floats) -> float:
    """Compound annual growth rate; -1 when everything is lost."""
    end = 1 + total_return(returns)
    return float(end ** (TRADING_DAYS / returns.size) - 1) if end > 0 else -1.0


def volatility(returns: Floats) -> float | None:
    """Annualised standard deviation, ddof 1."""
    return float(returns.std(ddof=1)) * TRADING_DAYS**0.5 if returns.size > 1 else None


def sharpe(returns: Floats) -> float | None:
    """Annualised mean over standard deviation, ddof 1 (Sharpe 1994, risk-free rate 0)."""
    deviation = float(returns.std(ddof=1)) if returns.size > 1 else 0.0
    return float(returns.mean()) / deviation * TRADING_DAYS**0.5 if deviation > _FLAT else None


def sortino(returns: Floats) -> float | None:
    """Annualised mean over downside deviation: the root mean square of the negative returns over all days."""
    losses = np.minimum(returns, 0.0)
    downside = float(losses @ losses / returns.size) ** 0.5 if returns.size else 0.0
    return float(returns.mean()) / downside * TRADING_DAYS**0.5 if downside > _FLAT else None


def max_drawdown(returns: Floats) -> float:
    """The deepest fall below a former peak of the compounded value, at most 0; the start counts as a peak."""
    value = np.concatenate(([1.0], np.cumprod(1 + returns)))
    return float((value / np.maximum.accumulate(value)).min() - 1)


def beta(returns: Floats, benchmark: Floats) -> float | None:
    """Covariance with the benchmark over its variance."""
    moved = benchmark - benchmark.mean()
    variance = float(moved @ moved)
    return float(moved @ (returns - returns.mean())) / variance if variance > _FLAT**2 * moved.size else None


def alpha(returns: Floats, benchmark: Floats) -> float | None:
    """The annualised, compounded mean return that beta does not explain."""
    slope = beta(returns, benchmark)
    return float((1 + (returns - slope * benchmark).mean()) ** TRADING_DAYS - 1) if slope is not None else None


def correlation(a: Floats, b: Floats) -> float | None:
    """Pearson's."""
    left, right = a - a.mean(), b - b.mean()
    scale = float(left @ left) * float(right @ right)
    return float(left @ right) / scale**0.5 if scale > (_FLAT**2 * a.size) ** 2 else None


def rolling_correlation(a: Floats, b: Floats, window: int) -> Floats:
    """Pearson's over each `window` consecutive days, shape (days - window + 1,); NaN where one does not move."""
    a, b = a - a.mean(), b - b.mean()  # keeps the running sums small
    sums = [_running(x, window) for x in (a, b, a * a, b * b, a * b)]
    mean_a, mean_b = sums[0] / window, sums[1] / window
    variance_a, variance_b = sums[2] - sums[0] * mean_a, sums[3] - sums[1] * mean_b
    moving = (variance_a > _FLAT) & (variance_b > _FLAT)
    scale = np.sqrt(np.where(moving, variance_a * variance_b, 1.0))
    return np.where(moving, np.clip((sums[4] - sums[0] * mean_b) / scale, -1, 1), np.nan)


def report(bars: Bars, benchmark: Bars | None) -> Report:
    """Performance of `bars`.

    Raises:
        DataError: there are fewer than three days, of one or of both.
    """
    if len(bars) < 3:
        raise _too_few(bars.symbol, len(bars))
    found = simple_returns(bars.adj_close)
    yearly, drawdown = annual_return(found), max_drawdown(found)
    return Report(
        symbol=bars.symbol,
        first=str(bars.date[0]),
        last=str(bars.date[-1]),
        days=len(bars),
        total_return=total_return(found),
        annual_return=yearly,
        volatility=volatility(found),
        sharpe=sharpe(found),
        sortino=sortino(found),
        max_drawdown=drawdown,
        calmar=yearly / -drawdown if drawdown < 0 else None,
        against=None if benchmark is None else _against(bars, benchmark),
    )


def correlate(a: Bars, b: Bars, window: int) -> Correlation:
    """How `a` and `b` move together.

    Raises:
        DataError: they share fewer than `window` returns.
    """
    dates, left, right = aligned(a, b)
    if left.size < window:
        raise _too_few(f"{a.symbol} with {b.symbol}", left.size)
    rolling = rolling_correlation(left, right, window)
    defined = rolling[~np.isnan(rolling)]
    return Correlation(
        a=a.symbol,
        b=b.symbol,
        window=window,
        first=str(dates[0]),
        last=str(dates[-1]),
        days=left.size,
        whole=correlation(left, right),
        now=correlation(left[-window:], right[-window:]),
        beta=beta(left[-window:], right[-window:]),
        least=float(defined.min()) if defined.size else None,
        most=float(defined.max()) if defined.size else None,
        mean=float(defined.mean()) if defined.size else None,
    )


def aligned(a: Bars, b: Bars) -> tuple[npt.NDArray[np.datetime64], Floats, Floats]:
    """Dates and returns of the days that both have; a return spans the days in between that only one has.

    Raises:
        DataError: they share fewer than three days.
    """
    at = np.searchsorted(b.date, a.date)
    shared = np.flatnonzero(b.date[np.minimum(at, len(b) - 1)] == a.date) if len(b) else np.empty(0, np.intp)
    if shared.size < 3:
        raise _too_few(f"{a.symbol} with {b.symbol}", shared.size)
    return a.date[shared], simple_returns(a.adj_close[shared]), simple_returns(b.adj_close[at[shared]])


def _against(bars: Bars, benchmark: Bars) -> Against:
    _, own, other = aligned(bars, benchmark)
    return Against(benchmark.symbol, own.size, beta(own, other), alpha(own, other), correlation(own, other))


def _running(values: Floats, window: int) -> Floats:
    summed = np.concatenate(([0.0], np.cumsum(values)))
    return summed[window:] - summed[:-window]


def _too_few(symbol: str, days: int) -> DataError:
    return DataError(f"{symbol} has {days} days there.", "Too few for a figure.", "Widen the dates or the window.")
