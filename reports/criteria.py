"""Success criteria: what is judged, against what, and the verdicts.

A criterion passes on evidence only. Missing records give UNKNOWN, records that contradict each other or an invalid
generator give INVALID, and a run that is not whole can miss a criterion but cannot pass one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from reports.figures import Figure, Figures
from reports.records import CriterionTarget, Run, Unavailable

if TYPE_CHECKING:  # who only asks for the criteria's names need not load numpy
    from reports.consistency import Disagreement
    from reports.history import History


class Verdict(IntEnum):
    """Best to worst; the worst of a run's criteria is the run's."""

    EXCEEDED = 0
    """Twice as good as asked."""
    ACHIEVED = 1
    NOT_AVAILABLE = 2
    """The host lacks what it needs."""
    UNKNOWN = 3
    """Not measured, or its checker crashed."""
    INVALID = 4
    """The rig failed, not the system."""
    MISSED = 5

    @property
    def label(self) -> str:
        """The word in reports and results."""
        return self.name.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Judged:
    """One criterion with its verdict; ``figures`` are what it was judged by."""

    id: str
    title: str
    target: float | None
    measured: float | None
    unit: str
    verdict: Verdict
    note: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """What a criterion may look at."""

    run: Run
    phases: tuple[str, ...]
    figures: Figures


@dataclass(frozen=True, slots=True)
class Measured:
    """A criterion's value (None: unknown), the figures behind it, and its target where the run sets it.

    ``lacking``: what the host lacks, so that a miss is NOT AVAILABLE; ``spoilt``: why it is missed whatever the value.
    """

    value: float | None
    figures: tuple[Figure, ...]
    target: float | None = None
    lacking: str = ""
    spoilt: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """How a criterion is judged. ``compare``: above, below, at least, at most, equal. ``subject`` names the records
    whose disagreement makes it INVALID; a missed one with ``rig`` is the rig's failure, INVALID, not MISSED.
    """

    title: str
    unit: str
    compare: str
    target: float | None
    measure: Callable[[Case], Measured]
    subject: str = ""
    rig: bool = False
    informational: bool = False  # judged only where the mission sets a target
    ceiling: float | None = None  # the best possible value: EXCEEDED counts from it (availability: 100 %)


def _figure(name: str) -> Callable[[Case], Measured]:
    def measure(case: Case) -> Measured:
        figure = case.figures[name]
        return Measured(figure.number, (figure,))

    return measure


def _sum(*names: str) -> Callable[[Case], Measured]:
    def measure(case: Case) -> Measured:
        figures = tuple(case.figures[name] for name in names)
        numbers = [figure.number for figure in figures if figure.number is not None]
        return Measured(sum(numbers) if len(numbers) == len(figures) else None, figures)

    return measure


def _worst(pattern: str, worst: Callable[[list[float]], float]) -> Callable[[Case], Measured]:
    """The worst over the loaded phases; unknown when any phase lacks it."""

    def measure(case: Case) -> Measured:
        figures = tuple(case.figures[pattern.format(phase=phase)] for phase in case.phases)
        numbers = [figure.number for figure in figures if figure.number is not None]
        return Measured(worst(numbers) if numbers and len(numbers) == len(figures) else None, figures)

    return measure


def _alive(case: Case) -> Measured:
    """At the end; in a run that injects faults, before the first of them, which recovery judges."""
    before = "fleet.alive_before_faults"
    figure = case.figures[before if before in case.figures.by_id else "fleet.alive_at_end"]
    return Measured(figure.number, (figure,), target=float(len(case.run.engines)))


def _healthy_at_end(case: Case) -> Measured:
    figures = tuple(case.figures[f"engine.{engine}.status_at_end"] for engine in case.run.engines)
    known = [figure.value for figure in figures if figure.value is not None]
    healthy = float(sum(value == "healthy" for value in known)) if known and len(known) == len(figures) else None
    return Measured(healthy, figures, target=float(len(case.run.engines)))


def _throughput(case: Case) -> Measured:
    """The lowest of the phases that have stressed seconds at all."""
    figures = tuple(case.figures[f"load.{phase}.all.rps_stressed"] for phase in case.phases)
    numbers = [figure.number for figure in figures if figure.number is not None]
    return Measured(min(numbers, default=None), figures)


def _generator(case: Case) -> Measured:
    """The lag p99 of the phase nearest to, or farthest beyond, its own limit: max(5 ms, a tenth of the p99)."""
    found: list[tuple[float, float, float]] = []
    used: list[Figure] = []
    for phase in case.phases:
        lag, p99 = case.figures[f"generator.{phase}.lag_p99_ms"], case.figures[f"load.{phase}.all.p99_ms"]
        used += [lag, p99]
        if lag.number is None or p99.number is None:
            return Measured(None, tuple(used))
        limit = max(5.0, p99.number / 10.0)
        found.append((lag.number / limit, lag.number, limit))
    if not found:
        return Measured(None, ())
    _, lag_ms, limit = max(found)
    return Measured(lag_ms, tuple(used), target=limit)


def _sources(case: Case) -> Measured:
    live, lacking, asked = (case.figures[f"sources.{name}"] for name in ("live", "lacking", "asked"))
    numbers = [figure.number for figure in (live, lacking, asked)]
    if any(number is None for number in numbers):
        return Measured(None, (live, lacking, asked))
    all_lacking = (live.number or 0) + (lacking.number or 0) == asked.number
    why = "each source that is not live has no key here, or is not reached" if all_lacking else ""
    return Measured(live.number, (live, lacking, asked), lacking=why)


def _all_of(case: Case, start: str, end: str) -> tuple[Figure, ...]:
    return tuple(figure for figure in case.figures if figure.id.startswith(start) and figure.id.endswith(end))


def _fast(case: Case) -> Measured:
    """The lowest of the searches' rates, missed when the server erred with the operations in flight."""
    rates, errors = _all_of(case, "search.", ".best_rps"), _all_of(case, "inflight.", ".server_errors")
    known = [figure.number for figure in (*rates, *errors) if figure.number is not None]
    if not rates or not errors or len(known) < len(rates) + len(errors):
        return Measured(None, (*rates, *errors))
    total = sum(known[len(rates) :])
    spoilt = f"{total:.0f} server errors with the operations in flight" if total else ""
    return Measured(min(known[: len(rates)]), (*rates, *errors), spoilt=spoilt)


