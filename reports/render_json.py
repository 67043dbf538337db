"""A Report as JSON: every figure with its evidence, every criterion; stable field order, finite numbers."""

import math
from collections.abc import Iterator
from typing import TypedDict

import msgspec

from reports.criteria import Judged
from reports.errors import ReportError
from reports.figures import Evidence, Figure, Value
from reports.model import Report
from reports.parts import PARTS, Part, file_name, present
from reports.records import Phase


class EvidenceJson(TypedDict):
    """Where a figure comes from."""

    file: str
    where: dict[str, str]
    count: int | None


class FigureJson(TypedDict):
    """A figure; a null value is UNKNOWN."""

    id: str
    value: Value
    unit: str
    how: str
    evidence: list[EvidenceJson]


class CriterionJson(TypedDict):
    """A criterion with its verdict."""

    id: str
    title: str
    target: float | None
    measured: float | None
    unit: str
    verdict: str
    evidence: list[EvidenceJson]
    figures: list[str]
    note: str


class PhaseJson(TypedDict):
    """A phase that was begun."""

    name: str
    measured: bool
    seconds: float | None


class RunJson(TypedDict):
    """Schema ``nautilus.run/1``."""

    schema: str
    run_id: str
    folder: str
    mission: str
    verdict: str
    status: str
    criteria: list[CriterionJson]
    phases: list[PhaseJson]


class ResultsJson(TypedDict):
    """Schema ``nautilus.results/1``; ``records``: SHA-256 of each record file that it was made from."""

    schema: str
    run: RunJson
    records: dict[str, str]
    figures: list[FigureJson]
    disagreements: list[dict[str, str]]


class PartJson(TypedDict):
    """Figures and criteria of one part of a run."""

    schema: str
    run_id: str
    mission: str
    status: str
    criteria: list[CriterionJson]
    figures: list[FigureJson]


class MessageBusJson(PartJson):
    """Schema ``nautilus.messagebus/1``."""


class BacktestingJson(PartJson):
    """Schema ``nautilus.backtesting/1``."""


def results_name(report: Report) -> str:
    """The name of the file that holds every figure."""
    return f"comprehensive_stress_test_results_{report.stamp}.json"


def run_document(report: Report) -> RunJson:
    """The run in short."""
    run = report.history.run
    return RunJson(
        schema="nautilus.run/1",
        run_id=run.run_id if run else "",
        folder=report.name,
        mission=run.mission if run else "",
        verdict=report.verdict.label,
        status="complete" if report.gap is None else f"{report.history.word}: {report.gap}",
        criteria=[_criterion(item) for item in report.criteria],
        phases=_phases(report.history.of(Phase)),
    )


def results_document(report: Report) -> ResultsJson:
    """The run with every figure."""
    return ResultsJson(
        schema="nautilus.results/1",
        run=run_document(report),
        records=report.history.digests,
        figures=[_figure(figure) for figure in report.figures],
        disagreements=[{"subject": item.subject, "words": item.words} for item in report.disagreements],
    )


def part_document(report: Report, what: Part) -> PartJson:
    """The run's figures and criteria of one part."""
    run = report.history.run
    figures = [figure for figure in report.figures if figure.id.startswith(PARTS[what])]
    names = {figure.id for figure in figures}
    criteria = [item for item in report.criteria if names & {figure.id for figure in item.figures}]
    return PartJson(
        schema=f"nautilus.{what}/1",
        run_id=run.run_id if run else "",
        mission=run.mission if run else "",
        status="complete" if report.gap is None else f"{report.history.word}: {report.gap}",
        criteria=[_criterion(item) for item in criteria],
        figures=[_figure(figure) for figure in figures],
    )


def parts(report: Report) -> dict[str, PartJson]:
    """The documents of parts that the run has, by file name."""
    return {file_name(what, report.stamp): part_document(report, what) for what in present(report.figures)}


def dump(document: RunJson | ResultsJson | PartJson) -> bytes:
    """Indented JSON with a newline at the end. Raises ReportError on a number that is not finite: JSON has none."""
    for number in _numbers(document):
        if not math.isfinite(number):
            raise ReportError(
                f"A figure came out as {number}, which is no finite number.",
                "The records hold values that no measurement gives.",
                "Look for them in history.jsonl",
            )
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _numbers(node: object) -> Iterator[float]:
    if isinstance(node, float):
        yield node
    elif isinstance(node, dict | list):
        for item in node.values() if isinstance(node, dict) else node:
            yield from _numbers(item)


def _criterion(item: Judged) -> CriterionJson:
    return CriterionJson(
        id=item.id,
        title=item.title,
        target=item.target,
        measured=item.measured,
        unit=item.unit,
        verdict=item.verdict.label,
        evidence=[_evidence(source) for source in dict.fromkeys(e for f in item.figures for e in f.evidence)],
        figures=[figure.id for figure in item.figures],
        note=item.note,
    )


def _figure(figure: Figure) -> FigureJson:
    evidence = [_evidence(source) for source in figure.evidence]
    return FigureJson(id=figure.id, value=figure.value, unit=figure.unit, how=figure.how, evidence=evidence)


def _evidence(source: Evidence) -> EvidenceJson:
    return EvidenceJson(file=source.file, where=dict(source.where), count=source.count)


def _phases(phases: list[Phase]) -> list[PhaseJson]:
    ends = {phase.name: phase.mono_ns for phase in phases if phase.event == "end"}
    return [
        PhaseJson(
            name=phase.name,
            measured=phase.measured,
            seconds=(ends[phase.name] - phase.mono_ns) / 1e9 if phase.name in ends else None,
        )
        for phase in phases
        if phase.event == "start"
    ]
