"""Does the report say what the records say? Chain, seal, schemas, evidence, and every figure and verdict counted anew.

The second path (``recount`` and its kin) shares no code with the first, so a fault in either
shows as a difference. Documents are compared byte for byte with a fresh rendering.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec

from reports import charts, plots, recount_rows, render_html, render_json, runs, seal, signature, summary
from reports.chart import Charts
from reports.compose import compose
from reports.errors import ReportError
from reports.figures import Value
from reports.history import History
from reports.model import Report
from reports.records import HISTORY
from reports.recount import recount
from reports.recount_figures import Number
from reports.recount_hdr import HdrLogs
from reports.recount_rows import Rows
from reports.recount_verdicts import Verdicts
from reports.render_json import CriterionJson, EvidenceJson, FigureJson, ResultsJson
from reports.summary import RunData

TOLERANCE = 1e-9
"""Relative difference between two figures that only the order of floating-point sums may cause."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """What does not hold: a figure's, criterion's or file's name, what is reported and what was found."""

    name: str
    reported: str
    recomputed: str


@dataclass(frozen=True)
class Verification:
    """``status``: ok, mismatch, or interrupted (the run was never sealed). ``figures`` counts those recomputed."""

    ok: bool
    status: Literal["ok", "mismatch", "interrupted"]
    figures: int
    mismatches: tuple[Mismatch, ...]
    signature: signature.State


@dataclass(frozen=True)
class Counted:
    """What the second path says.  ``rows`` have let go of their columns: they only know how many records there are."""

    rows: Rows
    figures: dict[str, Number]
    criteria: dict[str, tuple[str, float | None, float | None]]
    verdict: str


@dataclass(frozen=True)
class Basis:
    """What the records of a run folder say by both paths, each worked out once; documents are held against it.

    The second path comes first and lets go of what it read: the records are never in memory twice.
    """

    folder: Path

    @cached_property
    def data(self) -> RunData:
        """As the first path reads it.  Raises ReportError when there is no history."""
        self.counted  # noqa: B018 - before, see above
        return summary.read(self.folder)

    @cached_property
    def report(self) -> Report:
        """By the first path.  Raises ReportError when there is nothing to report."""
        return compose(self.data)

    @cached_property
    def counted(self) -> Counted | Exception:
        """By the second path; or what raw fields that cannot be counted bring, which may be anything."""
        try:
            rows, logs = recount_rows.read(self.folder / HISTORY), HdrLogs(self.folder)
            figures = recount(self.folder, rows, logs)
            verdicts = Verdicts(logs, rows, figures)
            found = Counted(rows, figures, verdicts.all(), verdicts.overall())
        except Exception as error:  # told where the results are held against it
            return error
        rows.forget()
        return found

    @cached_property
    def documents(self) -> dict[str, bytes]:
        """The text documents, rendered anew."""
        return runs.documents(self.report, runs.plot_names(self.folder))

    @cached_property
    def charts(self) -> Charts:
        """What the page draws."""
        return charts.draw(self.data)


def verify(folder: Path, key: bytes | None = None, *, redraw: bool = False) -> Verification:
    """Check a run folder; with a key, its signature too; with ``redraw`` its pictures by drawing them again.

    Raises ReportError when it holds no history.
    """
    return against(Basis(folder), key, redraw=redraw)


