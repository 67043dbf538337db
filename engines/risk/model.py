"""Risk's step: orders are decided, holdings watched, halts called.  Deterministic; times come from the messages.

The bundle's index closes are read when a day opens: they are immutable, so they count as constants.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from engines.risk import breakers as breaking
from engines.risk.book import Book
from engines.risk.breakers import MARKET, Breakers
from engines.risk.config import LIMITS
from engines.risk.limits import Account, Denial, check
from engines.wire.messages import (
    Accepted,
    Body,
    Cancel,
    Cancelled,
    CancelRequested,
    Denied,
    Envelope,
    Fill,
    Halt,
    Levels,
    Margin,
    Order,
    Positions,
    Rejected,
    Replace,
    Replaced,
    ReplaceRejected,
    ReplaceRequested,
    RiskAlert,
    Session,
    Trades,
)
from engines.wire.rulebook import INDEX
from engines.wire.session import NS, ZONE
from engines.wire.ticks import LEVEL, PRICE_SCALE, TRADE, Rows
from engines.wire.trace import replay_of


class Tally(msgspec.Struct):
    """Counts since the state was made, over all replays."""

    accepted: int = 0
    denied: int = 0
    cancels: int = 0
    halts: int = 0
    alerts: int = 0


class State(msgspec.Struct):
    """One replay's risk. `clock_ns`: latest market time seen; `breached`: limits that are passively breached now."""

    replay: int = 0
    session: Session | None = None
    clock_ns: int = 0
    book: Book = msgspec.field(default_factory=Book)
    account: Account = msgspec.field(default_factory=Account)
    breakers: Breakers | None = None
    breached: set[str] = set()
    pnl: int | None = None
    tally: Tally = msgspec.field(default_factory=Tally)


def initial() -> State:
    """The state before any message."""
    return State()


def step(state: State, envelope: Envelope) -> tuple[State, Sequence[Body]]:
    """One message; see the module."""
    body = envelope.body
    replay = replay_of(envelope.header.trace)
    if replay is not None and replay < state.replay:
        return state, _stale(state, body)
    if replay is not None and replay > state.replay:
        state = State(replay=replay, tally=state.tally)
    if isinstance(body, Session) and body.event == "open" and state.session is not None:
        state = State(replay=state.replay, tally=state.tally)
    if isinstance(body, ReplaceRejected) and envelope.header.producer == "risk":
        return state, ()  # its own: only the venue's ends a change
    handler = _HANDLERS.get(type(body))
    out = list(handler(state, body, envelope.header.ts_event)) if handler else []
    state.tally.halts += sum(isinstance(item, Halt) for item in out)
    state.tally.alerts += sum(isinstance(item, RiskAlert) for item in out)
    return state, out


def _stale(state: State, body: Body) -> list[Body]:
    """A message of a replay that is over: only an order needs an answer."""
    if not isinstance(body, Order):
        return []
    state.tally.denied += 1
    return [Denied(body.order_id, body.symbol, "STALE_REPLAY", "the replay that it belongs to is over")]


def _on_session(state: State, body: Session, _: int) -> list[Body]:
    if body.event == "open":
        state.session = body
        state.account.orderable = body.orderable
        state.book.multipliers = dict(zip(body.symbols, body.multipliers, strict=False))  # none given: none orderable
        state.account.trading = True
        asof = dt.date.fromisoformat(body.rules_asof) if body.rules_asof else None
        return _open_day(state, dt.date.fromisoformat(body.date), asof)
    if body.event == "close":
        state.account.trading = False
    return []


def _open_day(state: State, day: dt.date, asof: dt.date | None = None) -> list[Body]:
    if state.breakers is not None and (state.breakers.day, state.breakers.asof) == (day, asof):
        return []
    state.breakers, alerts = breaking.open_day(day, asof)
    return alerts


