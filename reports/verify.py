"""Does the report say what the records say? Chain, seal, schemas, evidence, and every figure and verdict counted anew.

The second path (``recount``, ``recount_hdr``, ``recount_verdicts``) shares no code with the first, so a fault in either
shows as a difference. Documents are compared byte for byte with a fresh rendering.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import msgspec

from reports import render_html, render_json, runs, seal, signature, summary
from reports.compose import compose
from reports.figures import Value
from reports.history import History
from reports.model import Report
from reports.records import HISTORY
from reports.recount import Counts, Database, Number, open_history, recount
from reports.recount_hdr import HdrLogs
from reports.recount_verdicts import Verdicts
from reports.render_json import CriterionJson, EvidenceJson, FigureJson, ResultsJson

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


def verify(folder: Path, key: bytes | None = None) -> Verification:
    """Check a run folder; with a key, its signature too. Raises ReportError when it holds no history."""
    data = summary.read(folder)
    history = data.history
    sealed, found = _seal(folder)
    signed = signature.check(folder, key)
    if sealed and signed in ("wrong", "absent"):
        found.append(Mismatch(signature.SIGNATURE, "signed with the key that was given", signed))
    found += _history(history, sealed)
    figures = 0
    if history.run is None:
        found.append(Mismatch(HISTORY, "a run", "no run record at its start"))
    else:
        report = compose(data)
        figures, differences = _recount(folder, report, sealed)
        found += differences
        found += _documents(folder, report, sealed)
    if found:
        return Verification(False, "mismatch", figures, tuple(found), signed)
    if not sealed:
        return Verification(False, "interrupted", figures, (), signed)
    return Verification(True, "ok", figures, (), signed)


def _seal(folder: Path) -> tuple[bool, list[Mismatch]]:
    try:
        manifest = seal.read(folder)
    except msgspec.DecodeError as error:
        return True, [Mismatch(seal.MANIFEST, "a manifest", str(error))]
    if manifest is None:
        return False, []
    pairs = (words.split(": ", 1) for words in seal.differences(folder, manifest))
    return True, [Mismatch(name, "as sealed", why) for name, why in pairs]


def _history(history: History, sealed: bool) -> list[Mismatch]:
    """A torn tail is what a crash leaves of a run that was never sealed; anything else broken is a mismatch."""
    found = [Mismatch(HISTORY, "records", problem) for problem in history.problems]
    torn = history.broken is not None and "cut in mid-line" in history.broken
    if history.broken is not None and (sealed or not torn):
        found.append(Mismatch(HISTORY, "a whole chain", history.broken))
    return found


def _recount(folder: Path, report: Report, sealed: bool) -> tuple[int, list[Mismatch]]:
    path = folder / render_json.results_name(report)
    try:
        results = msgspec.json.decode(path.read_bytes(), type=ResultsJson)
    except FileNotFoundError:
        return 0, [Mismatch(path.name, "the results", "missing")] if sealed else []
    except msgspec.DecodeError as error:
        return 0, [Mismatch(path.name, "the results", str(error))]
    import duckdb

    with duckdb.connect() as connection:
        db = cast(Database, connection)
        try:
            return _second_path(folder, db, results)
        except Exception as error:  # raw fields may hold anything: what cannot be counted does not verify
            why = f"{type(error).__name__}: {str(error).splitlines()[:1]}"
            return 0, [Mismatch(HISTORY, "records that can be counted", why)]


def _second_path(folder: Path, db: Database, results: ResultsJson) -> tuple[int, list[Mismatch]]:
    open_history(folder / HISTORY, db)
    logs = HdrLogs(folder)
    counted = recount(folder, db, logs)
    verdicts = Verdicts(logs, db, counted)
    found = [
        *_figures(results["figures"], counted),
        *_criteria(results["run"]["criteria"], verdicts.all()),
        *_evidence(folder, db, results),
    ]
    if results["run"]["verdict"] != verdicts.overall():
        found.append(Mismatch("verdict", results["run"]["verdict"], verdicts.overall()))
    return len(counted), found


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


def _evidence(folder: Path, db: Database, results: ResultsJson) -> Iterator[Mismatch]:
    counts = Counts(db)
    checked: dict[str, str | None] = {}
    for owner in (*results["figures"], *results["run"]["criteria"]):
        for source in owner["evidence"]:
            name = f"evidence {source['file']} {source['where']} ({source['count']})"
            if name not in checked:
                checked[name] = _missing(folder, counts, source)
            missing = checked[name]
            if missing is not None:
                yield Mismatch(owner["id"], name, missing)


def _missing(folder: Path, counts: Counts, source: EvidenceJson) -> str | None:
    if not (folder / source["file"]).is_file():
        return "no such file"
    if source["file"] != HISTORY:
        return None
    count = counts.where(source["where"])
    return None if count == source["count"] else f"{count} records instead of {source['count']}"


def _documents(folder: Path, report: Report, sealed: bool) -> Iterator[Mismatch]:
    fresh = runs.documents(report, runs.plot_names(folder))
    for name, content in fresh.items():
        path = folder / name
        if not path.is_file():
            told = name == render_json.results_name(report)  # its absence, already
            if sealed and not told and name not in runs.OPTIONAL:
                yield Mismatch(name, "as rendered", "missing")
        elif path.read_bytes() != content:
            yield Mismatch(name, "as rendered", "differs from a fresh rendering")
    page = folder / runs.REPORT_HTML
    if page.is_file():
        text = page.read_text(encoding="utf-8", errors="replace")
        if render_html.without_plots(text) != render_html.render(report):
            yield Mismatch(runs.REPORT_HTML, "as rendered", "differs from a fresh rendering")


def _same(reported: Value, counted: Number) -> bool:
    if isinstance(reported, str) or isinstance(counted, str) or reported is None or counted is None:
        return reported == counted
    return math.isclose(reported, counted, rel_tol=TOLERANCE, abs_tol=1e-12)


def _words(value: Value) -> str:
    return "UNKNOWN" if value is None else str(value)
