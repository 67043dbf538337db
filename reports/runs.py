"""Run folders: list them, load a report from one, write its documents."""

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from reports import (
    chain,
    charts,
    plots,
    render_html,
    render_json,
    render_junit,
    render_log,
    render_markdown,
    render_openmetrics,
    runbooks,
    seal,
    summary,
)
from reports.compose import compose
from reports.errors import ReportError
from reports.model import Report
from reports.records import HISTORY, Run, decode

FORMATS = ("json", "md", "html", "runbooks", "log", "junit", "openmetrics")
USUAL = ("json", "md", "html", "runbooks", "log")
"""The formats of every run; the others are rendered when asked for."""
REPORT_MD, REPORT_HTML, RESULTS = "REPORT.md", "report.html", "results.json"
JUNIT, OPENMETRICS = "junit.xml", "openmetrics.txt"
OPTIONAL = frozenset({JUNIT, OPENMETRICS}) | runbooks.FILES
PLOTS = "plots"
_FORMAT_OF = {JUNIT: "junit", OPENMETRICS: "openmetrics"} | dict.fromkeys(runbooks.FILES, "runbooks")


@dataclass(frozen=True)
class RunInfo:
    """A run folder at a glance. ``verdict`` is the one of its results file, None when it was never rendered; whether it
    follows from the records is for ``verify`` to say.
    """

    folder: Path
    run_id: str
    mission: str
    at: str
    sealed: bool
    verdict: str | None


def load(folder: Path) -> Report:
    """The report of a run, from its records. Raises ReportError when there is nothing to report."""
    return compose(summary.read(folder))


def documents(report: Report, drawn: Iterable[str]) -> dict[str, bytes]:
    """The text documents of a report by file name, given which plots lie beside it."""
    return {
        render_json.results_name(report): render_json.dump(render_json.results_document(report)),
        RESULTS: render_json.dump(render_json.run_document(report)),
        **{name: render_json.dump(document) for name, document in render_json.parts(report).items()},
        render_log.NAME: render_log.render(report).encode(),
        REPORT_MD: render_markdown.render(report, tuple(drawn)).encode(),
        JUNIT: render_junit.render(report).encode(),
        OPENMETRICS: render_openmetrics.render(report).encode(),
        **{name: text.encode() for name, text in runbooks.documents(report).items()},
    }


def render(folder: Path, formats: Iterable[str] = USUAL, with_plots: bool = True) -> list[Path]:
    """Write the documents into the run folder, each at once or not at all; returns what was written.

    Raises ReportError when there is nothing to report, a format is unknown, or the folder cannot be written.
    """
    wanted = set(formats)
    if not wanted <= set(FORMATS):
        unknown = ", ".join(sorted(wanted - set(FORMATS)))
        raise ReportError(f"Cannot render {unknown}.", "There is no such format.", f"Choose from: {', '.join(FORMATS)}")
    data = summary.read(folder)
    report = compose(data)
    shown = charts.draw(data) if with_plots or "html" in wanted else {}
    drawn = plots.draw(data.history, shown) if with_plots else {}
    written: list[Path] = []
    try:
        for name, svg in drawn.items():
            written.append(_write(folder / PLOTS / f"{name}.svg", svg.encode()))
        for name, content in documents(report, plot_names(folder)).items():
            if _FORMAT_OF.get(name, name.rpartition(".")[2]) in wanted:
                written.append(_write(folder / name, content))
        if "html" in wanted:
            written.append(_write(folder / REPORT_HTML, render_html.render(report, shown, drawn).encode()))
    except OSError as error:
        why = f"{error.strerror or type(error).__name__}."
        raise ReportError(f"Cannot write the report of {folder.name}.", why, "Make the run folder writable.") from error
    return written


def plot_names(folder: Path) -> list[str]:
    """The plots that lie beside the report."""
    return sorted(path.stem for path in (folder / PLOTS).glob("*.svg"))


def list_runs(root: Path) -> list[RunInfo]:
    """The run folders below ``root``, oldest first; a folder without a readable first record is not one."""
    if not root.is_dir():
        return []
    found = [_info(path) for path in sorted(root.iterdir()) if (path / HISTORY).is_file()]
    return [info for info in found if info is not None]


def _info(folder: Path) -> RunInfo | None:
    with (folder / HISTORY).open("rb") as file:
        first = next(chain.walk(file), None)
    try:
        record = decode(first) if isinstance(first, bytes) else None
    except msgspec.DecodeError:
        return None
    if not isinstance(record, Run):
        return None
    return RunInfo(
        folder, record.run_id, record.mission, record.at, (folder / seal.MANIFEST).is_file(), _verdict(folder)
    )


def _verdict(folder: Path) -> str | None:
    class Short(msgspec.Struct):
        verdict: str

    try:
        return msgspec.json.decode((folder / RESULTS).read_bytes(), type=Short).verdict
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _write(path: Path, content: bytes) -> Path:
    if path.parent.is_symlink():
        raise OSError(errno.ELOOP, f"{path.parent.name} is a link to another place")
    path.parent.mkdir(exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(content)
    draft.replace(path)
    return path