def against(basis: Basis, key: bytes | None = None, *, redraw: bool = False) -> Verification:
    """Check the documents, the seal and the signature that lie in the folder now against its records."""
    folder, history = basis.folder, basis.data.history
    sealed, found = _seal(folder, history.digests)
    found += [Mismatch(name, "a file of the run folder", "a link to another place") for name in seal.links(folder)]
    signed = signature.check(folder, key)
    if sealed and signed in ("wrong", "absent"):
        found.append(Mismatch(signature.SIGNATURE, "signed with the key that was given", signed))
    found += _history(history, sealed)
    figures = 0
    if history.run is None:
        found.append(Mismatch(HISTORY, "a run", "no run record at its start"))
    else:
        try:
            figures, differences = _recount(basis, sealed)
            found += [*differences, *_documents(basis, sealed), *_page(basis)]
            found += _pictures(basis) if redraw else []
        except ReportError as error:
            found.append(Mismatch(HISTORY, "records that can be reported", str(error)))
    if found:
        return Verification(False, "mismatch", figures, tuple(found), signed)
    if not sealed:
        return Verification(False, "interrupted", figures, (), signed)
    return Verification(True, "ok", figures, (), signed)


def _seal(folder: Path, records: Mapping[str, str]) -> tuple[bool, list[Mismatch]]:
    try:
        manifest = seal.read(folder)
    except (OSError, msgspec.DecodeError) as error:
        return True, [Mismatch(seal.MANIFEST, "a manifest", str(error))]
    if manifest is None:
        return False, []
    pairs = (words.split(": ", 1) for words in seal.differences(folder, manifest, records))
    return True, [Mismatch(name, "as sealed", why) for name, why in pairs]


def _history(history: History, sealed: bool) -> list[Mismatch]:
    """A torn tail is what a crash leaves of a run that was never sealed; anything else broken is a mismatch."""
    found = [Mismatch(HISTORY, "records", problem) for problem in history.problems]
    torn = history.broken is not None and "cut in mid-line" in history.broken
    if history.broken is not None and (sealed or not torn):
        found.append(Mismatch(HISTORY, "a whole chain", history.broken))
    return found


def _recount(basis: Basis, sealed: bool) -> tuple[int, list[Mismatch]]:
    path = basis.folder / render_json.results_name(basis.report)
    try:
        results = msgspec.json.decode(path.read_bytes(), type=ResultsJson)
    except FileNotFoundError:
        return 0, [Mismatch(path.name, "the results", "missing")] if sealed else []
    except (OSError, msgspec.DecodeError) as error:
        return 0, [Mismatch(path.name, "the results", str(error))]
    found = list(_origins(basis.data.history.digests, results["records"]))
    try:
        counted, differences = _second_path(basis, results)
    except Exception as error:  # raw fields may hold anything: what cannot be counted does not verify
        why = f"{type(error).__name__}: {str(error).splitlines()[:1]}"
        return 0, [*found, Mismatch(HISTORY, "records that can be counted", why)]
    return counted, found + differences


def _second_path(basis: Basis, results: ResultsJson) -> tuple[int, list[Mismatch]]:
    counted = basis.counted
    if isinstance(counted, Exception):
        raise counted
    found = [
        *_figures(results["figures"], counted.figures),
        *_criteria(results["run"]["criteria"], counted.criteria),
        *_evidence(basis.folder, counted.rows, results),
    ]
    if results["run"]["verdict"] != counted.verdict:
        found.append(Mismatch("verdict", results["run"]["verdict"], counted.verdict))
    return len(counted.figures), found


def _figures(reported: Sequence[FigureJson], counted: dict[str, Number]) -> Iterator[Mismatch]:
    names = {figure["id"] for figure in reported}
    for figure in reported:
        if figure["id"] not in counted:
            yield Mismatch(figure["id"], _words(figure["value"]), "no such figure in the records")
        elif not _same(figure["value"], counted[figure["id"]]):
            yield Mismatch(figure["id"], _words(figure["value"]), _words(counted[figure["id"]]))
    for name in counted.keys() - names:
        yield Mismatch(name, "absent", _words(counted[name]))


