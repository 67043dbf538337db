"""All checkers over one run's evidence."""

from stress.checks import causality, fills, halts, limits, margin, orders, positions, quotes, sequences, vpin
from stress.checks.evidence import Evidence
from stress.checks.violation import Clause, Outcome, judge

NAMES = {
    1: "an order's life",
    2: "fills",
    3: "positions, cash and equity",
    4: "no match in a halt",
    5: "halts by the rulebook",
    6: "risk limits",
    7: "margin",
    8: "VPIN",
    9: "causality",
    10: "sequences and the recorder",
    11: "quotes and the tape's pins",
}
CLAUSES: tuple[Clause, ...] = tuple(
    sorted(
        (
            clause
            for group in (orders, fills, positions, halts, limits, margin, vpin, causality, sequences, quotes)
            for clause in group.CLAUSES
        ),
        key=lambda clause: clause.invariant,
    )
)


def run_all(evidence: Evidence) -> list[Outcome]:
    """Every clause of the eleven invariants, judged; what cannot be judged is UNKNOWN."""
    return [judge(clause, evidence) for clause in CLAUSES]
