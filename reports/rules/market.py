"""Criteria of the market's events."""

from reports.rules.rule import Rule, sum_of

RULES: dict[str, Rule] = {
    "expected-halts": Rule(
        "Halts missing or undeclared", "halts", "equal", 0.0, sum_of("halts.missing", "halts.unexpected"), "halts"
    ),
    "expected-alerts": Rule(
        "Alerts missing or undeclared", "alerts", "equal", 0.0, sum_of("alerts.missing", "alerts.unexpected"), "halts"
    ),
    "expected-denials": Rule(
        "Reasons of refused orders missing or undeclared",
        "codes",
        "equal",
        0.0,
        sum_of("denials.missing", "denials.unexpected"),
        "halts",
    ),
}
