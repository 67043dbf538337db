"""Success criteria: what is judged, against what, and the verdicts.

A criterion passes on evidence only. Missing records give UNKNOWN, records that contradict each other or an invalid
generator give INVALID, and a run that is not whole can miss a criterion but cannot pass one.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from reports.figures import Figure, Figures
from reports.records import CriterionTarget, Unavailable
from reports.rules import DOCUMENTED, RULES, thresholds
from reports.rules.rule import Case, Rule

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


def judge_all(history: "History", figures: Figures, disagreements: "list[Disagreement]") -> list[Judged]:
    """Judge the criteria that the run names, in its order, then its own thresholds.

    A criterion without a target is information, not judged.
    """
    from reports.measures.faults import struck
    from reports.measures.load import loaded_phases

    run = history.run
    if run is None:
        return []
    case = Case(run, tuple(loaded_phases(history)), figures, struck(history))
    lacking = {record.criterion: record.why for record in history.of(Unavailable)}
    own = thresholds.own(run.thresholds, aborted="aborts.held" in figures.by_id)
    judged = [_judge(wanted, RULES.get(wanted.id), case, disagreements, lacking) for wanted in run.criteria]
    judged += [_judge(CriterionTarget(id=name), rule, case, disagreements, lacking) for name, rule in own.items()]
    kept = [item for item in judged if item is not None]
    return [_lowered(item, history.gap, broken=history.word == "broken") for item in kept] if history.gap else kept


def overall(judged: list[Judged]) -> Verdict:
    """The worst verdict; UNKNOWN when nothing was judged."""
    return max((item.verdict for item in judged), default=Verdict.UNKNOWN)


def _judge(
    wanted: CriterionTarget,
    rule: Rule | None,
    case: Case,
    disagreements: "list[Disagreement]",
    lacking: dict[str, str],
) -> Judged | None:
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
    elif verdict is Verdict.MISSED and measured.doubt:
        verdict, note = Verdict.INVALID, measured.doubt
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


def _lowered(item: Judged, gap: str, *, broken: bool) -> Judged:
    """What a run that is not whole cannot pass; a broken runner is a rig that failed, and leaves nothing unknown."""
    if item.verdict > Verdict.ACHIEVED and not (broken and item.verdict is Verdict.UNKNOWN):
        return item
    verdict = Verdict.INVALID if broken else Verdict.UNKNOWN
    note = f"the run is not whole: {gap}"
    return Judged(item.id, item.title, item.target, item.measured, item.unit, verdict, note, item.figures)
