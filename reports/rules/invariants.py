"""Criteria of the trading invariants."""

from reports.rules.rule import Case, Measured, Rule


def _broken(case: Case) -> Measured:
    """Broken ones; with none broken, but one of the eleven unknown, nothing is known."""
    names = ("invariants.broken", "invariants.unknown", "invariants.holds", "invariants.clauses_unknown")
    figures = tuple(case.figures[name] for name in names)
    broken, unknown = (figure.number for figure in figures[:2])
    return Measured(broken if broken or unknown == 0 else None, figures)


RULES: dict[str, Rule] = {
    "invariants": Rule("Trading invariants broken", "invariants", "equal", 0.0, _broken),
}
