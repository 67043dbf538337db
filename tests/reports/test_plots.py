"""Charts and plots: their values against the records, their bytes the same each time."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hdrh.histogram import HdrHistogram

from reports import charts, plots, records, summary
from reports.chart import MOST_POINTS, Band, Chart, Line, thinned
from reports.charts_load import spectrum
from reports.charts_market import drawdown, price_path
from reports.records import Level
from tests.reports.conftest import ENGINES, SECONDS, build
from tests.reports.test_faults import recovery, with_faults


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> summary.RunData:
    """A run with two faults."""
    items = [recovery("a", 1.0), recovery("b", None)]
    return summary.read(build(tmp_path_factory.mktemp("plots") / "run", with_faults(*items)))


def line(chart: Chart | None, label: str) -> list[float]:
    assert chart is not None
    return [float(value) for item in chart.lines if item.label == label for value in item.values]


def test_each_kind_of_record_has_its_plot_and_the_bytes_are_the_same_each_time(data: summary.RunData) -> None:
    shown = charts.draw(data)
    first = plots.draw(data.history, shown)
    assert set(first) == {*shown, "bus", "recovery"}
    assert plots.draw(data.history, charts.draw(data)) == first


def test_without_records_there_is_no_plot(tmp_path: Path) -> None:
    folder = build(tmp_path / "run", lambda lines: [lines[0], lines[-1]])
    (folder / "samples.parquet").write_bytes(b"no parquet")
    bare = summary.read(folder)
    assert charts.draw(bare) == {} and plots.draw(bare.history, {}) == {}


def test_the_spectrum_is_the_hdr_percentile_curve(data: summary.RunData) -> None:
    """Oracle: the HdrHistogram library's own percentiles."""
    chart = spectrum(data.history, data.logs)
    assert chart is not None and [item.label for item in chart.lines] == list(ENGINES)
    oracle = HdrHistogram(1, 60_000_000, 3)
    for _ in range(SECONDS):
        for item in range(100):
            oracle.record_value(1000 + 10 * item)
    for one_in, value in zip(chart.x.tolist(), line(chart, "risk"), strict=True):
        if one_in <= oracle.get_total_count():
            assert value == oracle.get_value_at_percentile(100.0 * (1 - 1 / one_in)) / 1000
        else:
            assert np.isnan(value)


def test_prices_are_relative_to_the_first_and_drawdowns_to_the_peak(tmp_path: Path) -> None:
    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        level = next(item for item in lines if isinstance(item, Level))
        more = [
            msgspec.structs.replace(level, symbol="X", price=price, market_ns=level.market_ns + n * 10**9)
            for n, price in enumerate((100.0, 110.0, 88.0, 99.0))
        ]
        return [*(item for item in lines[:-1] if not isinstance(item, Level)), *more, lines[-1]]

    history = summary.read(build(tmp_path / "run", edit)).history
    assert line(price_path(history), "X") == pytest.approx([100, 110, 88, 99])
    assert line(drawdown(history), "X") == pytest.approx([0, 0, -20, -10])


def test_halts_and_faults_are_marked_where_they_were(data: summary.RunData) -> None:
    path = price_path(data.history)
    assert path is not None and [band.label for band in path.bands][:1] == ["stop-logic ESX"]
    start, first = 1_273_171_528_000_000_000, int(data.history.levels.market_ns.min())
    assert path.bands[0] == Band("stop-logic ESX", (start - first) / 60e9, (start + 5 * 10**9 - first) / 60e9)
    cpu = charts.draw(data)["cpu"]
    run = data.history.run
    assert run is not None
    begin = (6_000_000_000 - run.mono_ns) / 1e9
    assert cpu.bands == (Band("kill risk", begin, begin + 1.0), Band("kill risk", begin, begin))


def test_a_fault_under_load_is_marked_on_the_price_path_at_the_tapes_time(tmp_path: Path) -> None:
    """Ten seconds after the first request, at forty market seconds a second."""
    probes = summary.read(build(tmp_path / "plain")).history.probes
    begin = int(probes.column("mono_ns")[probes.during("crash")].min())
    items = [recovery("in", 1.0, at_ns=begin + 10 * 10**9), recovery("after", 1.0, at_ns=begin + 61 * 10**9)]
    path = price_path(summary.read(build(tmp_path / "run", with_faults(*items))).history)
    assert path is not None
    marks = [band for band in path.bands if band.label == "fault: kill risk"]
    assert len(marks) == 1 and marks[0].start == marks[0].end == pytest.approx(400 / 60)


def test_thinning_keeps_what_matters_and_says_so() -> None:
    size = 5 * MOST_POINTS
    values = np.zeros(size)
    values[777], values[4321] = -22.0, 9.0
    low = thinned(Chart("T", "x", "y", np.arange(size, dtype=float), (Line("a", values),), lowest=True))
    high = thinned(Chart("T", "x", "y", np.arange(size, dtype=float), (Line("a", values),)))
    assert low.x.size == high.x.size == MOST_POINTS
    assert low.lines[0].values.min() == -22.0 and high.lines[0].values.max() == 9.0
    assert low.note == "each point is the lowest of 5 values in a row"
    assert thinned(high) is high
