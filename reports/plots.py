"""Static plots as SVG, the same bytes for the same records. matplotlib is imported only here, when a plot is drawn."""

import importlib.metadata
import io
import re
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from reports.chart import RUN_SECONDS, Chart, Charts, seconds_of_run
from reports.history import History
from reports.measures.bus import last_rows
from reports.records import Ledger, Recovery

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Painter = Callable[["Axes"], None]

_MOST_ROWS = 40
_WIDTH = 10.0
"""Inches, as all lengths here; margins are fixed, since finding them costs as much as the drawing."""
_STEPS = {
    "detected": "detected_ns",
    "restarted": "restarted_ns",
    "healthy": "healthy_ns",
    "regained": "regained_ns",
    "drained": "drained_ns",
}
_SHARES = {
    "processed": "processed_unique",
    "set aside": "dead_lettered",
    "pending": "pending",
    "lost": "lost",
}


def draw(history: History, charts: Charts) -> dict[str, str]:
    """SVG documents by plot name; a plot whose records are absent is not drawn."""
    painters: dict[str, tuple[Painter, float]] = {
        name: (partial(_lines, chart=chart), 3.6) for name, chart in charts.items()
    }
    ledger = last_rows(history)
    if ledger:
        painters["bus"] = (partial(_bus, rows=ledger), _height(len({row.consumer for row in ledger})))
    recoveries = history.of(Recovery)[:_MOST_ROWS]
    if recoveries:
        painters["recovery"] = (partial(_recovery, history=history, rows=recoveries), _height(len(recoveries)))
    return {name: _svg(painter, height) for name, (painter, height) in painters.items()}


def own_maker() -> str:
    """What draws here: another version may give other bytes for the same records."""
    return f"matplotlib {importlib.metadata.version('matplotlib')}"


def maker(svg: str) -> str:
    """What drew a picture, by its own word."""
    found = re.search(r"<dc:creator>\s*<cc:Agent>\s*<dc:title>([^<]*)</dc:title>", svg)
    return found.group(1) if found else "something unknown"


def _height(rows: int) -> float:
    """Inches for so many rows of bars."""
    return 1.4 + 0.22 * rows


def _svg(painter: Painter, height: float) -> str:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "nautilus", "svg.fonttype": "path", "path.simplify_threshold": 0.3}):
        figure = Figure(figsize=(_WIDTH, height))
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        painter(axes)
        axes.grid(alpha=0.3)
        many = len(axes.get_legend_handles_labels()[1]) > 6
        bars = bool(axes.containers)
        figure.subplots_adjust(
            left=(1.6 if bars else 0.8) / _WIDTH,
            right=1 - (1.4 if many else 0.2) / _WIDTH,
            bottom=0.55 / height,
            top=1 - 0.35 / height,
        )
        if many:
            axes.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1.0, 0.5))
        else:
            axes.legend(fontsize="small", loc="best")
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": own_maker()})
    return out.getvalue()


def _lines(axes: "Axes", chart: Chart) -> None:
    import matplotlib as mpl

    colours = mpl.colormaps["tab20" if len(chart.lines) > 10 else "tab10"]
    for number, line in enumerate(chart.lines):
        kept = np.isfinite(line.values) if chart.joined or np.isfinite(line.values).sum() < 10 else slice(None)
        x, values = chart.x[kept], line.values[kept]
        marker = "." if x.size < 10 else ""
        axes.plot(x, values, label=line.label, color=colours(number % colours.N), linewidth=1, marker=marker)
    span = chart.x[-1] - chart.x[0]
    for band in chart.bands:
        thin = band.end - band.start < span / 200
        axes.axvspan(band.start, band.end, alpha=0.8 if thin else 0.25, color="tab:red", linewidth=1 if thin else 0)
    if chart.bands and len(chart.bands) <= 6:
        for band in chart.bands:
            axes.annotate(
                band.label, (band.start, 1.0), xycoords=("data", "axes fraction"), fontsize="x-small", va="top"
            )
    title = f"{chart.title} ({chart.note})" if chart.note else chart.title
    axes.set(xlabel=chart.x_label, ylabel=chart.y_label, title=title)
    axes.set_xscale("log" if chart.log_x else "linear")
    axes.set_yscale("log" if chart.log_y else "linear")


def _bus(axes: "Axes", rows: list[Ledger]) -> None:
    """What became of the messages of all topics that each consumer takes."""
    totals: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(_SHARES, 0))
    for row in rows:
        for label, field in _SHARES.items():
            totals[row.consumer][label] += getattr(row, field)
    names = sorted(totals, key=lambda name: (-sum(totals[name].values()), name))
    left = np.zeros(len(names))
    for label, colour in zip(_SHARES, ("tab:blue", "tab:orange", "gold", "tab:red"), strict=True):
        counts = np.array([totals[name][label] for name in names], np.float64)
        axes.barh(names, counts, left=left, label=label, color=colour)
        left += counts
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize="x-small")
    axes.set(xlabel="messages", title="What became of each consumer's messages by the end")


def _recovery(axes: "Axes", history: History, rows: list[Recovery]) -> None:
    """One row a fault: from its injection through each stamp to the next, in the order in which they happened."""
    names = [f"{row.kind} {row.target}" for row in rows]
    colours = ("tab:red", "tab:orange", "gold", "tab:green", "tab:blue")
    for (label, field), colour in zip(_STEPS.items(), colours, strict=True):
        begins, lengths = [], []
        for row in rows:
            stamp: int | None = getattr(row, field)
            known = [row.injected_ns, *(getattr(row, other) for other in _STEPS.values() if other != field)]
            before = max((at for at in known if at is not None and stamp is not None and at <= stamp), default=0)
            begins.append(float(seconds_of_run(history, before)) if stamp is not None else 0.0)
            lengths.append((stamp - before) / 1e9 if stamp is not None else 0.0)
        axes.barh(
            [f"{n} {name}" for n, name in enumerate(names, 1)], lengths, left=begins, label=f"to {label}", color=colour
        )
    lost = [(n, row) for n, row in enumerate(rows) if row.regained_ns is None]
    if lost:
        at = [float(seconds_of_run(history, row.injected_ns)) for _, row in lost]
        axes.plot(at, [n for n, _ in lost], "kx", label="not recovered")
    begin = min(row.injected_ns for row in rows)
    last = max(getattr(row, field) or row.injected_ns for row in rows for field in _STEPS.values())
    axes.set_xlim(float(seconds_of_run(history, begin)) - 0.1, float(seconds_of_run(history, last)) + 0.1)
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize="x-small")
    axes.set(xlabel=RUN_SECONDS, title="Way back from each fault")
