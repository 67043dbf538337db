"""The five kernels that are timed, written once for every array library that speaks numpy's language.

Inputs come from seeded generators, so that every device computes the same; numpy's result is the reference.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engines.wire import covariance as covariances

Array = npt.NDArray[Any]
Library = ModuleType  # numpy, cupy or mlx.core: the same names, each with its own arrays
Foreign = Any  # an array of such a library

STEPS = 10  # trading days of a path
DRIFT, VOLATILITY = 0.0003, 0.012  # of a day, of the logarithm
CONFIDENCE = 0.99
WINDOW = 50  # buckets of one VPIN
BARS_A_BUCKET = 5  # on average
LOOKBACK, BARS = 20, 252  # bars of a factor's window, of its panel
LAYERS = (64, 128, 128, 1)


class Kernel(NamedTuple):
    """One computation.  `size` is what `unit` counts; a result is right within `tolerance`, relative to the largest
    value of numpy's, or within `single` where the device computes in single precision.
    """

    name: str
    title: str
    unit: str
    quick: tuple[int, ...]
    full: tuple[int, ...]
    tolerance: float
    single: float
    threaded: bool  # numpy gives it to a matrix library, which has threads
    inputs: Callable[[int], tuple[Array, ...]]
    compute: Callable[..., Foreign]  # (library, *inputs) -> result


def deviation(result: Array, reference: Array) -> float:
    """The largest deviation from the reference over its largest value; infinite where shapes or NaNs differ."""
    if result.shape != reference.shape:
        return math.inf
    known = np.isfinite(reference)
    if not np.array_equal(known, np.isfinite(result)):
        return math.inf
    if not known.any():
        return 0.0
    scale = float(np.abs(reference[known]).max())
    gap = float(np.abs(result[known] - reference[known]).max())
    return gap / scale if scale > 0 else gap


def path_numbers(size: int) -> tuple[Array, ...]:
    """The numbers of `size` paths' steps; what is random is made of them."""
    return (np.arange(size * STEPS, dtype=np.uint32).reshape(size, STEPS), np.zeros(1))


def monte_carlo(xp: Library, numbers: Foreign, kind: Foreign) -> Foreign:
    """VaR and expected shortfall at 99 % of a lognormal holding after ten days, by simulated paths.

    Random bits are a hash of each step's number (two rounds of multiply and shift, Wellons' lowbias32), normals by
    Box and Muller: every device draws the same.  VaR is the order statistic ceil(c n).  `kind`: of the results' type.
    """
    first, second = _hashed(xp, numbers * 2), _hashed(xp, numbers * 2 + 1)
    u, v = ((bits.astype(kind.dtype) + 0.5) * 2.0**-32 for bits in (first, second))
    normal = xp.sqrt(xp.log(u) * -2.0) * xp.cos(v * (2.0 * math.pi))
    losses = xp.sort(1.0 - xp.exp(DRIFT * STEPS + VOLATILITY * normal.sum(axis=1)))
    tail = losses[tail_start(losses.shape[0]) :]
    return xp.stack([tail[0], tail.mean()])


def tail_start(paths: int) -> int:
    """Place of the order statistic that is the VaR of so many sorted losses."""
    return math.ceil(round(CONFIDENCE * paths, 9)) - 1


