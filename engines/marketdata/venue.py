"""The paper venue: a pure step over order events, the tape, halts, sessions and the fleet's state.

Every accepted order ends in exactly one of Filled, Cancelled or Rejected, and nothing is told of it afterwards.  An
order id that was seen before is not answered (that would be a second ending of the first order) but counted.  In a halt
orders, changes and cancels are accepted and nothing matches.  The streams are not ordered between each other, so a
message of a later replay opens its day, and orders wait until the session tells what may be traded.

Open orders are cancelled when their owner is gone: the supervisor says on `fleet` that the strategy engine has ended or
was started anew.  The cancels leave with the next message of the replay, since the fleet's carries no market time.
"""

import datetime as dt
from collections.abc import Iterable, Sequence

import msgspec

from engines.marketdata import luld, trading
from engines.marketdata.admission import arrival_ns, invalid, refusal
from engines.marketdata.book import Working
from engines.marketdata.telling import release, tell
from engines.marketdata.venue_state import CONFIG, EVERYTHING, Code, Instrument, Touch, Venue, Waiting
from engines.wire.errors import NautilusError
from engines.wire.messages import (
    Accepted,
    Body,
    Cancelled,
    CancelRequested,
    Depths,
    Envelope,
    Fleet,
    Halt,
    Order,
    Quotes,
    Rejected,
    Replaced,
    ReplaceRejected,
    ReplaceRequested,
    Session,
    Trades,
)
from engines.wire.pins import pins
from engines.wire.rulebook import rules
from engines.wire.scenario_file import load
from engines.wire.state import EngineState
from engines.wire.trace import replay_of

__all__ = ["CONFIG", "Touch", "Venue", "step"]

_GONE = frozenset(
    state.name.lower() for state in (EngineState.STOPPED, EngineState.CRASHED, EngineState.BACKOFF, EngineState.FAILED)
)
_Consumed = Accepted | CancelRequested | ReplaceRequested | Halt | Quotes | Depths | Trades | Session


def step(venue: Venue, envelope: Envelope) -> tuple[Venue, Sequence[Body]]:
    """One message: what it does to the book, and what the venue answers."""
    body = envelope.body
    if isinstance(body, Fleet):
        _owner(venue, body)
        return venue, ()
    if not isinstance(body, _Consumed):
        return venue, ()  # order events of the venue's own, and risk's denials
    replay = replay_of(envelope.header.trace)
    out: list[Body] = []
    if replay is not None and replay > venue.replay:
        out += [*release(venue, None), *_cancel_all(venue, "SESSION_OVER", "its session is over")]
        venue = Venue(
            replay=replay,
            seen_before=venue.seen,
            owner_gone=venue.owner_gone,
            owner_restarts=venue.owner_restarts,
            totals=venue.totals,
        )
    stale = replay is not None and replay < venue.replay
    if stale:
        return venue, [*out, *_too_late(venue, body)]
    out += tell(venue, _gone(venue))
    if isinstance(body, Session) and body.event == "close":
        out += release(venue, None)
    out += tell(venue, _moved(venue, body, envelope.header.ts_event))
    return venue, [*out, *release(venue, venue.clock_ns)]


def _too_late(venue: Venue, body: _Consumed) -> list[Body]:
    """A message of a replay that is over: only orders and changes need an answer."""
    if isinstance(body, Accepted):
        if body.order.order_id not in venue.seen_before:
            venue.seen_before.add(body.order.order_id)
            return [_reject(venue, body.order, "SESSION_OVER", "its session is over")]
        venue.totals.duplicates += 1
    if isinstance(body, ReplaceRequested):
        return _replace(venue, body, 0)
    if isinstance(body, CancelRequested):
        venue.totals.late_cancels += 1
    return []


