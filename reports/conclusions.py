"""Conclusions and recommendations: rules over what was found, never free text."""

from collections.abc import Iterator

from reports import show
from reports.consistency import Disagreement
from reports.criteria import Judged, Verdict
from reports.figures import Figures
from reports.model import Cell, Claim

ADVICE: dict[str, str] = {
    "engines-alive": "Read the last lines of the engine that died: nautilus logs ENGINE",
    "availability": "See which probes failed and in which phase: nautilus report show",
    "normal-response": "Look for the engine that answers slowly at rest: nautilus health --watch",
    "zero-loss": "Compare the ledger's rows: the consumer with lost messages is named in the table of the buses.",
    "server-errors": "Read the log of the engine whose row shows errors: nautilus logs ENGINE",
    "generator-valid": "The generator could not keep its schedule: lower the mission's share of the capacity, or close "
    "what else runs on this machine, and run again.",
    "connections": "Check the limit of open files: nautilus doctor",
    "throughput": "The rate is a share of this machine's calibrated capacity: compare it with the calibration.",
    "bus-rate": "Compare the slowest consumer of each topic in the table of the buses.",
    "expected-halts": "Compare declared and observed halts with the rulebook: nautilus stress MISSION --dry-run",
    "honest-health": "What such an engine says of itself is worth nothing: read its log, and its own code if it is not "
    "one that ships: nautilus logs ENGINE",
    "prompt-answers": "See what holds up the engine that is named below: nautilus why ENGINE",
    "pss": "See which process grew in the table of the processes.",
}


def conclusions(
    judged: list[Judged], figures: Figures, disagreements: list[Disagreement], engines: list[str]
) -> list[Claim]:
    """What follows from the verdicts and figures, worst first."""
    return [
        *_verdicts(judged),
        *(Claim("The records of {subject} contradict each other, so what rests on them is INVALID.", {"subject": name})
          for name in dict.fromkeys(item.subject for item in disagreements)),
        *_findings(figures),
        *_slowest(figures, engines),
    ]  # fmt: skip


def _verdicts(judged: list[Judged]) -> Iterator[Claim]:
    if judged and all(item.verdict <= Verdict.ACHIEVED for item in judged):
        yield Claim("Every judged criterion stands.")
    for item in sorted(judged, key=lambda item: -item.verdict):
        if item.verdict <= Verdict.NOT_AVAILABLE:
            continue
        slots = {
            "title": item.title,
            "verdict": item.verdict.label,
            "measured": show.value(item.measured, item.unit),
            "target": show.value(item.target, item.unit),
            "advice": ADVICE.get(item.id, ""),
            "note": f" ({item.note})" if item.note else "",
        }
        yield Claim("{title}: {verdict}, {measured} against {target}{note}. {advice}", slots)


def _findings(figures: Figures) -> Iterator[Claim]:
    dead = figures["bus.dead_lettered"]
    if dead.number:
        yield Claim(
            "{dead} were set aside as undecodable or refused: read why in the log of their consumer.", {"dead": dead}
        )
    again = figures["bus.redeliveries"]
    if again.number:
        yield Claim("{again} were delivered more than once; their effects are counted once.", {"again": again})
    unsent = [figure for figure in figures if figure.id.endswith(".all.unsent") and figure.number]
    for figure in unsent:
        yield Claim(
            "{unsent} were due and never sent; they count in the percentiles at their full time.", {"unsent": figure}
        )


def _slowest(figures: Figures, engines: list[str]) -> Iterator[Claim]:
    phases = [figure.id.split(".")[1] for figure in figures if figure.id.endswith(".all.p99_ms")]
    for phase in phases:
        timed = [(figures[f"load.{phase}.{engine}.p99_ms"], engine) for engine in engines]
        known = [(figure.number, engine, figure) for figure, engine in timed if figure.number is not None]
        if known:
            _, engine, figure = max(known, key=lambda item: (item[0], item[1]))
            slots: dict[str, Cell] = {"engine": engine, "phase": phase, "p99": figure}
            yield Claim("The slowest engine of phase {phase} is {engine}, with a p99 of {p99}.", slots)
