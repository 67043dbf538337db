"""Figures about backtests in number: what came of each request, and how a sample compares with an own computation."""

import math
from collections.abc import Iterator

from reports.figures import Figure, in_history, mean
from reports.history import History
from reports.measures.faults import nearest_rank
from reports.records import BacktestResult, Backtests

TOLERANCE = 1e-9
"""Relative, and absolute near zero: both sides compute in integers of 1/10,000 and divide at the end."""


def measure(history: History) -> Iterator[Figure]:
    """All figures about backtests; none for a run that made none."""
    results, accounts = history.of(BacktestResult), history.of(Backtests)
    if not results and not accounts:
        return
    source = (in_history("backtest_result", results),)

    def count(name: str, words: str, chosen: Iterator[bool]) -> Figure:
        return Figure(f"backtests.{name}", sum(chosen), "requests", words, source)

    yield Figure("backtests.executed", len(results), "requests", "requests for backtests that were made", source)
    for outcome in ("succeeded", "rejected", "failed"):
        yield count(outcome, f"requests that {outcome}", (result.outcome == outcome for result in results))
    words = "requests that came out otherwise than they should: failed, refused, or not refused"
    yield count("unexpected", words, (result.outcome != result.wanted for result in results))
    yield count("checked", "answers that were computed again", (bool(result.independent) for result in results))
    words = "answers that differ from the own computation in any figure"
    yield count("wrong", words, (differs(result) for result in results))
    runs, seconds = sum(result.runs for result in results), math.fsum(account.seconds for account in accounts)
    yield Figure("backtests.runs", runs, "backtests", "backtests of the answers, those of sweeps one by one", source)
    rate = runs / seconds if seconds else None
    yield Figure(
        "backtests.rate", rate, "backtests/s", "backtests per second", (*source, in_history("backtests", accounts))
    )
    times = [result.milliseconds for result in results if result.outcome == "succeeded"]
    average = mean(times) if times else None
    yield Figure("backtests.mean_ms", average, "ms", "mean time of a request that succeeded", source)
    yield Figure("backtests.p95_ms", nearest_rank(times, 95.0), "ms", "95th percentile of the same", source)


def differs(result: BacktestResult) -> bool:
    """Whether the answer lacks a figure of the own computation, or has it otherwise."""
    return any(
        name not in result.values or not math.isclose(result.values[name], value, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        for name, value in result.independent.items()
    )
