"""Figures about the trading invariants: of each of the eleven whether it held, and of its clauses.

An invariant holds when none of its clauses is broken and at least one holds in every phase in which there was something
for it to judge.  A clause that is UNKNOWN does not lower it: what it leaves open is listed, with the reason.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from reports.figures import Figure, in_history
from reports.history import History
from reports.records import Invariant

NUMBERS = range(1, 12)
OUTCOMES = ("holds", "broken", "unknown")
RULE = "no clause broken, and one at least held wherever there was something to judge"


def measure(history: History) -> Iterator[Figure]:
    """All figures about invariants; none for a run that judged none."""
    records = history.of(Invariant)
    if not records:
        return
    source = (in_history("invariant", records),)
    outcomes = {number: outcome(records, number) for number in NUMBERS}
    for name in OUTCOMES:
        count = sum(found == name.upper() for found in outcomes.values())
        yield Figure(f"invariants.{name}", count, "invariants", f"of eleven ({RULE}): {name}", source)
    clauses = clauses_of(records)
    yield Figure("invariants.clauses", len(clauses), "clauses", "distinct clauses that were asked", source)
    silent = sum(state == "UNKNOWN" for state in clauses.values())
    yield Figure(
        "invariants.clauses_unknown", silent, "clauses", "clauses that held in no phase, nor were broken", source
    )
    for number in NUMBERS:
        own = [record for record in records if record.number == number]
        where = (in_history("invariant", own, number=str(number)),)
        states = [state for (owner, _), state in clauses.items() if owner == number]
        name = f"invariant.{number}"
        yield Figure(f"{name}.outcome", outcomes[number], "text", RULE, where)
        yield Figure(f"{name}.held", states.count("HOLDS"), "clauses", "of its clauses: held", where)
        yield Figure(f"{name}.unknown", states.count("UNKNOWN"), "clauses", "of its clauses: not judged", where)
        yield Figure(
            f"{name}.checked", sum(r.checked for r in own), "messages", "messages judged, by each of its clauses", where
        )
        yield Figure(f"{name}.violations", sum(r.violations for r in own), "violations", "breaches found", where)


def outcome(records: Sequence[Invariant], number: int) -> str:
    """HOLDS, BROKEN or UNKNOWN of one invariant, over all phases."""
    phases: dict[str, list[Invariant]] = defaultdict(list)
    for record in records:
        phases[record.phase].append(record)
    own = [record for record in records if record.number == number]
    if any(record.outcome == "BROKEN" for record in own):
        return "BROKEN"
    judged = all(_judged(found, number) for found in phases.values())
    return "HOLDS" if judged and any(record.outcome == "HOLDS" for record in own) else "UNKNOWN"


def _judged(phase: Sequence[Invariant], number: int) -> bool:
    """Whether a clause of it held in this phase, or there was nothing for any while others held."""
    own = [record for record in phase if record.number == number]
    if any(record.outcome == "HOLDS" for record in own):
        return True
    return bool(own) and not any(record.checked for record in own) and any(r.outcome == "HOLDS" for r in phase)


def clauses_of(records: Sequence[Invariant]) -> Mapping[tuple[int, str], str]:
    """Each clause over all phases: broken if it was in one, else held if it did in one."""
    found: dict[tuple[int, str], str] = {}
    for record in records:
        before = found.get((record.number, record.clause), "UNKNOWN")
        found[record.number, record.clause] = max(before, record.outcome, key=("UNKNOWN", "HOLDS", "BROKEN").index)
    return found
