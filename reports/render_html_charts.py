"""Charts on a page: their data as JSON, and the uPlot bundle that draws them, inlined from the package that carries it.

uPlot is by Leon Sorokin, under the MIT licence. Only the bytes of its published release are set into pages.
"""

import hashlib
import json
from functools import cache
from html import escape
from importlib import metadata, resources
from pathlib import Path

import numpy as np

from reports.chart import RUN_SECONDS, Chart, Floats
from reports.errors import ReportError

CARRIER = "youplot"
_VERSION = "1.6.31"
_ASSETS = {
    "uplot.iife.min.js": "2d27e8ad3d228164525ce213f9dc716f39b4e3aee0cc773fb3491c96cf4921a2",
    "uplot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}
"""SHA-256 of the files of uPlot's release of that version."""
_DIGITS = 6


@cache
def bundle() -> tuple[str, str]:
    """uPlot's script and style. Raises ReportError when they are missing or not those of the release."""
    try:
        carrier = metadata.distribution(CARRIER)
    except metadata.PackageNotFoundError as error:
        raise _no_bundle(f"The package {CARRIER}, which carries it, is not installed.") from error
    script, style = (_checked(Path(str(carrier.locate_file(f"{CARRIER}/vendor/{name}")))) for name in _ASSETS)
    return script, style


def own(name: str) -> str:
    """One of this package's own page files."""
    return resources.files("reports").joinpath(name).read_text(encoding="utf-8")


def figure(name: str, chart: Chart) -> str:
    """The figure element that the page's script draws the chart into."""
    note = f" <small>{escape(chart.note)}</small>" if chart.note else ""
    data = json.dumps(_spec(chart), separators=(",", ":"), ensure_ascii=True).replace("<", "\\u003c")
    return (
        f'<figure data-chart="{escape(name)}"><figcaption>{escape(chart.title)}{note}</figcaption>\n'
        f'<script type="application/json">{data}</script></figure>\n'
    )


def _spec(chart: Chart) -> dict[str, object]:
    return {
        "x_label": chart.x_label,
        "y_label": chart.y_label,
        "x": _numbers(chart.x, positive=chart.log_x),
        "lines": [(line.label, _numbers(line.values, positive=chart.log_y)) for line in chart.lines],
        "bands": [(band.label, *_numbers(np.array([band.start, band.end]))) for band in chart.bands],
        "log_x": chart.log_x,
        "log_y": chart.log_y,
        "joined": chart.joined,
        "sync": "run" if chart.x_label == RUN_SECONDS else None,
    }


def _numbers(values: Floats, positive: bool = False) -> list[float | int | None]:
    """Six significant digits; null where there is no value, or none that a logarithmic axis has room for."""
    return [_short(value) if np.isfinite(value) and (value > 0 or not positive) else None for value in values.tolist()]


def _short(value: float) -> float | int:
    rounded = float(f"{value:.{_DIGITS}g}")
    return int(rounded) if rounded == int(rounded) else rounded


def _checked(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _no_bundle(f"{path.name}: {error.strerror}.") from error
    if hashlib.sha256(content).hexdigest() != _ASSETS[path.name]:
        raise _no_bundle(f"{path.name} of the package {CARRIER} is not that of uPlot {_VERSION}.")
    return content.decode()


def _no_bundle(why: str) -> ReportError:
    return ReportError("The page has nothing to draw its charts with.", why, f"pip install {CARRIER}==1.0.0")
