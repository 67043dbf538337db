"""Criteria of load, and of the generator itself."""

from reports.figures import Figure
from reports.rules.rule import Case, Measured, Rule, all_of, figure_of, worst_of


def _throughput(case: Case) -> Measured:
    """The lowest of the phases that have stressed seconds at all."""
    figures = tuple(case.figures[f"load.{phase}.all.rps_stressed"] for phase in case.phases)
    numbers = [figure.number for figure in figures if figure.number is not None]
    return Measured(min(numbers, default=None), figures)


def _generator(case: Case) -> Measured:
    """The lag p99 of the phase nearest to, or farthest beyond, its own limit: max(5 ms, a tenth of the p99)."""
    found: list[tuple[float, float, float]] = []
    used: list[Figure] = []
    for phase in case.phases:
        lag, p99 = case.figures[f"generator.{phase}.lag_p99_ms"], case.figures[f"load.{phase}.all.p99_ms"]
        used += [lag, p99]
        if lag.number is None or p99.number is None:
            return Measured(None, tuple(used))
        limit = max(5.0, p99.number / 10.0)
        found.append((lag.number / limit, lag.number, limit))
    if not found:
        return Measured(None, ())
    _, lag_ms, limit = max(found)
    return Measured(lag_ms, tuple(used), target=limit)


def _fast(case: Case) -> Measured:
    """The lowest of the searches' rates, missed when the server erred with the operations in flight."""
    rates, errors = all_of(case, "search.", ".best_rps"), all_of(case, "inflight.", ".server_errors")
    known = [figure.number for figure in (*rates, *errors) if figure.number is not None]
    if not rates or not errors or len(known) < len(rates) + len(errors):
        return Measured(None, (*rates, *errors))
    total = sum(known[len(rates) :])
    spoilt = f"{total:.0f} server errors with the operations in flight" if total else ""
    ends = all_of(case, "search.", ".ended_void")
    doubt = "the search ended on steps that prove nothing" if any(end.number for end in ends) else ""
    return Measured(min(known[: len(rates)]), (*rates, *errors, *ends), spoilt=spoilt, doubt=doubt)


def _in_flight(case: Case) -> Measured:
    """The phase farthest below the operations that it was to keep in flight; nineteen of twenty are enough."""
    means, wanted = all_of(case, "inflight.", ".mean"), all_of(case, "inflight.", ".operations")
    pairs = [(mean.number, goal.number) for mean, goal in zip(means, wanted, strict=True)]
    known = [(mean / goal, mean, _HELD * goal) for mean, goal in pairs if mean is not None and goal]
    if not known or len(known) < len(pairs):
        return Measured(None, (*means, *wanted))
    _, held, target = min(known)
    return Measured(held, (*means, *wanted), target=target)


_HELD = 0.95  # of the operations that were to be in flight


RULES: dict[str, Rule] = {
    "server-errors": Rule("Server errors under load", "errors", "equal", 0.0, figure_of("load.server_errors"), "load"),
    "generator-valid": Rule("Load generator lag, p99", "ms", "at most", None, _generator, "load", rig=True),
    "connections": Rule(
        "Connections held at the peak", "connections", "at least", 5000.0, worst_of("connections.{phase}.at_peak", min)
    ),
    "throughput": Rule("Requests served while stressed", "requests/s", "at least", 4000.0, _throughput, "load"),
    "hft": Rule(
        "High-frequency trading under extreme load: highest rate in time, no server error in flight",
        "requests/s",
        "at least",
        5000.0,
        _fast,
        "search",
    ),
    "in-flight": Rule("Operations kept in flight", "operations", "at least", None, _in_flight, "load", rig=True),
}
