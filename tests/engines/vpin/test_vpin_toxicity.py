"""VPIN against a share-by-share brute force; volume is exact, values bounded, and later bars change nothing earlier."""

import math
from statistics import NormalDist, pstdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.vpin.toxicity import Bucket, Toxicity, bought_share, normal_cdf

bar = st.tuples(st.integers(1, 400), st.integers(9_900, 10_100))
bars_of = st.lists(bar, min_size=1, max_size=40)


def brute_force(bars: list[tuple[int, int]], bucket: int, window: int) -> list[tuple[float, float | None]]:
    """Each share alone: its bar's share bought, buckets by counting shares, VPIN by summing the last n."""
    shares: list[float] = []
    changes: list[int] = []
    for i, (volume, price) in enumerate(bars):
        fraction = 0.5
        if i:
            changes.append(price - bars[i - 1][1])
            sigma = pstdev(changes) if len(changes) > 1 else 0.0
            fraction = NormalDist().cdf(changes[-1] / sigma) if sigma > 0 else 0.5
        shares += [fraction] * volume
    whole = len(shares) // bucket
    bought = [math.fsum(shares[i * bucket : (i + 1) * bucket]) for i in range(whole)]
    gaps = [abs((bucket - b) - b) for b in bought]
    return [
        (bought[i], None if i + 1 < window else math.fsum(gaps[i + 1 - window : i + 1]) / window / bucket)
        for i in range(whole)
    ]


def run(bars: list[tuple[int, int]], bucket: int, window: int) -> tuple[Toxicity, list[Bucket]]:
    state = Toxicity(bucket, window)
    return state, [closed for volume, price in bars for closed in state.add(volume, price)]


@settings(max_examples=150, deadline=None)
@given(bars_of, st.integers(1, 150), st.integers(1, 12))
def test_buckets_and_vpin_are_the_brute_force(bars: list[tuple[int, int]], bucket: int, window: int) -> None:
    state, made = run(bars, bucket, window)
    expected = brute_force(bars, bucket, window)
    assert [item.number for item in made] == list(range(len(expected)))
    for item, (bought, vpin) in zip(made, expected, strict=True):
        assert item.bought == pytest.approx(bought, abs=1e-6)
        assert (item.vpin is None) == (vpin is None)
        if vpin is not None:
            assert item.vpin == pytest.approx(vpin, abs=1e-9)
    assert state.closed * bucket + state.filled == state.total == sum(volume for volume, _ in bars)
    assert 0 <= state.filled < bucket


@settings(max_examples=60, deadline=None)
@given(bars_of, bars_of, st.integers(1, 150), st.integers(1, 12))
def test_what_comes_later_changes_nothing_earlier(
    bars: list[tuple[int, int]], later: list[tuple[int, int]], bucket: int, window: int
) -> None:
    _, made = run(bars, bucket, window)
    assert run(bars + later, bucket, window)[1][: len(made)] == made
    assert all(item.vpin is None or 0 <= item.vpin <= 1 for item in made)


def test_extremes() -> None:
    """All bought gives 1, half bought gives 0: with a step function for the CDF, and with a flat price."""
    state = Toxicity(10, 2)
    for price in (100, 101, 103, 104, 106):
        state.add(10, price, cdf=lambda z: float(z > 0))
    assert state.vpin() == 1.0
    flat = Toxicity(10, 2)
    made = [item for _ in range(5) for item in flat.add(10, 100)]
    assert [item.vpin for item in made] == [None, 0.0, 0.0, 0.0, 0.0]


def test_normal_cdf_and_classification() -> None:
    for z in (-8.0, -1.96, 0.0, 0.3, 5.0):
        assert normal_cdf(z) == pytest.approx(NormalDist().cdf(z), rel=1e-12)
    assert bought_share(2.0, 1.0) + bought_share(-2.0, 1.0) == pytest.approx(1.0)
    assert bought_share(5.0, 0.0) == 0.5


def test_the_running_sum_does_not_drift() -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    state = Toxicity(1_000_003, 50)
    for volume, price in zip(
        rng.integers(1, 4_000_000, 20_000).tolist(), rng.integers(1, 10**6, 20_000).tolist(), strict=True
    ):
        state.add(volume, price)
    assert state.imbalance == pytest.approx(math.fsum(state.imbalances), rel=1e-10)
