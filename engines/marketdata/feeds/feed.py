"""The one thing that the desk knows of a feed: what is due now, and when the next tick is."""

from typing import NamedTuple, Protocol

import numpy as np

from engines.marketdata.feeds.request import FeedSpec
from engines.marketdata.feeds.state import Ints
from engines.wire.ticks import QUOTE, TRADE, Rows

NO_TRADES: Rows = np.empty(0, TRADE)
NO_QUOTES: Rows = np.empty(0, QUOTE)


class Taken(NamedTuple):
    """Ticks that a feed hands over at once: `seq` and `ts` in the order in which they came, rows by kind."""

    seq: Ints
    ts: Ints
    trades: Rows
    quotes: Rows
    due_ns: int  # when the first was due or came, CLOCK_MONOTONIC


class Feed(Protocol):
    """One symbol's source of ticks."""

    spec: FeedSpec
    sides_inferred: bool
    pauses: int
    resets: int
    breaks: int
    error: str
    total: int | None  # ticks of the whole feed; None where nobody knows

    @property
    def over(self) -> bool:
        """Nothing will come any more."""
        ...

    def take(self, now_ns: int) -> Taken | None:
        """What is due; None where nothing is."""
        ...

    def next_ns(self) -> int | None:
        """When the next tick is due, CLOCK_MONOTONIC; None where nobody knows."""
        ...


def tick_rule(prices: Ints) -> Ints:
    """Sides by the tick test of Lee and Ready (1991): +1 above the last different price, -1 below; +1 at first."""
    steps = np.sign(np.diff(prices, prepend=prices[:1])).astype(np.int64)
    places = np.maximum.accumulate(np.where(steps != 0, np.arange(prices.size), -1))
    return np.where(places < 0, 1, steps[np.maximum(places, 0)])
