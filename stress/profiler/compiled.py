"""The kernels compiled by numba, serial and parallel; importing this imports numba.

Run in a process of its own: after a parallel kernel has run, a forked child aborts.
"""

import math
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from numba import prange, uint32

from engines.wire.covariance import compiled as compiled_covariance
from stress.profiler.kernels import CONFIDENCE, DRIFT, LOOKBACK, STEPS, VOLATILITY, WINDOW

Array = npt.NDArray[Any]
P = ParamSpec("P")
R = TypeVar("R")
_TURN = 2.0 * math.pi


def serial(function: Callable[P, R]) -> Callable[P, R]:
    """Compiled for one thread; the machine code is kept on disk."""
    return cast("Callable[P, R]", numba.njit(cache=True)(function))


def parallel(function: Callable[P, R]) -> Callable[P, R]:
    """Compiled for all threads of numba."""
    return cast("Callable[P, R]", numba.njit(cache=True, parallel=True)(function))


@serial
def hashed(x: np.uint32) -> np.uint32:
    """lowbias32 of one number."""
    x = uint32(uint32(x ^ (x >> uint32(16))) * uint32(0x7FEB352D))
    x = uint32(uint32(x ^ (x >> uint32(15))) * uint32(0x846CA68B))
    return uint32(x ^ (x >> uint32(16)))


@serial
def path_loss(numbers: Array) -> float:
    """The loss of one path."""
    total = 0.0
    for step in range(STEPS):
        number = uint32(numbers[step] * uint32(2))
        u = (hashed(number) + 0.5) * 2.0**-32
        v = (hashed(uint32(number + uint32(1))) + 0.5) * 2.0**-32
        total += math.sqrt(-2.0 * math.log(u)) * math.cos(_TURN * v)
    return 1.0 - math.exp(DRIFT * STEPS + VOLATILITY * total)


@serial
def tail(losses: Array) -> Array:
    """VaR and expected shortfall of losses, which it sorts."""
    losses.sort()
    start = math.ceil(round(CONFIDENCE * losses.size, 9)) - 1
    return np.array([losses[start], losses[start:].mean()])


@serial
def monte_carlo(numbers: Array, _: Array) -> Array:
    """See `kernels.monte_carlo`."""
    losses = np.empty(numbers.shape[0])
    for path in range(numbers.shape[0]):
        losses[path] = path_loss(numbers[path])
    return tail(losses)


@parallel
def monte_carlo_parallel(numbers: Array, _: Array) -> Array:
    """See `kernels.monte_carlo`; paths in parallel, sorted in one thread."""
    losses = np.empty(numbers.shape[0])
    for path in prange(numbers.shape[0]):
        losses[path] = path_loss(numbers[path])
    return tail(losses)


@serial
def bought_share(change: float, sigma: float) -> float:
    """Share of a bar's volume that was bought."""
    return 0.5 * math.erfc(-change / (sigma * math.sqrt(2.0)))


@serial
def buckets(volumes: Array, shares: Array, ends: Array) -> Array:
    """VPIN after each bucket from bars' volumes and bought shares, bar by bar."""
    size, count = ends[0], ends.size
    imbalances, found = np.empty(count), np.empty(count - WINDOW + 1)
    filled, bought, total = 0.0, 0.0, 0.0
    closed = 0
    for bar in range(volumes.size):
        left = volumes[bar]
        while left > 0.0 and closed < count:
            part = min(left, size - filled)
            filled += part
            bought += part * shares[bar]
            left -= part
            if filled == size:
                imbalances[closed] = abs(size - 2.0 * bought)
                total += imbalances[closed] - (imbalances[closed - WINDOW] if closed >= WINDOW else 0.0)
                closed += 1
                if closed >= WINDOW:
                    found[closed - WINDOW] = total / (WINDOW * size)
                filled, bought = 0.0, 0.0
    return found


@serial
def vpin(volumes: Array, changes: Array, ends: Array) -> Array:
    """See `kernels.vpin`; the error function is the exact one."""
    sigma = changes.std()
    shares = np.empty(volumes.size)
    for bar in range(volumes.size):
        shares[bar] = bought_share(changes[bar], sigma)
    return buckets(volumes, shares, ends)


@parallel
def vpin_parallel(volumes: Array, changes: Array, ends: Array) -> Array:
    """See `kernels.vpin`; bars are classified in parallel, laid into buckets in one thread."""
    sigma = changes.std()
    shares = np.empty(volumes.size)
    for bar in prange(volumes.size):
        shares[bar] = bought_share(changes[bar], sigma)
    return buckets(volumes, shares, ends)


