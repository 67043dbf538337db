"""The charts of a run, all from its records: pages and plots draw these, so that neither can say something else."""

from collections.abc import Callable

from reports import charts_load, charts_market, charts_use
from reports.chart import Chart, Charts, thinned
from reports.summary import RunData


def draw(data: RunData) -> Charts:
    """Charts by name; one whose records are absent is not drawn."""
    history, logs, folder = data.history, data.logs, data.folder
    builders: dict[str, Callable[[], Chart | None]] = {
        "price-path": lambda: charts_market.price_path(history),
        "drawdown": lambda: charts_market.drawdown(history),
        "vpin": lambda: charts_market.vpin(history),
        "request-rate": lambda: charts_load.request_rate(history),
        "latency": lambda: charts_load.latency(history, logs),
        "spectrum": lambda: charts_load.spectrum(history, logs),
        "cpu": lambda: charts_use.cpu(history, folder),
        "memory": lambda: charts_use.memory(history, folder),
    }
    built = {name: build() for name, build in builders.items()}
    return {name: thinned(chart) for name, chart in built.items() if chart is not None}