def _in_flight(case: Case) -> Measured:
    """The phase farthest below the operations that it was to keep in flight; nineteen of twenty are enough."""
    means, wanted = _all_of(case, "inflight.", ".mean"), _all_of(case, "inflight.", ".operations")
    pairs = [(mean.number, goal.number) for mean, goal in zip(means, wanted, strict=True)]
    known = [(mean / goal, mean, _HELD * goal) for mean, goal in pairs if mean is not None and goal]
    if not known or len(known) < len(pairs):
        return Measured(None, (*means, *wanted))
    _, held, target = min(known)
    return Measured(held, (*means, *wanted), target=target)


def _backtests(case: Case) -> Measured:
    names = ("wrong", "unexpected", "checked")
    wrong, unexpected, checked = figures = tuple(case.figures[f"backtests.{name}"] for name in names)
    if not checked.number or wrong.number is None or unexpected.number is None:
        return Measured(None, figures)
    return Measured(wrong.number + unexpected.number, figures)


def _hop(case: Case) -> Measured:
    figures = tuple(
        figure for figure in case.figures if figure.id.startswith("hop.") and figure.id.endswith(".tick-to-risk.p99_ms")
    )
    numbers = [figure.number for figure in figures if figure.number is not None]
    return Measured(max(numbers) if numbers and len(numbers) == len(figures) else None, figures)


_HELD = 0.95  # of the operations that were to be in flight

RULES: dict[str, Rule] = {
    "engines-alive": Rule("Flash-crash resilience: engines alive", "engines", "equal", None, _alive),
    "availability": Rule("Engine availability", "%", "above", 99.0, _figure("availability.percent"), ceiling=100.0),
    "normal-response": Rule("Normal response time", "ms", "below", 10.0, _figure("idle.response_ms")),
    "zero-loss": Rule("Lost messages", "messages", "equal", 0.0, _figure("bus.lost"), "bus"),
    "server-errors": Rule("Server errors under load", "errors", "equal", 0.0, _figure("load.server_errors"), "load"),
    "generator-valid": Rule("Load generator lag, p99", "ms", "at most", None, _generator, "load", rig=True),
    "connections": Rule(
        "Connections held at the peak", "connections", "at least", 5000.0, _worst("connections.{phase}.at_peak", min)
    ),
    "throughput": Rule("Requests served while stressed", "requests/s", "at least", 4000.0, _throughput, "load"),
    "bus-rate": Rule("Message bus throughput", "messages/s", "above", 1000.0, _figure("bus.rate_msgs_s"), "bus"),
    "expected-halts": Rule(
        "Halts missing or undeclared", "halts", "equal", 0.0, _sum("halts.missing", "halts.unexpected"), "halts"
    ),
    "expected-alerts": Rule("Declared alerts missing", "alerts", "equal", 0.0, _figure("alerts.missing"), "halts"),
    "pss": Rule(
        "Proportional memory of the fleet", "bytes", "at most", 1.2e9, _figure("fleet.pss_peak_bytes"), "memory"
    ),
    "recovery-complete": Rule("Faults not recovered from", "faults", "equal", 0.0, _figure("recovery.missing")),
    "faults-proven": Rule(
        "Faults not seen to be injected or healed", "faults", "equal", 0.0, _figure("faults.unproven"), rig=True
    ),
    "recovery-p95": Rule("Recovery from faults, p95", "s", "at most", 3.0, _figure("recovery.regain_p95_s")),
    "supervisor-recovery": Rule(
        "Recovery from the supervisor's end", "s", "at most", 6.0, _figure("recovery.supervisor_worst_s")
    ),
    "healthy-at-end": Rule("Engines healthy at the end", "engines", "equal", None, _healthy_at_end),
    "data-sources": Rule("External data sources connected", "sources", "at least", 8.0, _sources, "sources"),
    "connectors": Rule(
        "Connectors proven against simulators", "sources", "at least", 8.0, _figure("sources.simulated"), "sources"
    ),
    "hft": Rule(
        "High-frequency trading under extreme load: highest rate in time, no server error in flight",
        "requests/s",
        "at least",
        5000.0,
        _fast,
        "search",
    ),
    "in-flight": Rule("Operations kept in flight", "operations", "at least", None, _in_flight, "load", rig=True),
    "backtests-correct": Rule("Backtests wrong or unexpected", "requests", "equal", 0.0, _backtests, "backtests"),
    "tick-to-risk": Rule("Tick to risk, p99", "ms", "at most", None, _hop, "hops", informational=True),
}

