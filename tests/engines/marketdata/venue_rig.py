"""Messages for the venue's tests: sessions, quotes, displayed books, trades, orders, and the fleet's voice."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from engines.marketdata.admission import arrival_ns
from engines.marketdata.venue import CONFIG, Venue, step
from engines.wire.messages import (
    Accepted,
    Body,
    Depths,
    Envelope,
    Fault,
    Fill,
    Fleet,
    FleetEngine,
    Header,
    Order,
    Quotes,
    Session,
    Side,
    Trades,
)
from engines.wire.ticks import DEPTH, QUOTE, TRADE

SYMBOLS = ("SPX", "ESX", "AAPL")
SEED = 1
LATENCY = CONFIG.latency_ns  # the least
LATE = CONFIG.latency_ns + CONFIG.jitter_ns  # the most
TICK = {"ESX": 2_500, "AAPL": 100}


class Row(NamedTuple):
    ts: int
    symbol: str
    bid: int
    ask: int
    bid_size: int = 100
    ask_size: int = 100


def envelope(body: Body, ts: int, trace: str = "r1/window") -> Envelope:
    return Envelope(body.TOPIC, "1-1", Header("test", 1, 1, "", 1, trace, ts, 0, 0), body)


def session(
    event: str = "open", trace: str = "r1/window", day: str = "2010-05-06", faults: tuple[Fault, ...] = ()
) -> Envelope:
    body = Session(
        event, "flash-crash-2010", day, SYMBOLS, SYMBOLS[1:], SEED, "", 40.0,  # type: ignore[arg-type] # the four names
        tick_sizes=(100, 2_500, 100), multipliers=(1, 50, 1), faults=faults,
    )  # fmt: skip
    return envelope(body, 0, trace)


def quotes(*rows: Row, trace: str = "r1/window") -> Envelope:
    made = np.zeros(len(rows), QUOTE)
    for i, row in enumerate(rows):
        made[i] = (row.ts, SYMBOLS.index(row.symbol), row.bid, row.ask, row.bid_size, row.ask_size)
    return envelope(Quotes(SYMBOLS, made.tobytes()), rows[-1].ts, trace)


def depth(ts: int, symbol: str, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> Envelope:
    """A displayed book of (price, size), best first."""
    made = np.zeros(1, DEPTH)
    made["ts"], made["symbol"] = ts, SYMBOLS.index(symbol)
    for side, shown in (("bid", bids), ("ask", asks)):
        for level, (price, size) in enumerate(shown):
            made[side][0, level], made[f"{side}_size"][0, level] = price, size
    return envelope(Depths(SYMBOLS, made.tobytes()), ts)


def trades(*rows: tuple[int, str, int]) -> Envelope:
    """Trades of (ts, symbol, price)."""
    made = np.zeros(len(rows), TRADE)
    for i, (ts, symbol, price) in enumerate(rows):
        made[i] = (ts, SYMBOLS.index(symbol), 1, price, 100)
    return envelope(Trades(SYMBOLS, made.tobytes()), rows[-1][0])


def fleet(state: str, restarts: int = 0) -> Envelope:
    """What the supervisor says of the strategy engine; it has neither trace nor market time."""
    return envelope(Fleet((FleetEngine("strategy", state, 7, restarts),)), 10**19, "")


def order(
    name: str, side: Side, quantity: int, limit: int | None = None, symbol: str = "AAPL", tif: str = "day"
) -> Order:
    return Order(name, "test", symbol, side, quantity, limit, tif)  # type: ignore[arg-type] # one of two words


def accept(made: Order, ts: int = 0, trace: str = "r1/window") -> Envelope:
    return envelope(Accepted(made), ts, trace)


def live(name: str, ts: int = 0) -> int:
    """When an order reaches the book."""
    return arrival_ns(name, ts, SEED)


def play(*messages: Envelope, venue: Venue | None = None) -> list[Body]:
    """All answers.  Pass a venue only where no message opens another replay."""
    venue = venue or Venue()
    out: list[Body] = []
    for message in messages:
        venue, bodies = step(venue, message)
        out += bodies
    return out


def fills(bodies: Sequence[Body]) -> list[tuple[str, int, int, int]]:
    return [(b.order_id, b.quantity, b.price, b.ts_ns) for b in bodies if isinstance(b, Fill)]
