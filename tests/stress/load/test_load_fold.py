from pathlib import Path

import numpy as np
from hdrh.log import HistogramLogReader
from hypothesis import given, settings
from hypothesis import strategies as st

from stress.load.fold import HIGHEST_US, empty_histogram, equivalent, percentiles, record, write_log

times = st.lists(st.integers(0, 100_000_000), min_size=1, max_size=200).map(lambda us: np.array(us, dtype=np.int64))


@given(times)
def test_equivalent_values_are_those_of_the_histogram(us: np.ndarray) -> None:
    histogram = empty_histogram()
    clipped = np.clip(us, 1, HIGHEST_US)
    assert equivalent(us).tolist() == [histogram.get_lowest_equivalent_value(int(value)) for value in clipped]


@given(times)
def test_folding_equals_recording_one_by_one(us: np.ndarray) -> None:
    folded, single = empty_histogram(), empty_histogram()
    record(folded, us)
    for value in us.tolist():
        single.record_value(min(max(value, 1), HIGHEST_US))
    for percentile in (0, 10, 50, 90, 99, 99.9, 100):
        assert folded.get_value_at_percentile(percentile) == single.get_value_at_percentile(percentile)
    assert folded.total_count == len(us)


@settings(max_examples=20, deadline=None)
@given(times, st.integers(1, 7))
def test_a_log_gives_back_every_second(tmp_path_factory: object, us: np.ndarray, seconds: int) -> None:
    path = Path(tmp_path_factory.mktemp("hlog")) / "p.a.hlog"  # type: ignore[attr-defined]
    second = np.sort(np.arange(len(us)) % seconds)
    write_log(path, second, us, 1_700_000_000.25)
    reader = HistogramLogReader(str(path), empty_histogram())
    for at in sorted(set(second.tolist())):
        interval = reader.get_next_interval_histogram()
        wanted = percentiles(us[second == at])
        assert wanted is not None
        assert interval.get_start_time_stamp() == 1_700_000_000_250 + at * 1000
        assert interval.total_count == wanted.count
        assert interval.get_value_at_percentile(99) == wanted.p99_us
    assert reader.get_next_interval_histogram() is None
    reader.close()


def test_nothing_measured_has_no_percentiles() -> None:
    assert percentiles(np.zeros(0, dtype=np.int64)) is None


def test_a_log_of_nothing_is_a_log(tmp_path: Path) -> None:
    none = np.array([], dtype=np.int64)
    write_log(tmp_path / "none.hlog", none, none, 0.0)
    reader = HistogramLogReader(str(tmp_path / "none.hlog"), empty_histogram())
    assert reader.get_next_interval_histogram() is None
    reader.close()
