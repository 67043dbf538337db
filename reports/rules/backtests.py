"""Criteria of backtests."""

from reports.rules.rule import Case, Measured, Rule


def _backtests(case: Case) -> Measured:
    names = ("wrong", "unexpected", "checked")
    wrong, unexpected, checked = figures = tuple(case.figures[f"backtests.{name}"] for name in names)
    if not checked.number or wrong.number is None or unexpected.number is None:
        return Measured(None, figures)
    return Measured(wrong.number + unexpected.number, figures)


RULES: dict[str, Rule] = {
    "backtests-correct": Rule("Backtests wrong or unexpected", "requests", "equal", 0.0, _backtests, "backtests"),
}
