"""Criteria of what engines say of themselves, and how promptly they say anything."""

from reports.rules.rule import Rule, figure_of

RULES: dict[str, Rule] = {
    "honest-health": Rule(
        "Engines whose health contradicts the records", "engines", "equal", 0.0, figure_of("health.contradicted")
    ),
    "prompt-answers": Rule("Engines that answer late", "engines", "equal", 0.0, figure_of("load.late"), "load"),
}
