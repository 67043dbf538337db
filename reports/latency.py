"""HDR histogram logs: reading them and taking percentiles of their merged counts.

The log format is HdrHistogram's 1.2 (interval lines of start, length, maximum, V2 compressed histogram); percentiles
follow the library: the highest value equivalent to the one at the rank, three significant digits.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from numpy.typing import NDArray

from reports.seal import LATENCY

PER_MS: Mapping[str, float] = {"ns": 1e6, "us": 1e3, "ms": 1.0}
_HALF = 1024
"""Sub-buckets per doubling at three significant digits: indices below 2 x 1024 count single units."""


@dataclass(frozen=True)
class Interval:
    """One line of a log: its start in seconds as logged, and counts by HDR index (three digits, unit one)."""

    start_s: float
    counts: NDArray[np.int64]


@dataclass(frozen=True)
class Distribution:
    """Percentiles of merged histograms in milliseconds."""

    count: int
    mean_ms: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float


Logs = Mapping[str, tuple[Interval, ...]]
"""Intervals by the log's path relative to the run folder; an unreadable log is absent."""


def read_logs(folder: Path) -> Logs:
    """All logs of ``folder/latency``. A log that cannot be decoded is left out, so that its figures are unknown."""
    logs: dict[str, tuple[Interval, ...]] = {}
    for path in sorted((folder / LATENCY).glob("*.hlog")):
        try:
            logs[f"{LATENCY}/{path.name}"] = _read(path)
        except Exception:  # noqa: S112 - hdrh raises bare struct, zlib, index and type errors of its own
            continue
    return logs


def merge(intervals: Iterable[Interval], unit: str) -> Distribution | None:
    """Percentiles over all intervals; None when nothing was counted."""
    merged = _sum([interval.counts for interval in intervals])
    total = int(merged.sum())
    if total == 0:
        return None
    indices = np.flatnonzero(merged)
    lowest, width = _bounds(indices)
    counts = merged[indices]
    cumulative = np.cumsum(counts)
    per_ms = PER_MS[unit]

    def at(percentile: float) -> float:
        rank = max(1, int(percentile * total / 100.0 + 0.5))
        place = int(np.searchsorted(cumulative, rank))
        return float(lowest[place] + width[place] - 1) / per_ms

    mean = float(np.dot(counts, lowest + width // 2)) / total / per_ms
    return Distribution(total, mean, at(50.0), at(99.0), at(99.9), at(100.0))


def highest(indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """The highest value that each HDR index stands for, in the log's unit: what a percentile is reported as."""
    lowest, width = _bounds(indices)
    return lowest + width - 1


def _sum(counts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    merged = np.zeros(max((len(item) for item in counts), default=0), dtype=np.int64)
    for item in counts:
        merged[: len(item)] += item
    return merged


def _bounds(indices: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lowest value and width of each HDR index."""
    shift = np.maximum(indices // _HALF - 1, 0)
    sub = indices - shift * _HALF
    return sub << shift, np.left_shift(np.ones_like(shift), shift)


def _read(path: Path) -> tuple[Interval, ...]:
    reader = HistogramLogReader(str(path), HdrHistogram(1, 2, 3))
    intervals: list[Interval] = []
    with reader.input_file:
        while (histogram := reader.get_next_interval_histogram()) is not None:
            if histogram.unit_magnitude != 0 or histogram.sub_bucket_half_count != _HALF:
                raise ValueError(f"{path.name} is not a log of unit one and three digits")
            counts = np.asarray(histogram.counts, dtype=np.int64)
            intervals.append(Interval(histogram.get_start_time_stamp() / 1000.0, counts))
    return tuple(intervals)