DOCUMENTED: dict[str, str] = {
    "availability": "Engine availability",
    "normal-response": "Normal response time",
    "engines-alive": "Flash-crash resilience",
    "bus-rate": "Message bus throughput",
    "data-sources": "External data sources connected",
    "hardware": "Hardware acceleration active on key engines",
    "hft": "High-frequency trading under extreme load",
}
"""The seven criteria of the documented report; those that a mission does not measure are listed as such."""


def judge_all(history: "History", figures: Figures, disagreements: "list[Disagreement]") -> list[Judged]:
    """Judge the criteria that the run names, in its order. A criterion without a target is information, not judged."""
    from reports.measures.load import loaded_phases

    run = history.run
    if run is None:
        return []
    case = Case(run, tuple(loaded_phases(history)), figures)
    lacking = {record.criterion: record.why for record in history.of(Unavailable)}
    judged = [_judge(wanted, case, disagreements, lacking) for wanted in run.criteria]
    kept = [item for item in judged if item is not None]
    return [_lowered(item, history.gap) for item in kept] if history.gap else kept


def overall(judged: list[Judged]) -> Verdict:
    """The worst verdict; UNKNOWN when nothing was judged."""
    return max((item.verdict for item in judged), default=Verdict.UNKNOWN)


def _judge(
    wanted: CriterionTarget, case: Case, disagreements: "list[Disagreement]", lacking: dict[str, str]
) -> Judged | None:
    rule = RULES.get(wanted.id)
    if rule is None:
        why = lacking.get(wanted.id)
        verdict = Verdict.UNKNOWN if why is None else Verdict.NOT_AVAILABLE
        title = DOCUMENTED.get(wanted.id, wanted.id)
        return Judged(wanted.id, title, wanted.target, None, "", verdict, why or "this version cannot judge it", ())
    try:
        measured = rule.measure(case)
    except Exception as error:  # a checker that crashes has found nothing out
        note = f"its checker crashed: {type(error).__name__}"
        return Judged(wanted.id, rule.title, wanted.target, None, rule.unit, Verdict.UNKNOWN, note, ())
    own = measured.target if measured.target is not None else rule.target
    target = own if wanted.target is None else wanted.target
    if rule.informational and wanted.target is None:
        return None
    verdict, note = _verdict(rule, measured.value, target)
    if verdict is Verdict.MISSED and measured.lacking:
        verdict, note = Verdict.NOT_AVAILABLE, measured.lacking
    elif verdict <= Verdict.ACHIEVED and measured.spoilt:
        verdict, note = Verdict.MISSED, measured.spoilt
    contrary = [item.words for item in disagreements if item.subject == rule.subject]
    if contrary and verdict < Verdict.INVALID:
        verdict, note = Verdict.INVALID, f"records disagree: {contrary[0]}"
    if wanted.id in lacking and measured.value is None:
        verdict, note = Verdict.NOT_AVAILABLE, lacking[wanted.id]
    if wanted.target is not None and own is not None and wanted.target != own:
        note = f"{note}; the mission's own target" if note else "the mission's own target"
    return Judged(wanted.id, rule.title, target, measured.value, rule.unit, verdict, note, measured.figures)


def _verdict(rule: Rule, value: float | None, target: float | None) -> tuple[Verdict, str]:
    if value is None or target is None:
        return Verdict.UNKNOWN, "not measured"
    met = {
        "above": value > target,
        "below": value < target,
        "at least": value >= target,
        "at most": value <= target,
        "equal": value == target,
    }[rule.compare]
    if not met:
        return (Verdict.INVALID, "the rig failed, not the system") if rule.rig else (Verdict.MISSED, "")
    return (Verdict.EXCEEDED if _exceeded(rule, value, target) else Verdict.ACHIEVED), ""


def _exceeded(rule: Rule, value: float, target: float) -> bool:
    """Twice as good as asked: half the time, twice the rate, half the distance from the ceiling."""
    if rule.rig or rule.compare == "equal":
        return False
    if rule.ceiling is not None:
        return rule.ceiling - value <= (rule.ceiling - target) / 2
    return value >= 2 * target if rule.compare in {"above", "at least"} else value <= target / 2


def _lowered(item: Judged, gap: str) -> Judged:
    if item.verdict > Verdict.ACHIEVED:
        return item
    note = f"the run is not whole: {gap}"
    return Judged(item.id, item.title, item.target, item.measured, item.unit, Verdict.UNKNOWN, note, item.figures)
