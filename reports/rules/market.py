"""Criteria of the market's events."""

from reports.rules.rule import Rule, figure_of, sum_of

RULES: dict[str, Rule] = {
    "expected-halts": Rule(
        "Halts missing or undeclared", "halts", "equal", 0.0, sum_of("halts.missing", "halts.unexpected"), "halts"
    ),
    "expected-alerts": Rule("Declared alerts missing", "alerts", "equal", 0.0, figure_of("alerts.missing"), "halts"),
}