def _hashed(xp: Library, x: Foreign) -> Foreign:
    """Well mixed 32 bits of each number: products wrap around."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = (x ^ (x >> shift)) * xp.array([factor], dtype=xp.uint32)
    return x ^ (x >> 16)


def time_bars(size: int) -> tuple[Array, ...]:
    """Volumes (whole shares) and price changes of `size` time bars, and the ends of the buckets."""
    random = np.random.default_rng(size)
    volumes = random.integers(1, 2_000, size).astype(np.float64)
    changes = np.round(random.standard_t(4, size) * 3.0)
    bucket = float(1_000 * BARS_A_BUCKET)
    ends = np.arange(1.0, float(volumes.sum()) // bucket + 1.0) * bucket
    return volumes, changes, ends


def vpin(xp: Library, volumes: Foreign, changes: Foreign, ends: Foreign) -> Foreign:
    """VPIN after each bucket from the 50th on (Easley, Lopez de Prado and O'Hara, 2012).

    Bulk volume classification with the standard deviation of all changes; a bar that straddles buckets is split.
    """
    sigma = xp.sqrt(((changes - changes.mean()) ** 2).mean())
    total = xp.cumsum(volumes)
    bought = xp.cumsum(volumes * normal_cdf(xp, changes / sigma))
    nothing = total[:1] * 0.0
    place = xp.searchsorted(total, ends)
    before, bought_before = xp.concatenate([nothing, total])[place], xp.concatenate([nothing, bought])[place]
    share = (ends - before) / (total[place] - before)
    until = xp.concatenate([nothing, bought_before + share * (bought[place] - bought_before)])
    imbalance = xp.abs(ends[0] - 2.0 * (until[1:] - until[:-1]))
    sums = xp.concatenate([nothing, xp.cumsum(imbalance)])
    return (sums[WINDOW:] - sums[:-WINDOW]) / (WINDOW * ends[0])


def normal_cdf(xp: Library, z: Foreign) -> Foreign:
    """Standard normal distribution function, within 7.5e-8 (Abramowitz and Stegun, 26.2.17)."""
    t = 1.0 / (1.0 + 0.2316419 * xp.abs(z))
    poly = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    upper = xp.exp(-0.5 * z * z) * (1.0 / math.sqrt(2.0 * math.pi)) * poly
    return xp.where(z > 0, 1.0 - upper, upper)


def price_panel(size: int) -> tuple[Array, ...]:
    """Closes of `size` symbols over a year and the factor's window: bars x symbols."""
    random = np.random.default_rng(size)
    return (100.0 * np.exp(np.cumsum(random.normal(0.0, 0.015, (BARS + LOOKBACK, size)), axis=0)),)


def factor_panel(xp: Library, close: Foreign) -> Foreign:
    """Twenty-bar momentum over twenty-bar volatility (ddof 1), standardised across symbols at each bar."""
    level = xp.log(close)
    steps = level[1:] - level[:-1]
    momentum = level[LOOKBACK:] - level[:-LOOKBACK]
    bars = momentum.shape[0]
    mean = momentum * (1.0 / LOOKBACK)
    square = mean * 0.0
    for lag in range(LOOKBACK):
        square = square + (steps[lag : lag + bars] - mean) ** 2
    signal = momentum / xp.sqrt(square * (1.0 / (LOOKBACK - 1)))
    away = signal - signal.mean(axis=1, keepdims=True)
    return away / xp.sqrt((away * away).mean(axis=1, keepdims=True))


def network_inputs(size: int) -> tuple[Array, ...]:
    """`size` rows of features, then weights and biases of each layer."""
    random = np.random.default_rng(size)
    parts: list[Array] = [random.normal(size=(size, LAYERS[0]))]
    for wide, narrow in pairwise(LAYERS):
        parts += [random.normal(0.0, wide**-0.5, (wide, narrow)), random.normal(0.0, 0.1, narrow)]
    return tuple(parts)


def network(xp: Library, rows: Foreign, *layers: Foreign) -> Foreign:
    """Inference of a small network: two rectified layers of 128 and a hyperbolic tangent."""
    w1, b1, w2, b2, w3, b3 = layers
    first = xp.maximum(rows @ w1 + b1, 0.0)
    second = xp.maximum(first @ w2 + b2, 0.0)
    return xp.tanh(second @ w3 + b3)


def returns(size: int) -> tuple[Array, ...]:
    """Daily returns of `size` assets with a common factor: days x assets."""
    random = np.random.default_rng(size)
    market = random.normal(0.0, 0.01, (covariances.ROWS, 1))
    return (market + random.normal(0.0003, 0.012, (covariances.ROWS, size)),)


def covariance(_: Library, sample: Foreign) -> Foreign:
    """The engines' own sample covariance (250 days)."""
    return covariances.covariance(sample)


KERNELS: tuple[Kernel, ...] = (
    Kernel("monte-carlo-var", "Monte Carlo VaR", "paths", (1_000, 10_000, 100_000), (1_000, 10_000, 100_000, 300_000),
           1e-9, 1e-3, False, path_numbers, monte_carlo),
    Kernel("vpin", "VPIN", "time bars", (1_000, 10_000, 100_000), (1_000, 10_000, 100_000, 1_000_000),
           2e-6, 1e-3, False, time_bars, vpin),
    Kernel("factor-panel", "Factor panel", "symbols", (4, 40, 400), (4, 40, 400, 2_000),
           1e-9, 1e-3, False, price_panel, factor_panel),
    Kernel("network", "Network inference", "rows", (1, 32, 1_024), (1, 32, 1_024, 8_192),
           1e-9, 1e-3, True, network_inputs, network),
    Kernel(covariances.KERNEL, "Covariance matrix", "assets", (3, 30, 300), (3, 10, 30, 100, 300, 1_000),
           1e-9, 1e-3, True, returns, covariance),
)  # fmt: skip
