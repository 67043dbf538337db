"""The paper venue: a pure step over quotes, order events, halts and sessions.

Every accepted order ends in exactly one of Filled, Cancelled or Rejected.  An order id that was seen before is not
answered (that would be a second ending of the first order) but counted.  In a halt orders and cancels are accepted and
nothing matches.  The streams are not ordered between each other, so a message of a later replay opens its day, and
orders wait until the session tells what may be traded.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from engines.marketdata.book import Match, Working, match
from engines.marketdata.config import VenueConfig
from engines.wire.messages import (
    Accepted,
    Body,
    Cancelled,
    CancelRequested,
    Envelope,
    Fill,
    Filled,
    Halt,
    Order,
    Quotes,
    Rejected,
    Session,
)
from engines.wire.ticks import QUOTE, Rows
from engines.wire.trace import replay_of

CONFIG = VenueConfig()
EVERYTHING = "*"


class Instrument(msgspec.Struct, frozen=True):
    """What may be ordered.  `tick`: 1/10,000; `multiplier`: currency units per point."""

    tick: int
    multiplier: int


class Touch(msgspec.Struct, frozen=True, array_like=True):
    """The last quote of a symbol; prices of 1/10,000."""

    ts_ns: int
    bid: int
    ask: int
    bid_size: int
    ask_size: int


class Totals(msgspec.Struct):
    """What the venue did since it was first started."""

    orders: int = 0
    fills: int = 0
    filled: int = 0
    cancelled: int = 0
    rejected: int = 0
    duplicates: int = 0
    late_cancels: int = 0


class Waiting(msgspec.Struct):
    """An accepted order that came before its session."""

    order: Order
    ts_ns: int


class Venue(msgspec.Struct):
    """State of one replay's day."""

    replay: int = 0
    opened: bool = False  # the session message of this replay was seen
    closed: bool = False
    instruments: dict[str, Instrument] = {}
    working: dict[str, Working] = {}
    waiting: dict[str, Waiting] = {}
    seen: set[str] = set()
    halts: dict[str, list[tuple[int, int]]] = {}
    touch: dict[str, Touch] = {}
    arrivals: int = 0
    totals: Totals = msgspec.field(default_factory=Totals)


def step(venue: Venue, envelope: Envelope) -> tuple[Venue, Sequence[Body]]:
    """One message: what it does to the book, and what the venue answers."""
    body = envelope.body
    if not isinstance(body, Accepted | CancelRequested | Halt | Quotes | Session):
        return venue, ()  # order events of the venue's own, and risk's denials
    replay = replay_of(envelope.header.trace)
    out: list[Body] = []
    if replay is not None and replay > venue.replay:
        out += _close(venue, "its session is over")
        venue = Venue(replay=replay, totals=venue.totals)
    stale = replay is not None and replay < venue.replay
    if isinstance(body, Quotes):
        out += () if stale else _quotes(venue, body)
    elif isinstance(body, Accepted):
        out += _accepted(venue, body.order, envelope.header.ts_event, stale=stale)
    elif isinstance(body, CancelRequested):
        out += _cancel(venue, body.order_id)
    elif isinstance(body, Halt):
        if not stale:
            venue.halts.setdefault(body.symbol, []).append((body.start_ns, body.end_ns))
    elif not stale:
        out += _session(venue, body)
    return venue, out


def _session(venue: Venue, body: Session) -> list[Body]:
    if body.event == "close":
        venue.closed = True
        return _close(venue, "the session closed")
    if venue.opened:
        return []
    venue.opened = True
    facts = zip(body.symbols, body.tick_sizes, body.multipliers, strict=True)
    venue.instruments = {s: Instrument(tick, multiplier) for s, tick, multiplier in facts if s in body.orderable}
    waiting, venue.waiting = venue.waiting, {}
    out: list[Body] = []
    for early in waiting.values():
        out += _admit(venue, early.order, early.ts_ns)
    return out


def _close(venue: Venue, reason: str) -> list[Body]:
    """Cancel everything that is left."""
    left = [(w.order, w.remaining) for w in venue.working.values()]
    left += [(early.order, early.order.quantity) for early in venue.waiting.values()]
    venue.working, venue.waiting = {}, {}
    venue.totals.cancelled += len(left)
    return [Cancelled(order.order_id, order.symbol, remaining, reason) for order, remaining in left]


