"""Portfolio weights from daily bars: minimum variance, tangency and risk parity.

Returns are simple, close to close, adjusted, on the days that all symbols share; the covariance is the sample's
(ddof 1), annualised by 252.  Weights sum to one; the closed forms may go short.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from engines.wire import bundle
from engines.wire.covariance import covariance as sample_covariance
from engines.wire.errors import DataError, UsageError

Floats = npt.NDArray[np.float64]
Method = Literal["minimum-variance", "tangency", "risk-parity"]

YEAR = 252
SWEEPS = 200
PRECISION = 1e-12


class Weights(msgspec.Struct, frozen=True):
    """`weights` by symbol; `volatility` and `mean` are annual, `sharpe` at a riskless rate of 0.

    `contributions`: each symbol's share of the variance.
    """

    method: Method
    observations: int
    weights: dict[str, float]
    contributions: dict[str, float]
    volatility: float
    mean: float
    sharpe: float


def returns(symbols: Sequence[str], window: int, asof: dt.date | None) -> Floats:
    """The last `window` daily returns shared by all symbols up to `asof`: rows days, columns symbols.

    Raises:
        UnknownSymbol: the bundle has no such symbol.
        UsageError: a symbol is named twice, or fewer than two are named.
        DataError: they share fewer than `window` + 1 days.
    """
    if len(symbols) < 2 or len(set(symbols)) < len(symbols):
        raise UsageError("A portfolio needs two or more different symbols.", "", "For example: symbols=AAPL,IBM,MSFT")
    found = [bundle.bars(symbol, None, asof) for symbol in symbols]
    days = _shared([bars.date for bars in found], window + 1)
    if days.size < window + 1:
        raise DataError(
            f"{', '.join(symbols)} share {days.size} days up to {asof or 'their end'}.",
            f"A window of {window} returns needs {window + 1}.",
            "Choose a smaller window, a later day or other symbols.",
        )
    closes = np.column_stack([bars.adj_close[bars.date.searchsorted(days)] for bars in found])
    return closes[1:] / closes[:-1] - 1.0


def _shared(dates: Sequence[bundle.Dates], count: int) -> bundle.Dates:
    """The last `count` days that all share, fewer where there are fewer."""
    ends = [days[-count:] for days in dates]
    if all(np.array_equal(ends[0], end) for end in ends[1:]):
        return ends[0]
    days = dates[0]
    for other in dates[1:]:
        days = days[np.isin(days, other, assume_unique=True)]
    return days[-count:]


def solve(covariance: Floats, mean: Floats, method: Method) -> Floats:
    """Weights for a covariance matrix and mean returns.

    Raises:
        DataError: the covariance is singular, or the minimum-variance portfolio gains nothing: no tangency then.
    """
    if method == "risk-parity":
        return risk_parity(covariance)
    target = np.ones(mean.size) if method == "minimum-variance" else mean
    try:
        raw = np.linalg.solve(covariance, target)
    except np.linalg.LinAlgError as error:
        raise DataError("The covariance is singular.", "Symbols move together exactly.", "Leave one out.") from error
    total = float(raw.sum())
    if total <= PRECISION * float(np.abs(raw).sum()):
        why = "The minimum-variance portfolio gained nothing, so no portfolio touches the line from the riskless rate."
        raise DataError("There is no tangency portfolio.", why, "Choose another window.")
    return np.asarray(raw / total, np.float64)


def risk_parity(covariance: Floats) -> Floats:
    """Long-only weights whose contributions to the variance are equal.

    Minimises x'Cx/2 - sum(ln x) by cyclical coordinate descent (Griveau-Billion, Richard and Roncalli, 2013).
    """
    rows = covariance.tolist()  # plain floats: the matrices are tiny
    x = [1.0 / row[i] ** 0.5 for i, row in enumerate(rows)]
    for _ in range(SWEEPS):
        moved = 0.0
        for i, row in enumerate(rows):
            rest = sum(a * b for a, b in zip(row, x, strict=True)) - row[i] * x[i]
            new = (-rest + (rest * rest + 4.0 * row[i]) ** 0.5) / (2.0 * row[i])
            moved = max(moved, abs(new - x[i]) / new)
            x[i] = new
        if moved <= PRECISION:
            break
    total = sum(x)
    return np.array([value / total for value in x])


def efficient(
    symbols: Sequence[str],
    method: Method,
    window: int,
    asof: dt.date | None,
    compute: Callable[[Floats], Floats] = sample_covariance,
) -> Weights:
    """Weights of `symbols` and what they would have had; raises what `returns` and `solve` raise.

    `compute` makes the sample covariance of returns (days x symbols).
    """
    sample = returns(symbols, window, asof)
    covariance, means = compute(sample), sample.mean(axis=0)
    weights = solve(covariance, means, method)
    marginal = covariance @ weights
    variance = float(weights @ marginal)
    volatility = (variance * YEAR) ** 0.5
    mean = float(means @ weights) * YEAR
    return Weights(
        method=method,
        observations=len(sample),
        weights=dict(zip(symbols, weights.tolist(), strict=True)),
        contributions=dict(zip(symbols, (weights * marginal / variance).tolist(), strict=True)),
        volatility=volatility,
        mean=mean,
        sharpe=mean / volatility,
    )
