"""Criteria of the external sources of data."""

from reports.rules.rule import Case, Measured, Rule, figure_of


def _sources(case: Case) -> Measured:
    live, lacking, asked = (case.figures[f"sources.{name}"] for name in ("live", "lacking", "asked"))
    numbers = [figure.number for figure in (live, lacking, asked)]
    if any(number is None for number in numbers):
        return Measured(None, (live, lacking, asked))
    all_lacking = (live.number or 0) + (lacking.number or 0) == asked.number
    why = "each source that is not live has no key here, or is not reached" if all_lacking else ""
    return Measured(live.number, (live, lacking, asked), lacking=why)


RULES: dict[str, Rule] = {
    "data-sources": Rule("External data sources connected", "sources", "at least", 8.0, _sources, "sources"),
    "connectors": Rule(
        "Connectors proven against simulators", "sources", "at least", 8.0, figure_of("sources.simulated"), "sources"
    ),
}
