"""From figures and verdicts to a Report: the documented sections in their order, as far as measured."""

from reports import (
    criteria,
    findings,
    sections,
    sections_drills,
    sections_faults,
    sections_hardware,
    sections_invariants,
    sections_roles,
    sections_run,
    sections_soak,
    sections_testimony,
    sections_thresholds,
)
from reports.conclusions import conclusions
from reports.consistency import check
from reports.criteria import Judged, Verdict
from reports.errors import ReportError
from reports.model import Bullets, Claim, Report, Section, Table
from reports.show import value
from reports.summary import RunData, summarise


def compose(data: RunData) -> Report:
    """The report of a run. Raises ReportError when the history does not begin with a run record."""
    history = data.history
    run = history.run
    if run is None:
        why = history.broken or (history.problems[0] if history.problems else "Its history holds no run record")
        raise ReportError(f"{data.name} holds no run to report.", f"{why}.", "List the runs with: nautilus report list")
    figures = summarise(data)
    disagreements = check(history, data.logs)
    judged = criteria.judge_all(history, figures, disagreements)
    found = conclusions(judged, figures, disagreements, run.engines)
    found += findings.findings(history, data.logs, figures)
    parts = [
        sections.executive_summary(history, figures, judged, disagreements),
        *sections_thresholds.aborted(history),
        _achievements(judged),
        sections.engine_health(history, figures),
        *sections_testimony.testimonies(history, figures),
        *sections_roles.data_sources(history),
        *sections.flash_crash(history, figures),
        *sections_hardware.hardware(history, figures),
        *sections_roles.high_frequency(history, figures),
        *sections.buses(history, figures),
        *sections_invariants.invariants(history, figures),
        *sections_roles.backtesting(history, figures),
        *sections_soak.soaks(history, figures),
        *sections_drills.drills(history, figures),
        *sections_faults.faults(history, figures),
        _criteria(judged),
        sections_run.benchmarks(figures),
        sections_run.resilience(history, figures),
        Section("Conclusions and recommendations", (Bullets(tuple(found)),)),
        sections_run.not_measured(history, figures, judged),
        *sections_run.disagreements(disagreements),
        sections_run.deliverables(stamp(run.at), figures),
        sections_run.environment(history, figures),
        sections_run.evidence(judged),
        sections_run.reproduction(history, data.name),
    ]
    return Report(
        name=data.name,
        title=run.title,
        stamp=stamp(run.at),
        verdict=criteria.overall(judged),
        gap=history.gap,
        history=history,
        figures=figures,
        criteria=tuple(judged),
        disagreements=tuple(disagreements),
        sections=tuple(parts),
    )


def stamp(at: str) -> str:
    """The run's start as YYYYmmdd_HHMMSS, for file names."""
    digits = "".join(character for character in at if character.isdigit())
    return f"{digits[:8]}_{digits[8:14]}"


def _achievements(judged: list[Judged]) -> Section:
    stand = [item for item in judged if item.verdict <= Verdict.ACHIEVED]
    claims = tuple(
        Claim(
            "{title}: {measured} against a target of {target} ({verdict}).",
            {
                "title": item.title,
                "measured": value(item.measured, item.unit),
                "target": value(item.target, item.unit),
                "verdict": item.verdict.label,
            },
        )
        for item in stand
    )
    return Section("Key achievements", (Bullets(claims) if claims else Claim("None: no verdict stands."),))


def _criteria(judged: list[Judged]) -> Section:
    rows = tuple(
        (
            item.title,
            value(item.target, item.unit),
            value(item.measured, item.unit),
            item.verdict.label,
            item.note,
        )
        for item in judged
    )
    if not rows:
        return Section("Success criteria", (Claim("The mission names none, so its verdict is UNKNOWN."),))
    return Section("Success criteria", (Table(("Criterion", "Target", "Measured", "Verdict", "Note"), rows),))