def _day_of(ts_ns: int) -> dt.date:
    """The New York date of a market time."""
    return dt.datetime.fromtimestamp(ts_ns // NS, ZoneInfo(ZONE)).date()


def _on_trades(state: State, body: Trades, _: int) -> list[Body]:
    rows = np.frombuffer(body.rows, TRADE)
    if rows.size == 0:
        return []
    out = [] if state.breakers else _open_day(state, _day_of(int(rows["ts"][0])))
    state.clock_ns = max(state.clock_ns, int(rows["ts"][-1]))
    last = dict(zip(rows["symbol"].tolist(), rows["price"].tolist(), strict=True))
    for index, price in last.items():
        state.book.marks[body.symbols[index]] = price
    if state.breakers is not None and state.breakers.pending:
        out += breaking.on_trades(state.breakers, body.symbols, rows)
    if state.book.positions:
        out += _exposures(state, body.symbols, rows)
    return out


def _on_levels(state: State, body: Levels, _: int) -> list[Body]:
    rows = np.frombuffer(body.rows, LEVEL)
    if rows.size == 0 or INDEX not in body.symbols:
        return []
    out = [] if state.breakers else _open_day(state, _day_of(int(rows["ts"][0])))
    state.clock_ns = max(state.clock_ns, int(rows["ts"][-1]))
    if state.breakers is not None:
        own = rows[rows["symbol"] == body.symbols.index(INDEX)]
        out += breaking.on_levels(state.breakers, own, LIMITS.near_percent)
    return out


def _exposures(state: State, symbols: tuple[str, ...], rows: Rows) -> list[Body]:
    """Passive breaches, at the highest price of the batch; each is told once until it ends."""
    book = state.book
    out: list[Body] = []
    for symbol, held in book.positions.items():
        if symbol not in symbols:
            continue
        prices = rows["price"][rows["symbol"] == symbols.index(symbol)]
        if prices.size:
            notional = book.money(symbol, abs(held), int(prices.max()))
            out += _watch(state, f"position-limit/{symbol}", notional, LIMITS.position_notional)
    held_only = Book(positions=book.positions, marks=book.marks, multipliers=book.multipliers)
    return out + _watch(state, f"gross-limit/{MARKET}", held_only.gross(), LIMITS.gross_notional)


def _watch(state: State, name: str, value: int, limit: int) -> list[Body]:
    """An alert when `value` begins to exceed `limit`; both money of 1/10,000."""
    if value <= limit:
        state.breached.discard(name)
        return []
    if name in state.breached:
        return []
    state.breached.add(name)
    kind, _, symbol = name.partition("/")
    return [RiskAlert(kind, symbol, value / PRICE_SCALE, limit / PRICE_SCALE, "exposure at the marks, not by an order")]


def _on_order(state: State, order: Order, ts_ns: int) -> list[Body]:
    if order.order_id in state.book.open:
        return [RiskAlert("duplicate-order", order.symbol, 0.0, 0.0, f"{order.order_id} is open already: ignored")]
    denial = decide(state, order, ts_ns)
    if denial is not None:
        state.tally.denied += 1
        return [Denied(order.order_id, order.symbol, denial.code, denial.detail)]
    state.tally.accepted += 1
    state.book.accept(order)
    marks = state.book.marks
    return [Accepted(order, {symbol: marks[symbol] for symbol in state.book.symbols() if symbol in marks})]


def decide(state: State, order: Order, ts_ns: int) -> Denial | None:
    """The pre-trade check of `order` now (market time: the later of the order's and the market's); no effect."""
    now = max(state.clock_ns, ts_ns)
    halted = state.breakers is not None and state.breakers.halted(order.symbol, now)
    return check(order, state.book, state.account, halted=halted)


def _on_cancel(state: State, body: Cancel, _: int) -> list[Body]:
    state.tally.cancels += 1
    return [CancelRequested(body.order_id)]


def _on_replace(state: State, body: Replace, ts_ns: int) -> list[Body]:
    """A change is checked like a new order in the place of the open one, and forwarded; one at a time."""
    held = state.book.open.get(body.order_id)
    if held is None:
        return [ReplaceRejected(body.order_id, "", "TOO_LATE", "there is no such open order")]
    if held.changing:
        return [ReplaceRejected(body.order_id, held.symbol, "CHANGING", "its last change has not been answered yet")]
    left = body.quantity - (held.quantity - held.left)
    others = {order_id: order for order_id, order in state.book.open.items() if order_id != body.order_id}
    without = State(
        session=state.session,
        clock_ns=state.clock_ns,
        book=msgspec.structs.replace(state.book, open=others),
        account=state.account,
        breakers=state.breakers,
    )
    denial = decide(without, Order(body.order_id, body.strategy, held.symbol, held.side, left, body.limit), ts_ns)
    if denial is not None:
        state.tally.denied += 1
        return [ReplaceRejected(body.order_id, held.symbol, denial.code, denial.detail)]
    state.book.change(body.order_id, body.quantity)
    return [ReplaceRequested(body.order_id, body.quantity, body.limit)]


def _on_changed(state: State, body: Replaced | ReplaceRejected, _: int) -> list[Body]:
    state.book.changed(body)
    return []


def _on_fill(state: State, body: Fill, _: int) -> list[Body]:
    state.book.fill(body)
    return []


def _on_end(state: State, body: Cancelled | Rejected, _: int) -> list[Body]:
    state.book.end(body)
    return []


def _on_positions(state: State, body: Positions, _: int) -> list[Body]:
    """Watch the loss; reaching its limit kills: what is open is cancelled, only orders that shrink a holding pass."""
    state.pnl = sum(row.realised + row.unrealised for row in body.rows) - body.fees
    limit = LIMITS.loss
    if state.account.killed or state.pnl > -limit:
        return []
    state.account.killed = True
    alert = RiskAlert("kill-switch", MARKET, -state.pnl / PRICE_SCALE, limit / PRICE_SCALE, "the loss limit is reached")
    return [alert, *(CancelRequested(order_id) for order_id in state.book.open)]


def _on_margin(state: State, body: Margin, _: int) -> list[Body]:
    before = state.account.excess
    state.account.excess = body.excess
    if body.excess >= 0 or (before is not None and before < 0):
        return []
    detail = f"equity {body.equity / PRICE_SCALE:,.2f} is below maintenance {body.maintenance / PRICE_SCALE:,.2f}"
    return [RiskAlert("margin-call", MARKET, body.call / PRICE_SCALE, 0.0, detail)]


_HANDLERS: dict[type[Body], Callable[[State, Any, int], Sequence[Body]]] = {
    Session: _on_session,
    Trades: _on_trades,
    Levels: _on_levels,
    Order: _on_order,
    Cancel: _on_cancel,
    Replace: _on_replace,
    Replaced: _on_changed,
    ReplaceRejected: _on_changed,
    Fill: _on_fill,
    Cancelled: _on_end,
    Rejected: _on_end,
    Positions: _on_positions,
    Margin: _on_margin,
}
