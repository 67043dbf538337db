"""Two own readings of HDR logs against the library's (the oracle)."""

from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from reports import latency, recount_hdr
from tests.reports.conftest import write_hlog

SECONDS = st.lists(st.lists(st.integers(0, 59_000_000), max_size=30), min_size=1, max_size=4)


@settings(max_examples=15, deadline=None)
@given(seconds=SECONDS)
def test_both_readings_agree_with_the_library(
    tmp_path_factory: pytest.TempPathFactory, seconds: list[list[int]]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    write_hlog(folder / "latency/a.hlog", seconds)
    oracle = HdrHistogram(1, 60_000_000, 3)
    for values in seconds:
        for value in values:
            oracle.record_value(value)
    found = latency.merge(latency.read_logs(folder)["latency/a.hlog"], "us")
    counts = recount_hdr.counts(folder / "latency/a.hlog")
    assert counts is not None
    assert counts.total() == oracle.get_total_count()
    if oracle.get_total_count() == 0:
        assert found is None
        return
    assert found is not None
    assert found.count == oracle.get_total_count()
    for rank, got in ((50.0, found.p50_ms), (99.0, found.p99_ms), (99.9, found.p999_ms), (100.0, found.max_ms)):
        expected = float(oracle.get_value_at_percentile(rank))
        assert got == expected / 1000
        assert recount_hdr.percentile(counts, rank) == expected
    assert found.mean_ms == pytest.approx(oracle.get_mean_value() / 1000, rel=1e-12)
    assert recount_hdr.mean(counts) == pytest.approx(oracle.get_mean_value(), rel=1e-12)


def test_counts_of_nine_bytes_are_read() -> None:
    histogram = HdrHistogram(1, 60_000_000, 3)
    histogram.record_value(5, 2**62 + 3)
    histogram.record_value(5000, 2**20)
    assert recount_hdr.decode(histogram.encode().decode()) == {5: 2**62 + 3, histogram._counts_index_for(5000): 2**20}


def test_units_scale(tmp_path: Path) -> None:
    write_hlog(tmp_path / "latency/a.hlog", [[1500]])
    log = latency.read_logs(tmp_path)["latency/a.hlog"]
    assert [latency.merge(log, unit).p50_ms for unit in ("ms", "us", "ns")] == [1500, 1.5, 0.0015]  # type: ignore[union-attr]


def test_a_damaged_log_is_absent_for_both(tmp_path: Path) -> None:
    path = tmp_path / "latency/a.hlog"
    write_hlog(path, [[5, 6, 7]])
    path.write_text(path.read_text()[:-20])
    assert latency.read_logs(tmp_path) == {}
    assert recount_hdr.counts(path) is None
    assert recount_hdr.counts(tmp_path / "absent") is None
