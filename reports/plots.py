"""Static plots as SVG, the same bytes for the same records. matplotlib is imported only here, when a plot is drawn."""

import io
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from reports.latency import Distribution, Interval, merge
from reports.measures.load import in_phase, loaded_phases
from reports.records import Halt, LoadSummary
from reports.summary import RunData

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(data: RunData) -> dict[str, str]:
    """SVG documents by plot name; a plot whose records are absent is not drawn."""
    painters: dict[str, Callable[[Axes, RunData], bool]] = {
        "price-path": _price_path,
        "request-rate": _request_rate,
        "latency": _latency,
    }
    drawn = {name: _svg(painter, data) for name, painter in painters.items()}
    return {name: svg for name, svg in drawn.items() if svg is not None}


def _svg(painter: "Callable[[Axes, RunData], bool]", data: RunData) -> str | None:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "nautilus", "svg.fonttype": "path"}):
        figure = Figure(figsize=(10, 3.6), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        if not painter(axes, data):
            return None
        axes.grid(alpha=0.3)
        axes.legend(loc="best", fontsize="small")
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def _price_path(axes: "Axes", data: RunData) -> bool:
    """Each symbol's price relative to its first one, with halts and pauses shaded; minutes of market time."""
    levels = data.history.levels
    if not len(levels):
        return False
    origin, end = int(levels.market_ns.min()), int(levels.market_ns.max())
    for number, symbol in enumerate(levels.symbols.all()):
        own = levels.symbol == number
        price = levels.price[own]
        if price[0] > 0:
            axes.plot((levels.market_ns[own] - origin) / 60e9, 100.0 * price / price[0], label=symbol, linewidth=1)
    for halt in data.history.of(Halt):
        until = halt.end_ns if halt.end_ns is not None else end
        name = " ".join(filter(None, (halt.kind, halt.symbol)))
        axes.axvspan((halt.start_ns - origin) / 60e9, (until - origin) / 60e9, alpha=0.35, color="tab:red", label=name)
    axes.set(xlabel="market time, minutes", ylabel="price, % of first", title="Price path")
    return True


def _request_rate(axes: "Axes", data: RunData) -> bool:
    """Requests due and answered per second over the loaded phases, end to end."""
    loads = data.history.loads
    offset = 0
    for phase in loaded_phases(data.history):
        own = loads.phase == loads.phases.of(phase)
        seconds, places = np.unique(loads.column("second")[own], return_inverse=True)
        for field, words in (("scheduled", "due"), ("done", "answered")):
            total = np.bincount(places, loads.column(field)[own], seconds.size)
            axes.plot(offset + seconds, total, label=f"{phase}: {words}")
        offset += seconds.size
    axes.set(xlabel="seconds under load", ylabel="requests/s", title="Request rate against schedule")
    return offset > 0


def _latency(axes: "Axes", data: RunData) -> bool:
    """p50, p99 and p99.9 of all engines per logged interval, on a logarithmic axis."""
    found = [item for phase in loaded_phases(data.history) for item in _over_time(data, phase)]
    if not found:
        return False
    seconds = [second - found[0][0] for second, _ in found]
    for label, values in (
        ("p50", [item.p50_ms for _, item in found]),
        ("p99", [item.p99_ms for _, item in found]),
        ("p99.9", [item.p999_ms for _, item in found]),
    ):
        axes.plot(seconds, values, label=label, marker="." if len(seconds) == 1 else "")
    axes.set(xlabel="seconds under load", ylabel="ms", yscale="log", title="Latency percentiles over time, all engines")
    return True


def _over_time(data: RunData, phase: str) -> Iterable[tuple[float, Distribution]]:
    by_start: dict[float, list[Interval]] = defaultdict(list)
    units: set[str] = set()
    for summary in in_phase(data.history.of(LoadSummary), phase):
        units.add(summary.hlog_unit)
        for interval in data.logs.get(summary.hlog, ()):
            by_start[round(interval.start_s)].append(interval)
    for start in sorted(by_start) if len(units) == 1 else ():
        merged = merge(by_start[start], next(iter(units)))
        if merged is not None:
            yield start, merged