@serial
def factor_bar(level: Array, bar: int, out: Array) -> None:
    """One bar of the factor, standardised across symbols, into a row."""
    symbols = level.shape[1]
    total = 0.0
    for symbol in range(symbols):
        momentum = level[bar + LOOKBACK, symbol] - level[bar, symbol]
        mean, square = momentum / LOOKBACK, 0.0
        for lag in range(LOOKBACK):
            away = level[bar + lag + 1, symbol] - level[bar + lag, symbol] - mean
            square += away * away
        out[symbol] = momentum / math.sqrt(square / (LOOKBACK - 1))
        total += out[symbol]
    mean, square = total / symbols, 0.0
    for symbol in range(symbols):
        out[symbol] -= mean
        square += out[symbol] ** 2
    scale = math.sqrt(square / symbols)
    for symbol in range(symbols):
        out[symbol] /= scale


@serial
def factor_panel(close: Array) -> Array:
    """See `kernels.factor_panel`."""
    level = np.log(close)
    out = np.empty((close.shape[0] - LOOKBACK, close.shape[1]))
    for bar in range(out.shape[0]):
        factor_bar(level, bar, out[bar])
    return out


@parallel
def factor_panel_parallel(close: Array) -> Array:
    """See `kernels.factor_panel`; bars in parallel."""
    level = np.log(close)
    out = np.empty((close.shape[0] - LOOKBACK, close.shape[1]))
    for bar in prange(out.shape[0]):
        factor_bar(level, bar, out[bar])
    return out


@serial
def dense(row: Array, weights: Array, bias: Array, floor: float, out: Array) -> None:
    """One row through one layer, cut off below `floor`."""
    for j in range(out.size):
        out[j] = bias[j]
    for i in range(row.size):
        for j in range(out.size):
            out[j] += row[i] * weights[i, j]
    for j in range(out.size):
        out[j] = max(out[j], floor)


@serial
def infer(  # noqa: PLR0913, PLR0917 - weights and biases of three layers
    row: Array, w1: Array, b1: Array, w2: Array, b2: Array, w3: Array, b3: Array, out: Array
) -> None:
    """One row through the network."""
    first, second = np.empty(b1.size), np.empty(b2.size)
    dense(row, w1, b1, 0.0, first)
    dense(first, w2, b2, 0.0, second)
    dense(second, w3, b3, -math.inf, out)
    for j in range(out.size):
        out[j] = math.tanh(out[j])


@serial
def network(rows: Array, w1: Array, b1: Array, w2: Array, b2: Array, w3: Array, b3: Array) -> Array:
    """See `kernels.network`."""
    out = np.empty((rows.shape[0], b3.size))
    for row in range(rows.shape[0]):
        infer(rows[row], w1, b1, w2, b2, w3, b3, out[row])
    return out


@parallel
def network_parallel(rows: Array, w1: Array, b1: Array, w2: Array, b2: Array, w3: Array, b3: Array) -> Array:
    """See `kernels.network`; rows in parallel."""
    out = np.empty((rows.shape[0], b3.size))
    for row in prange(rows.shape[0]):
        infer(rows[row], w1, b1, w2, b2, w3, b3, out[row])
    return out


@serial
def centre(sample: Array, column: int, out: Array) -> None:
    """One column less its mean."""
    mean = 0.0
    for t in range(out.size):
        mean += sample[t, column]
    mean /= out.size
    for t in range(out.size):
        out[t] = sample[t, column] - mean


@serial
def covariance_row(centred: Array, i: int, out: Array) -> None:
    """The lower half's row i of the matrix, mirrored."""
    days = centred.shape[1]
    for j in range(i + 1):
        total = 0.0
        for t in range(days):
            total += centred[i, t] * centred[j, t]
        out[i, j] = total / (days - 1)
        out[j, i] = out[i, j]


@parallel
def covariance_parallel(sample: Array) -> Array:
    """See `engines.wire.covariance`; rows of the matrix in parallel."""
    days, assets = sample.shape
    centred, out = np.empty((assets, days)), np.empty((assets, assets))
    for i in prange(assets):
        centre(sample, i, centred[i])
    for i in prange(assets):
        covariance_row(centred, i, out)
    return out


SERIAL: dict[str, Callable[..., Array]] = {
    "monte-carlo-var": monte_carlo,
    "vpin": vpin,
    "factor-panel": factor_panel,
    "network": network,
    "covariance": compiled_covariance(),
}
PARALLEL: dict[str, Callable[..., Array]] = {
    "monte-carlo-var": monte_carlo_parallel,
    "vpin": vpin_parallel,
    "factor-panel": factor_panel_parallel,
    "network": network_parallel,
    "covariance": covariance_parallel,
}
