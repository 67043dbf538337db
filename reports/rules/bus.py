"""Criteria of the buses."""

from reports.rules.rule import Case, Measured, Rule, all_of, figure_of


def _hop(case: Case) -> Measured:
    """The worst phase, but for those in which faults were injected: recovery judges them."""
    found = all_of(case, "hop.", ".tick-to-risk.p99_ms")
    struck = tuple(f"hop.{phase}." for phase in case.struck)
    figures = tuple(figure for figure in found if not figure.id.startswith(struck))
    numbers = [figure.number for figure in figures if figure.number is not None]
    return Measured(max(numbers) if numbers and len(numbers) == len(figures) else None, figures)


def _staleness(case: Case) -> Measured:
    figures = all_of(case, "staleness.", ".share_over_100ms")
    numbers = [figure.number for figure in figures if figure.number is not None]
    return Measured(max(numbers) if numbers and len(numbers) == len(figures) else None, figures)


def _rate(case: Case) -> Measured:
    """The benchmark's where there was one: the ledger's is what the tape asked for, not what the buses can carry."""
    bench = case.figures["busbench.single.rate"]
    figure = bench if bench.number is not None else case.figures["bus.rate_msgs_s"]
    return Measured(figure.number, (figure,))


RULES: dict[str, Rule] = {
    "zero-loss": Rule("Lost messages", "messages", "equal", 0.0, figure_of("bus.lost"), "bus"),
    "bus-rate": Rule("Message bus throughput", "messages/s", "above", 1000.0, _rate, "bus"),
    "tick-to-risk": Rule("Tick to risk, p99", "ms", "at most", None, _hop, "hops", informational=True),
    "staleness": Rule(
        "Decisions on data older than 100 ms", "%", "at most", None, _staleness, "hops", informational=True
    ),
}
