"""Criteria of the buses."""

from reports.rules.rule import Case, Measured, Rule, figure_of


def _hop(case: Case) -> Measured:
    figures = tuple(
        figure for figure in case.figures if figure.id.startswith("hop.") and figure.id.endswith(".tick-to-risk.p99_ms")
    )
    numbers = [figure.number for figure in figures if figure.number is not None]
    return Measured(max(numbers) if numbers and len(numbers) == len(figures) else None, figures)


RULES: dict[str, Rule] = {
    "zero-loss": Rule("Lost messages", "messages", "equal", 0.0, figure_of("bus.lost"), "bus"),
    "bus-rate": Rule("Message bus throughput", "messages/s", "above", 1000.0, figure_of("bus.rate_msgs_s"), "bus"),
    "tick-to-risk": Rule("Tick to risk, p99", "ms", "at most", None, _hop, "hops", informational=True),
}
