"""Times folded into HDR histograms, off the hot path, and written as HdrHistogram interval logs."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader, HistogramLogWriter
from numpy.typing import NDArray

from stress.load.result import Percentiles

LOWEST_US, HIGHEST_US, DIGITS = 1, 60_000_000, 3
MAX_UNIT = 1000.0  # a log line shows its largest value in milliseconds
SUB_BUCKET_BITS = 11  # of 3 significant digits: 2 * 10**3 rounded up to a power of two

Ints = NDArray[np.int64]


def empty_histogram() -> HdrHistogram:
    """1 us to 60 s with 3 significant digits."""
    return HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)


def equivalent(us: Ints) -> Ints:
    """The lowest value that an HDR histogram of 3 digits cannot tell from each of `us`.

    Recording one value of each class with its count is the same as recording all, and far fewer calls.
    """
    clipped = np.clip(us, LOWEST_US, HIGHEST_US)
    bits = np.frexp(clipped.astype(np.float64))[1]  # exact: values are far below 2**53
    shift = np.maximum(bits - SUB_BUCKET_BITS, 0)
    lowest: Ints = (clipped >> shift) << shift
    return lowest


def record(histogram: HdrHistogram, us: Ints) -> None:
    """Add every time to the histogram; times beyond its range count at its ends."""
    values, counts = np.unique(equivalent(us), return_counts=True)
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        histogram.record_value(value, count)


def percentiles(us: Ints) -> Percentiles | None:
    """Of all times together, as their HDR histogram gives them; None when there is none."""
    histogram = empty_histogram()
    record(histogram, us)
    return percentiles_of(histogram)


def percentiles_of(histogram: HdrHistogram) -> Percentiles | None:
    """None when it is empty."""
    if histogram.total_count == 0:
        return None
    p50, p90, p99, p999 = (histogram.get_value_at_percentile(p) for p in (50, 90, 99, 99.9))
    return Percentiles(histogram.total_count, p50, p90, p99, p999, histogram.get_max_value())


def write_log(path: Path, second: Ints, us: Ints, start_epoch_s: float) -> None:
    """One histogram per second as a standard HdrHistogram log.

    second: of each time, from the start of the phase, not decreasing; shape as `us`.  start_epoch_s: of the phase,
    since 1970.  Seconds without a time have no line.
    """
    write_intervals(path, _by_second(second, us), start_epoch_s)


def _by_second(second: Ints, us: Ints) -> Iterator[tuple[int, HdrHistogram]]:
    present, starts = np.unique(second, return_index=True)
    ends = np.append(starts, len(us))[1:]
    for at, start, end in zip(present.tolist(), starts.tolist(), ends.tolist(), strict=True):
        histogram = empty_histogram()  # twenty times cheaper than a reset
        record(histogram, us[start:end])
        yield at, histogram


def write_intervals(path: Path, intervals: Iterable[tuple[int, HdrHistogram]], start_epoch_s: float) -> None:
    """A log of histograms and their seconds, in order."""
    with path.open("w", encoding="ascii") as file:
        writer = HistogramLogWriter(file)
        writer.output_log_format_version()
        # The package's own writer of this line fails: it calls a method that datetime does not have.
        writer.output_comment(f"[StartTime: {start_epoch_s:.3f} (seconds since epoch)]")
        writer.output_base_time(round(start_epoch_s * 1000))
        writer.output_legend()
        for at, histogram in intervals:
            histogram.set_start_time_stamp(at * 1000)
            histogram.set_end_time_stamp(at * 1000 + 1000)
            writer.output_interval_histogram(histogram, max_value_unit_ratio=MAX_UNIT)


def read_intervals(path: Path) -> tuple[dict[int, HdrHistogram], float]:
    """The histograms of a log by their second, and its start (s since 1970)."""
    found: dict[int, HdrHistogram] = {}
    reader = HistogramLogReader(str(path), empty_histogram())
    try:
        while (interval := reader.get_next_interval_histogram()) is not None:
            found[round(interval.get_start_time_stamp() / 1000 - reader.base_time_sec)] = interval
        return found, reader.get_start_time_sec()
    finally:
        reader.close()
