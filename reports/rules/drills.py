"""Criteria of drills."""

from reports.rules.rule import Case, Measured, Rule, all_of, figure_of


def _worst(case: Case, start: str, end: str) -> Measured:
    """The worst of all drills; unknown when one of them had nothing to show it."""
    figures = all_of(case, start, end)
    numbers = [figure.number for figure in figures if figure.number is not None]
    return Measured(max(numbers) if numbers and len(numbers) == len(figures) else None, figures)


def _flat(case: Case) -> Measured:
    return _worst(case, "killswitch.", ".flat_s")


def _residual(case: Case) -> Measured:
    return _worst(case, "killswitch.", ".residual")


def _reverse(case: Case) -> Measured:
    """The farthest from its closed form, against the finest resolution."""
    found = _worst(case, "reverse.", ".apart_percent")
    fine = all_of(case, "reverse.", ".resolution_percent")
    target = min((figure.number for figure in fine if figure.number is not None), default=None)
    return Measured(found.value, (*found.figures, *fine), target=target)


RULES: dict[str, Rule] = {
    "kill-switch": Rule("Kill switch: time until flat", "s", "at most", 2.0, _flat),
    "kill-switch-residual": Rule("Kill switch: residual exposure", "currency units", "equal", 0.0, _residual),
    "reverse-stress": Rule("Reverse stress: distance from the closed form", "%", "at most", None, _reverse),
    "start-state": Rule(
        "Starting state: items not reached", "items", "equal", 0.0, figure_of("start.missed"), rig=True
    ),
}
