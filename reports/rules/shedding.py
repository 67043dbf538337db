"""The criterion of shedding."""

from reports.figures import Figure
from reports.rules.rule import Case, Measured, Rule

_FIRST, _COUNT = ".kept_after_risk", ".engines"


def _order(case: Case) -> Measured:
    """The worst of the phases that asked risk and had no announced fault.

    Unknown when there is none; and when nobody shed in any of them, since then there was no order to see.
    """
    kept: list[Figure] = []
    shed: list[Figure] = []
    for phase in case.phases:
        if phase not in case.struck and f"shed.{phase}{_FIRST}" in case.figures.by_id:
            kept.append(case.figures[f"shed.{phase}{_FIRST}"])
            shed.append(case.figures[f"shed.{phase}{_COUNT}"])
    worst = max((figure.number or 0.0 for figure in kept), default=0.0)
    seen = any(figure.number for figure in shed)
    return Measured(worst if seen else None, (*kept, *shed))


RULES: dict[str, Rule] = {
    "shedding-order": Rule("Engines that still kept up when risk shed", "engines", "equal", 0.0, _order, "load"),
}
