"""The comparison of latencies: its quantiles, its interval, and how often it cries wolf."""

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram

from reports.resample import BLOCK_S, blocks, holm, shift

WIDTH = 4000


def seconds(rng: np.random.Generator, count: int, scale: float = 1.0, each: int = 400) -> np.ndarray:
    """Per-second counts of lognormal latencies; a slow second is slow for all its requests."""
    out = np.zeros((count, WIDTH), dtype=np.int64)
    for row in out:
        slow = rng.lognormal(0.0, 0.2)
        values = np.minimum(rng.lognormal(5.0, 0.3, each) * slow * scale, WIDTH // 2 - 1).astype(int)
        np.add.at(row, values, 1)
    return out


def test_blocks_keep_every_count_and_the_rest_joins_the_last() -> None:
    counts = np.arange(7 * 2).reshape(7, 2)
    found = blocks(counts, 3)
    assert found.shape == (2, 2)
    assert found.tolist() == [counts[:3].sum(axis=0).tolist(), counts[3:].sum(axis=0).tolist()]


def test_the_ratio_is_that_of_the_librarys_percentiles() -> None:
    rng = np.random.default_rng(1)
    old, new = seconds(rng, 30), seconds(rng, 30, 1.5)
    library = []
    for counts in (old, new):
        histogram = HdrHistogram(1, 60_000_000, 3)
        for value, times in enumerate(counts.sum(axis=0)):
            if times:
                histogram.record_value(value, int(times))
        library.append(histogram.get_value_at_percentile(99.0))
    found = shift(old, new, 99.0)
    assert found is not None
    assert found.ratio == pytest.approx(library[1] / library[0], rel=1e-12)
    assert found.low < found.ratio < found.high
    assert found.blocks == 30 // BLOCK_S


def test_a_run_against_itself_shows_nothing() -> None:
    counts = seconds(np.random.default_rng(2), 24)
    found = shift(counts, counts, 99.0)
    assert found is not None
    assert (found.ratio, found.low, found.high, found.p_value) == (1.0, 1.0, 1.0, 1.0)


def test_a_real_slowdown_is_shown_and_its_interval_excludes_none() -> None:
    rng = np.random.default_rng(3)
    found = shift(seconds(rng, 60), seconds(rng, 60, 1.6), 99.0)
    assert found is not None
    assert found.p_value < 0.01
    assert 1.2 < found.low < 1.6 < found.high * 1.2


def test_equal_systems_differ_by_chance_no_more_often_than_they_say() -> None:
    rng = np.random.default_rng(4)
    pairs = [shift(seconds(rng, 30, each=60), seconds(rng, 30, each=60), 99.0) for _ in range(120)]
    false_alarms = sum(pair is not None and pair.p_value < 0.05 for pair in pairs)
    assert false_alarms <= 12  # 5 % of 120 is 6; beyond 12 with probability 0.01


def test_too_few_blocks_never_reach_the_level() -> None:
    rng = np.random.default_rng(5)
    found = shift(seconds(rng, 15), seconds(rng, 15, 5.0), 99.0)
    assert found is not None
    assert found.blocks == 5
    assert found.p_value == pytest.approx(2 / 32)


def test_nothing_counted_is_no_comparison() -> None:
    assert shift(np.zeros((3, 8), dtype=np.int64), np.ones((3, 8), dtype=np.int64), 50.0) is None
    assert shift(np.zeros((0, 8), dtype=np.int64), np.ones((3, 8), dtype=np.int64), 50.0) is None


def test_holm_adjusts_as_in_his_paper() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []
