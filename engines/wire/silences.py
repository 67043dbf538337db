"""When the real day stood still: its market-wide halts, from the moments at which the index passed their levels."""

from engines.wire.rulebook import INDEX, Trip, rules
from engines.wire.scenario import Scenario
from engines.wire.session import NS, epoch_ns, open_ns

Span = tuple[float, float]


def real_trips(scenario: Scenario) -> tuple[Trip, ...]:
    """The market-wide halts that ``scenario.passages`` brought, by the rulebook of the scenario's own day."""
    rule = rules(scenario.date).market_wide
    if rule is None:
        return ()
    at = ((passage.level, epoch_ns(scenario.date, passage.at)) for passage in scenario.passages)
    trips = (rule.halt(level, ts_ns, scenario.date, index=INDEX) for level, ts_ns in at)
    return tuple(trip for trip in trips if trip is not None)


def silences(scenario: Scenario) -> tuple[Span, ...]:
    """Those halts as [start, end) in seconds after the open, in order of time."""
    opening = open_ns(scenario.date)
    return tuple(((trip.start_ns - opening) / NS, (trip.end_ns - opening) / NS) for trip in real_trips(scenario))
