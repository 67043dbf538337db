"""Criteria of the bus benchmark."""

from collections.abc import Callable

from reports.rules.rule import Case, Measured, Rule

KEPT = 0.95
"""Of the even rate that was asked for: a latency at less is that of another load."""


def _whole(mode: str, figure: str) -> Callable[[Case], Measured]:
    """One figure of a mode, missed whatever it is when messages did not arrive once, in order, as they were sent."""

    def measure(case: Case) -> Measured:
        names = (figure, "odd", *(("rate", "asked_rate") if mode == "paced" else ()))
        figures = tuple(case.figures[f"busbench.{mode}.{name}"] for name in names)
        known = [each.number for each in figures if each.number is not None]
        if len(known) < len(figures):
            return Measured(None, figures)
        value, odd, *rates = known
        spoilt = f"{odd:.0f} messages did not arrive once, in order, as they were sent" if odd else ""
        if rates and rates[0] < KEPT * rates[1]:
            spoilt = "the rate that was asked for was not kept"
        return Measured(value, figures, spoilt=spoilt)

    return measure


RULES: dict[str, Rule] = {
    "bus-single": Rule(
        "Single messages over both buses", "messages/s", "at least", 45_000.0, _whole("single", "rate"), "busbench"
    ),
    "bus-ticks": Rule(
        "Ticks in batches over the bus", "ticks/s", "at least", 1_000_000.0, _whole("ticks", "rate"), "busbench"
    ),
    "bus-paced": Rule("Bus latency at an even rate, p99", "ms", "at most", 5.0, _whole("paced", "p99_ms"), "busbench"),
}
