"""Is one run's latency different from another's? Blocks of seconds, paired; bootstrap interval and permutation test.

Requests within a run are not independent: one slow second delays thousands of them. What is resampled is therefore the
block of consecutive seconds, and second k of one run is paired with second k of the other, since both follow the same
schedule. The interval is the percentile bootstrap of the ratio (Efron and Tibshirani, 1993, chapter 13) over pairs of
blocks; the test swaps the two runs' labels block by block (Fisher's randomisation test for pairs), so it is exact
whatever the distribution, and too few blocks can never show a difference.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from reports.latency import highest

Counts = NDArray[np.int64]
"""Seconds x HDR index."""
Floats = NDArray[np.float64]

BLOCK_S = 3
"""Backlogs of an open-model load last a second or two: blocks are longer than that."""
DRAWS = 2000
EXACT_BLOCKS = 10
"""Up to here all 2^blocks label swaps are counted; beyond, as many random ones as DRAWS."""


@dataclass(frozen=True)
class Shift:
    """The ratio (new / old) of one percentile: its 95 % interval, and the probability of as large a one by chance."""

    ratio: float
    low: float
    high: float
    p_value: float
    blocks: int


def blocks(seconds: Counts, length: int = BLOCK_S) -> Counts:
    """Sum consecutive seconds; a shorter rest joins the last block."""
    edges = np.arange(0, max(len(seconds) // length, 1) * length, length)
    return np.add.reduceat(seconds, edges, axis=0)


def shift(old: Counts, new: Counts, percentile: float, seed: int = 0) -> Shift | None:
    """Compare one percentile of two runs, given per second; None when either counted nothing.

    Only the seconds that both have are compared. The same seed gives the same answer.
    """
    width = max(old.shape[1], new.shape[1])
    length = min(len(old), len(new))
    if length == 0:
        return None
    a, b = (blocks(_widened(part[:length], width)) for part in (old, new))
    if not a.sum() or not b.sum():
        return None
    used = np.flatnonzero(a.sum(axis=0) + b.sum(axis=0))
    values = highest(used).astype(np.float64)
    pair = a[:, used].astype(np.float64), b[:, used].astype(np.float64)  # exact below 2^53, and much faster to multiply

    def log_ratio(of_old: Floats, of_new: Floats, crossed: Floats | None = None) -> Floats:
        """For each row of weights: which blocks count how often in the old and the new run."""
        left, right = of_old @ pair[0], of_new @ pair[1]
        if crossed is not None:
            left, right = left + crossed @ pair[1], right + crossed @ pair[0]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(_quantile(right, values, percentile)) - np.log(_quantile(left, values, percentile))

    rng = np.random.Generator(np.random.PCG64(seed))
    once = np.ones((1, len(a)))
    measured = log_ratio(once, once)[0]
    taken = rng.multinomial(len(a), np.full(len(a), 1 / len(a)), size=DRAWS).astype(np.float64)
    spread = log_ratio(taken, taken)
    low, high = np.quantile(spread[np.isfinite(spread)], (0.025, 0.975))
    swaps = _swaps(len(a), rng)
    chance = log_ratio(1 - swaps, 1 - swaps, swaps)
    p_value = float(np.mean(np.abs(chance) >= abs(measured) - 1e-12))
    return Shift(float(np.exp(measured)), float(np.exp(low)), float(np.exp(high)), p_value, len(a))


def holm(p_values: list[float]) -> list[float]:
    """Holm's (1979) adjustment for many tests at once, in the order given."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, place in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = running
    return adjusted


def _widened(counts: Counts, width: int) -> Counts:
    return np.pad(counts, ((0, 0), (0, width - counts.shape[1])))


def _quantile(counts: Floats, values: Floats, percentile: float) -> Floats:
    """One percentile of each row, the way that HDR histograms count ranks; NaN for a row that counted nothing."""
    totals = counts.sum(axis=1)
    ranks = np.maximum(1.0, np.floor(percentile * totals / 100.0 + 0.5))
    places = (np.cumsum(counts, axis=1) < ranks[:, None]).sum(axis=1)
    return np.where(totals > 0, values[np.minimum(places, values.size - 1)], np.nan)


def _swaps(count: int, rng: np.random.Generator) -> Floats:
    """Label swaps, the identity among them."""
    if count <= EXACT_BLOCKS:
        return np.array(list(product((0.0, 1.0), repeat=count)))
    drawn = rng.integers(0, 2, size=(DRAWS, count)).astype(np.float64)
    drawn[0] = 0.0
    return drawn