def _criteria(
    reported: Sequence[CriterionJson], counted: dict[str, tuple[str, float | None, float | None]]
) -> Iterator[Mismatch]:
    if [item["id"] for item in reported] != list(counted):
        yield Mismatch("criteria", ", ".join(item["id"] for item in reported), ", ".join(counted))
    for item in reported:
        verdict, measured, target = counted.get(item["id"], ("absent", None, None))
        same = _same(item["measured"], measured) and _same(item["target"], target)
        if item["verdict"] != verdict or not same:
            reported_words = f"{item['verdict']} ({_words(item['measured'])} against {_words(item['target'])})"
            counted_words = f"{verdict} ({_words(measured)} against {_words(target)})"
            yield Mismatch(f"criterion {item['id']}", reported_words, counted_words)


def _evidence(folder: Path, rows: Rows, results: ResultsJson) -> Iterator[Mismatch]:
    checked: dict[tuple[object, ...], str | None] = {}
    for owner in (*results["figures"], *results["run"]["criteria"]):
        for source in owner["evidence"]:
            key = (source["file"], source["count"], *source["where"].items())
            if key not in checked:
                checked[key] = _missing(folder, rows, source)
            missing = checked[key]
            if missing is not None:
                name = f"evidence {source['file']} {source['where']} ({source['count']})"
                yield Mismatch(owner["id"], name, missing)


def _origins(there: Mapping[str, str], stated: Mapping[str, str]) -> Iterator[Mismatch]:
    """The records that the results were made from are those of the folder."""
    for name in sorted(stated.keys() | there.keys()):
        if stated.get(name) != there.get(name):
            yield Mismatch(name, f"made from {stated.get(name, 'nothing of it')}", there.get(name, "missing"))


def _missing(folder: Path, rows: Rows, source: EvidenceJson) -> str | None:
    if not (folder / source["file"]).is_file():
        return "no such file"
    if source["file"] != HISTORY:
        return None
    count = rows.count(source["where"])
    return None if count == source["count"] else f"{count} records instead of {source['count']}"


def _documents(basis: Basis, sealed: bool) -> Iterator[Mismatch]:
    for name, content in basis.documents.items():
        path = basis.folder / name
        if not path.is_file():
            told = name == render_json.results_name(basis.report)  # its absence, already
            if sealed and not told and name not in runs.OPTIONAL:
                yield Mismatch(name, "as rendered", "missing")
        elif path.read_bytes() != content:
            yield Mismatch(name, "as rendered", "differs from a fresh rendering")


def _page(basis: Basis) -> Iterator[Mismatch]:
    """The page, with the pictures that lie beside it or without any."""
    folder = basis.folder
    page = folder / runs.REPORT_HTML
    if not page.is_file():
        return
    text = page.read_bytes()
    names = runs.plot_names(folder) if render_html.PLOT_OPEN.encode() in text else []
    drawn = {name: (folder / runs.PLOTS / f"{name}.svg").read_text(errors="replace") for name in names}
    if text != render_html.render(basis.report, basis.charts, drawn).encode():
        yield Mismatch(runs.REPORT_HTML, "as rendered", "differs from a fresh rendering")


def _pictures(basis: Basis) -> Iterator[Mismatch]:
    """The pictures beside the report are those that the records give.  One of another library version is told so."""
    folder = basis.folder / runs.PLOTS
    drawn = plots.draw(basis.data.history, basis.charts)
    for name in runs.plot_names(basis.folder):
        there = (folder / f"{name}.svg").read_text(errors="replace")
        own = drawn.get(name)
        if there != own:
            makers = (plots.maker(there), plots.own_maker())
            words = "another picture" if makers[0] == makers[1] else f"drawn by {makers[0]}, here {makers[1]}"
            words = "nothing to draw" if own is None else words
            yield Mismatch(f"{runs.PLOTS}/{name}.svg", "as drawn from the records", words)


def _same(reported: Value, counted: Number) -> bool:
    if isinstance(reported, str) or isinstance(counted, str) or reported is None or counted is None:
        return reported == counted
    return math.isclose(reported, counted, rel_tol=TOLERANCE, abs_tol=1e-12)


def _words(value: Value) -> str:
    return "UNKNOWN" if value is None else str(value)
