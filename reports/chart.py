"""A chart as a value: pages and plots draw the same ones.

Times are seconds since the run's first record, or minutes of market time where the axis says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.history import History
from reports.records import Phase

Floats = NDArray[np.float64]

MOST_POINTS = 1200
"""Points of a line; where there are more, one value of each stretch stands for it."""
RUN_SECONDS = "seconds of the run"


@dataclass(frozen=True)
class Line:
    """One line of a chart; NaN where there is no value. Shape as the chart's ``x``."""

    label: str
    values: Floats


@dataclass(frozen=True)
class Band:
    """A stretch of the x axis with a name: a halt, or a fault until it was recovered from."""

    label: str
    start: float
    end: float


@dataclass(frozen=True)
class Chart:
    """Lines over one x axis. ``joined``: lines run across missing values instead of breaking there."""

    title: str
    x_label: str
    y_label: str
    x: Floats
    lines: tuple[Line, ...]
    bands: tuple[Band, ...] = ()
    log_x: bool = False
    log_y: bool = False
    joined: bool = False
    note: str = ""
    lowest: bool = False
    """Where many values share a point, the lowest is the one that matters, not the highest."""


Charts = Mapping[str, Chart]
"""Charts by the name of their plot; one whose records are absent is absent."""


def seconds_of_run(history: History, mono_ns: NDArray[np.int64] | int) -> Floats:
    """CLOCK_MONOTONIC nanoseconds as seconds since the run's first record."""
    origin = history.run.mono_ns if history.run is not None else 0
    return np.asarray((np.asarray(mono_ns, np.int64) - origin) / 1e9, np.float64)


def load_begin_s(history: History, phase: str) -> float:
    """When the first request of a loaded phase was due, in seconds of the run.

    Probing begins with the load, so the phase's first probe tells; without one the phase's start has to do.
    """
    probed = history.probes.column("mono_ns")[history.probes.during(phase)]
    started = [record.mono_ns for record in history.of(Phase) if record.name == phase and record.event == "start"]
    at = [int(probed.min())] if probed.size else started[:1]
    return float(seconds_of_run(history, at[0])) if at else 0.0


def thinned(chart: Chart) -> Chart:
    """The chart with at most MOST_POINTS per line, and a note that says what a point stands for."""
    size = chart.x.size
    if size <= MOST_POINTS:
        return chart
    step = -(-size // MOST_POINTS)
    starts = np.arange(0, size, step)
    fold = np.fmin if chart.lowest else np.fmax
    lines = tuple(Line(line.label, fold.reduceat(line.values, starts)) for line in chart.lines)
    note = f"each point is the {'lowest' if chart.lowest else 'highest'} of {step} values in a row"
    whole = {**vars(chart), "x": chart.x[starts], "lines": lines, "note": "; ".join(filter(None, (chart.note, note)))}
    return Chart(**whole)


def table(
    xs: NDArray[np.int64], names: NDArray[np.int64], values: Floats, count: int
) -> tuple[NDArray[np.int64], Floats]:
    """Long rows (x, number of the line, value) as sorted unique x and one row of values per line, NaN where none is."""
    unique, places = np.unique(xs, return_inverse=True)
    wide = np.full((count, unique.size), np.nan)
    wide[names, places] = values
    return unique, wide
