"""The halts that a rulebook makes of the index's levels: one pure function for plans, tapes and tests."""

import datetime as dt

from engines.wire.rulebook import INDEX, MarketWide, Trip
from engines.wire.ticks import Rows

Trips = tuple[Trip, ...]


def trips(levels: Rows, day: dt.date, prior_close: int, rule: MarketWide | None, index: str = INDEX) -> Trips:
    """The market-wide halts of a day, in order.

    ``levels`` (LEVEL rows of the index alone, in time order) are judged as they come, except while the market is
    halted; each level halts once, and a lower one not after a higher one. Raises ``UsageError`` when the rule cannot be
    judged on ``index``.
    """
    if rule is None:
        return ()
    found: list[Trip] = []
    reached, until = 0, 0
    below = levels[levels["level"] <= max(rule.thresholds(prior_close, index))]
    for ts, value in zip(below["ts"].tolist(), below["level"].tolist(), strict=True):
        level = rule.breached(value, prior_close, index)
        if level <= reached or ts < until:
            continue
        trip = rule.halt(level, ts, day, index=index)
        if trip is not None:
            found.append(trip)
            reached, until = level, trip.end_ns
    return tuple(found)