def _accepted(venue: Venue, order: Order, ts_ns: int, *, stale: bool) -> list[Body]:
    if order.order_id in venue.seen:
        venue.totals.duplicates += 1
        return []
    if stale:
        return [_reject(venue, order, "its session is over")]
    venue.seen.add(order.order_id)
    venue.totals.orders += 1
    if not venue.opened and not venue.closed:
        venue.waiting[order.order_id] = Waiting(order, ts_ns)
        return []
    return _admit(venue, order, ts_ns)


def _admit(venue: Venue, order: Order, ts_ns: int) -> list[Body]:
    """Put an order on the book, or say why not."""
    instrument = venue.instruments.get(order.symbol)
    if venue.closed:
        return [_reject(venue, order, "the session is closed")]
    if instrument is None:
        return [_reject(venue, order, f"{order.symbol} cannot be ordered here")]
    if order.quantity <= 0:
        return [_reject(venue, order, f"a quantity of {order.quantity} cannot be traded")]
    if order.limit is not None and (order.limit <= 0 or order.limit % instrument.tick):
        return [_reject(venue, order, f"its limit is not on the tick of {instrument.tick}/10000")]
    venue.arrivals += 1
    venue.working[order.order_id] = Working(order, ts_ns + CONFIG.latency_ns, venue.arrivals, order.quantity)
    return []


def _reject(venue: Venue, order: Order, reason: str) -> Rejected:
    venue.totals.rejected += 1
    return Rejected(order.order_id, order.symbol, reason)


def _cancel(venue: Venue, order_id: str) -> list[Body]:
    working, early = venue.working.pop(order_id, None), venue.waiting.pop(order_id, None)
    if working is not None:
        order, remaining = working.order, working.remaining
    elif early is not None:
        order, remaining = early.order, early.order.quantity
    else:
        venue.totals.late_cancels += 1  # it had ended already
        return []
    venue.totals.cancelled += 1
    return [Cancelled(order_id, order.symbol, remaining, "requested")]


def _quotes(venue: Venue, body: Quotes) -> list[Body]:
    """Remember the touch, and match the symbols that have orders."""
    rows = np.frombuffer(body.rows, QUOTE)
    out: list[Body] = []
    by_symbol: dict[str, list[Working]] = {}
    for working in venue.working.values():
        by_symbol.setdefault(working.order.symbol, []).append(working)
    for place, symbol in enumerate(body.symbols):
        at = np.flatnonzero(rows["symbol"] == place)
        if at.size == 0:
            continue
        ts_ns, _, *touch = rows[at[-1]].item()
        venue.touch[symbol] = Touch(ts_ns, *touch)
        if symbol in by_symbol:
            for found in match(by_symbol[symbol], _open_market(venue, symbol, rows[at])):
                out += _filled(venue, found)
    return out


def _open_market(venue: Venue, symbol: str, rows: Rows) -> Rows:
    """The rows outside every halt of the symbol."""
    for start, end in (*venue.halts.get(symbol, ()), *venue.halts.get(EVERYTHING, ())):
        rows = rows[(rows["ts"] < start) | (rows["ts"] >= end)]
    return rows


def _filled(venue: Venue, found: Match) -> list[Body]:
    """The fill; and the end of its order, when nothing remains of it."""
    order = found.working.order
    multiplier = venue.instruments[order.symbol].multiplier
    venue.totals.fills += 1
    per_unit = CONFIG.fee_per_contract if multiplier > 1 else CONFIG.fee_per_share
    fill = Fill(
        fill_id=f"{order.order_id}/{found.number}",
        order_id=order.order_id,
        strategy=order.strategy,
        symbol=order.symbol,
        side=order.side,
        quantity=found.quantity,
        price=found.price,
        fee=per_unit * found.quantity,
        multiplier=multiplier,
        ts_ns=found.ts_ns,
    )
    if not found.last:
        return [fill]
    del venue.working[order.order_id]
    venue.totals.filled += 1
    return [fill, Filled(order.order_id, order.symbol)]
