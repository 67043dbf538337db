"""The section about the trading invariants, and what of them was not judged."""

from collections.abc import Iterator

from reports.figures import Figures
from reports.history import History
from reports.measures.invariants import NUMBERS, clauses_of
from reports.model import Claim, Row, Section, Table, row
from reports.records import Invariant

_HEADS = ("Invariant", "Outcome", "Clauses held", "Clauses unknown", "Messages judged", "Violations", "First example")


def invariants(history: History, figures: Figures) -> tuple[Section, ...]:
    """One row an invariant; none for a run that judged none."""
    records = history.of(Invariant)
    if not records:
        return ()
    words = Claim(
        "{holds} held, {broken} broken, {unknown} unknown; {silent} of {clauses} could not be judged and are listed "
        "with what was not measured.",
        {
            "holds": figures["invariants.holds"],
            "broken": figures["invariants.broken"],
            "unknown": figures["invariants.unknown"],
            "silent": figures["invariants.clauses_unknown"],
            "clauses": figures["invariants.clauses"],
        },
    )
    rows: list[Row] = []
    for number in NUMBERS:
        own = [record for record in records if record.number == number]
        fields = ("outcome", "held", "unknown", "checked", "violations")
        first = next((f"{each.phase}: {each.examples[0]}" for each in own if each.examples), "")
        title = f"{number}. {own[0].name}" if own else str(number)
        rows.append(row(title, *(figures[f"invariant.{number}.{field}"] for field in fields), first))
    return (Section("Trading invariants", (words, Table(_HEADS, tuple(rows)))),)


def unknown(history: History) -> Iterator[Row]:
    """Clauses that were not judged in any phase, each with the first reason."""
    records = history.of(Invariant)
    for (number, clause), state in clauses_of(records).items():
        if state == "UNKNOWN":
            why = next(r.why for r in records if (r.number, r.clause) == (number, clause))
            yield f"invariant {number}: {clause}", why or "no reason is recorded"
