"""Arrival times from a rate curve.  Pure: the same curve and seed give the same times."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def cumulative(rate: Floats, step_s: float) -> tuple[Floats, Floats]:
    """Knots (s) of the cell edges and the expected arrivals up to each, both of shape (cells + 1,)."""
    knots = np.arange(len(rate) + 1, dtype=np.float64) * step_s
    expected = np.concatenate(([0.0], np.cumsum(rate, dtype=np.float64) * step_s))
    return knots, expected


def even_arrivals(rate: Floats, step_s: float) -> Floats:
    """Deterministic arrivals: the k-th comes where the expected count reaches k + 1/2.

    rate: requests per second, constant within cells of `step_s` seconds, shape (cells,).
    Returns sorted seconds from the start.  Any window holds its expected count, give or take one.
    """
    knots, expected = cumulative(rate, step_s)
    count = round(expected[-1])
    times: Floats = np.interp(np.minimum(np.arange(count) + 0.5, expected[-1]), expected, knots)
    return times


def poisson_arrivals(rate: Floats, step_s: float, rng: np.random.Generator) -> Floats:
    """Arrivals of a Poisson process with the given rate curve, given its total count.

    The count is the rounded integral of the curve, so a plan's total is exact.  Given its count, a Poisson process
    is the order statistics of independent draws with density proportional to the rate (Cox and Lewis, 1966); uniform
    order statistics are the normalised partial sums of exponential gaps, so nothing is sorted.
    """
    knots, expected = cumulative(rate, step_s)
    count = round(expected[-1])
    sums = np.cumsum(rng.standard_exponential(count + 1))
    times: Floats = np.interp(sums[:-1] / sums[-1] * expected[-1], expected, knots)
    return times


def weighted_choices(weights: Floats, count: int, rng: np.random.Generator) -> NDArray[np.uint16]:
    """`count` indices drawn independently with the given weights (any positive scale), shape (count,)."""
    edges = np.cumsum(weights / weights.sum())
    drawn = np.searchsorted(edges, rng.random(count), side="right")
    return np.minimum(drawn, len(weights) - 1).astype(np.uint16)


def dealt(weights: Floats, count: int) -> NDArray[np.uint16]:
    """Indices 0..len(weights)-1 in order, each in proportion to its weight to within one; shape (count,)."""
    ends = np.cumsum(weights) / weights.sum()
    found = np.searchsorted(ends, (np.arange(count) + 0.5) / count)
    return np.minimum(found, len(weights) - 1).astype(np.uint16)