def _moved(venue: Venue, body: _Consumed, ts_ns: int) -> Iterable[Body]:
    """What a message of this replay does."""
    if isinstance(body, Accepted):
        return _accepted(venue, body.order, ts_ns)
    if isinstance(body, Quotes):
        return _quotes(venue, body)
    if isinstance(body, CancelRequested):
        return _cancel(venue, body.order_id)
    if isinstance(body, ReplaceRequested):
        return _replace(venue, body, ts_ns)
    if isinstance(body, Session):
        return _session(venue, body)
    if isinstance(body, Halt):
        trading.on_halt(venue, body)
    elif isinstance(body, Depths):
        trading.on_depths(venue, body)
    elif isinstance(body, Trades):
        trading.on_trades(venue, body)
    return ()


def _quotes(venue: Venue, body: Quotes) -> list[Body]:
    out = list(trading.on_quotes(venue, body))
    for number, fault in enumerate(venue.faults):
        begun = fault.kind == "disconnect" and fault.start_ns <= venue.clock_ns
        if begun and number not in venue.disconnected:
            venue.disconnected.add(number)
            out += _cancel_all(venue, "DISCONNECTED", "the connection to the venue broke", fault.symbol)
    return out


# ------------------------------------------------------------------------------------------------- sessions
def _session(venue: Venue, body: Session) -> list[Body]:
    if body.event == "close":
        venue.closed = True
        return _cancel_all(venue, "SESSION_CLOSED", "the session closed")
    if venue.opened:
        return []
    venue.opened, venue.seed, venue.faults = True, body.seed, body.faults
    facts = zip(body.symbols, body.tick_sizes, body.multipliers, strict=True)
    venue.instruments = {s: Instrument(tick, multiplier) for s, tick, multiplier in facts if s in body.orderable}
    venue.bands, venue.no_bands = _bands(venue, body)
    venue.recorded = _recorded(body)
    waiting, venue.waiting = venue.waiting, {}
    out: list[Body] = []
    for early in waiting.values():
        out += _admit(venue, early.order, early.ts_ns)
    return out


def _recorded(body: Session) -> dict[str, list[tuple[int, int]]]:
    """The futures pauses that the rulebook in force has of this day."""
    day = dt.date.fromisoformat(body.date)
    found: dict[str, list[tuple[int, int]]] = {}
    for pause in rules(_rules_day(body)).futures_pauses:
        if pause.holds(day):
            found.setdefault(pause.symbol, []).append(pause.span(day))
    return found


def _rules_day(body: Session) -> dt.date:
    return dt.date.fromisoformat(body.rules_asof or body.date)


def _bands(venue: Venue, body: Session) -> tuple[luld.Bands | None, str]:
    """The day's limit up - limit down, or why there is none.  Closes are the bundle's: immutable, so constants."""
    day = dt.date.fromisoformat(body.date)
    rules_day = _rules_day(body)
    if rules(rules_day).luld is None:
        return None, f"no rule on limits up and down was in force on {rules_day}"
    try:
        found = pins(load(body.scenario))
    except NautilusError as error:
        return None, f"previous closes are not known: {error}"
    shares = {symbol for symbol, instrument in venue.instruments.items() if instrument.multiplier == 1}
    closes = {pin.symbol: pin.prior_close for pin in found if pin.symbol in shares}
    ticks = {symbol: venue.instruments[symbol].tick for symbol in closes}
    return luld.open_day(day, rules_day, closes, ticks, CONFIG.tier_2), "futures and indices have none"


# --------------------------------------------------------------------------------------------------- orders
def _accepted(venue: Venue, order: Order, ts_ns: int) -> list[Body]:
    if order.order_id in venue.seen:
        venue.totals.duplicates += 1
        return []
    venue.seen.add(order.order_id)
    venue.totals.orders += 1
    if not venue.opened and not venue.closed:
        venue.waiting[order.order_id] = Waiting(order, ts_ns)
        return []
    return _admit(venue, order, ts_ns)


