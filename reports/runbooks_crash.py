"""Runbook: prices fall, breakers trip, orders are halted."""

from reports.model import Cell, Claim, Report
from reports.records import Alert, Halt, Tape
from reports.runbook import NO_LIMIT, Runbook, Step, limits, missed
from reports.sections import market_time

_CRITERIA = ("engines-alive", "expected-halts", "expected-alerts", "tick-to-risk", "zero-loss")
RISK = "risk"
"""The engine that trips the breakers, when no halt names its source."""


def book(report: Report) -> Runbook | None:
    """None for a run that replayed no tape."""
    if not report.history.of(Tape):
        return None
    return Runbook(
        title="Flash-crash response",
        purpose=Claim("For when prices fall and breakers trip: who must act, how fast, and what must not get lost."),
        thresholds=(*limits(report.criteria, *_CRITERIA), *_stages(report)),
        signatures=(*missed(report.criteria, *_CRITERIA), *_halts(report), *_alerts(report)),
        steps=_steps(report),
    )


def _stages(report: Report) -> tuple[tuple[str, Cell, Cell], ...]:
    stages = [item.id.removesuffix(".p99_ms") for item in report.figures
              if item.id.startswith("hop.") and item.id.endswith(".p99_ms")]  # fmt: skip
    return tuple((f"{stage.split('.')[-1]}, p99", report.figures[f"{stage}.p99_ms"], NO_LIMIT) for stage in stages)


def _halts(report: Report) -> list[Claim]:
    words = "{kind} {where} at {start} by {rule}, seen by {source}, over at {end}."
    return [
        Claim(
            words,
            {
                "kind": halt.kind,
                "where": halt.symbol or "of the whole market",
                "start": market_time(halt.start_ns),
                "end": market_time(halt.end_ns) if halt.end_ns is not None else "no time: still open",
                "rule": halt.rule,
                "source": halt.source,
            },
        )
        for halt in report.history.of(Halt)
    ]


def _alerts(report: Report) -> list[Claim]:
    return [
        Claim(
            "Alert {kind} of {source}: {detail}.",
            {"kind": a.kind, "source": a.source, "detail": a.detail or "no more was said"},
        )
        for a in report.history.of(Alert)
    ]


def _steps(report: Report) -> tuple[Step, ...]:
    figures, run = report.figures, report.history.run
    sources = [halt.source for halt in report.history.of(Halt)] + [alert.source for alert in report.history.of(Alert)]
    halts: dict[str, Cell] = {"seen": figures["halts.observed"], "missing": figures["halts.missing"]}
    own = {"engine": sources[0] if sources else RISK}
    tape = report.history.of(Tape)[-1]
    steps = [
        Step(Claim("See that the engine that trips the breakers is healthy itself.", own),
             "nautilus health {engine}", own),
        Step(Claim("See which halts are in force; seen here: {seen}, missing: {missing}.", halts),
             "nautilus bus tail halts"),
        Step(Claim("See what was warned of before."), "nautilus bus tail risk-alerts"),
        Step(Claim("Read why: the breaker's own words."), "nautilus logs {engine} --grep 'halt|breaker|limit'", own),
        Step(Claim("See that no consumer is behind and nothing lost; here: {lost}.", {"lost": figures["bus.lost"]}),
             "nautilus bus stats"),
        Step(Claim("See what the day pins, and which halts its rulebook lets one expect."),
             "nautilus data scenario {scenario}", {"scenario": tape.scenario}),
    ]  # fmt: skip
    if run is not None:
        again = {"mission": run.mission, "seed": str(run.seed)}
        steps.append(
            Step(Claim("Plan the same crash again; without the last word, a fleet of its own is started for it."),
                 "nautilus stress {mission} --seed {seed} --dry-run", again)
        )  # fmt: skip
    return tuple(steps)
