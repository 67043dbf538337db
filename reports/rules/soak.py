"""Criteria of a soak."""

from collections.abc import Callable

from reports.rules.rule import Case, Measured, Rule, all_of


def _worst(figure: str) -> Callable[[Case], Measured]:
    """The largest over the soaks; unknown when one of them lacks it."""

    def measure(case: Case) -> Measured:
        figures = all_of(case, "soak.", f".{figure}")
        numbers = [each.number for each in figures if each.number is not None]
        return Measured(max(numbers) if numbers and len(numbers) == len(figures) else None, figures)

    return measure


RULES: dict[str, Rule] = {
    "memory-growth": Rule("Growth of an engine's memory", "MB/h", "at most", 10.0, _worst("growth_worst_mb_h")),
    "file-growth": Rule("Growth of an engine's open files", "files", "at most", 10.0, _worst("files_growth")),
    "streams-bounded": Rule("Trimmed streams that only grew", "streams", "equal", 0.0, _worst("streams_unbounded")),
    "latency-drift": Rule("Latency p99, last part over first", "times", "at most", 1.5, _worst("latency_drift")),
}