def _admit(venue: Venue, order: Order, ts_ns: int) -> list[Body]:
    """Let an order come to the book, or say why not."""
    refused = refusal(venue, order, ts_ns)
    if refused is not None:
        return [_reject(venue, order, *refused)]
    venue.arrivals += 1
    live_ns = max(arrival_ns(order.order_id, ts_ns, venue.seed), venue.clock_ns)  # told late: it has no past
    venue.working[order.order_id] = Working(order, live_ns, venue.arrivals, order.quantity)
    return []


def _reject(venue: Venue, order: Order, code: Code, reason: str) -> Rejected:
    venue.totals.rejected += 1
    return Rejected(order.order_id, order.symbol, reason, code)


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
    return [Cancelled(order_id, order.symbol, remaining, "requested", "REQUESTED")]


def _cancel_all(venue: Venue, code: Code, reason: str, symbol: str = EVERYTHING) -> list[Body]:
    """Cancel everything that is left, or everything of one symbol."""
    left = [(w.order, w.remaining) for w in venue.working.values()]
    left += [(early.order, early.order.quantity) for early in venue.waiting.values()]
    out: list[Body] = []
    for order, remaining in left:
        if symbol in (EVERYTHING, order.symbol):
            venue.working.pop(order.order_id, None)
            venue.waiting.pop(order.order_id, None)
            out.append(Cancelled(order.order_id, order.symbol, remaining, reason, code))
    venue.totals.cancelled += len(out)
    return out


def _replace(venue: Venue, body: ReplaceRequested, ts_ns: int) -> list[Body]:
    """Change an open order.  Less at the same price keeps its place; anything else comes to the book anew."""
    working, early = venue.working.get(body.order_id), venue.waiting.get(body.order_id)
    before = working.order if working is not None else early.order if early is not None else None
    if before is None:
        return [ReplaceRejected(body.order_id, "", "TOO_LATE", "the order has ended, or never came")]
    order = msgspec.structs.replace(before, quantity=body.quantity, limit=body.limit)
    wrong = invalid(venue, order, ts_ns)
    if wrong is not None and (working is not None or wrong[0] == "INVALID_QUANTITY"):
        return [ReplaceRejected(order.order_id, order.symbol, *wrong)]
    kept = order.limit == before.limit and order.quantity <= before.quantity
    told = Replaced(order.order_id, order.symbol, order.quantity, order.limit, kept)
    venue.totals.replaced += 1
    if working is None:
        venue.waiting[order.order_id] = Waiting(order, early.ts_ns if early is not None else ts_ns)
        return [told]
    filled = before.quantity - working.remaining
    if order.quantity <= filled:
        venue.totals.cancelled += 1
        del venue.working[order.order_id]
        reason = f"{filled} had filled when it was replaced by {order.quantity}"
        return [Cancelled(order.order_id, order.symbol, working.remaining, reason, "REPLACED")]
    working.order, working.remaining = order, order.quantity - filled
    if not kept:
        venue.arrivals += 1
        working.live_ns = max(arrival_ns(order.order_id, ts_ns, venue.seed), venue.clock_ns)
        working.arrival = venue.arrivals
        working.rests = None
    return [told]


# ---------------------------------------------------------------------------------------------------- owner
def _owner(venue: Venue, body: Fleet) -> None:
    """Learn from the supervisor whether the engine whose orders these are is there."""
    for engine in body.engines:
        if engine.engine != CONFIG.owner:
            continue
        before = engine.restarts if venue.owner_restarts is None else venue.owner_restarts
        restarted = not venue.owner_gone and engine.restarts > before  # its end was never told
        venue.owner_gone = f"{CONFIG.owner} is {engine.state}" if engine.state in _GONE else ""
        venue.owner_restarts = engine.restarts
        if venue.owner_gone or restarted:
            venue.orphaned = venue.owner_gone or f"{CONFIG.owner} was started anew"


def _gone(venue: Venue) -> list[Body]:
    """Cancel the orders of an owner that is gone."""
    if not venue.orphaned:
        return []
    reason, venue.orphaned = venue.orphaned, ""
    return _cancel_all(venue, "OWNER_GONE", reason)
