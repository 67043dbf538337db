"""The desk's step: bars move the strategies, the strategies move targets, and targets become orders.

One order at most is open per strategy and symbol; none leaves while its symbol is halted.  A limit order that is stale
is withdrawn.  Near the close positions are only closed.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Literal

import msgspec

from engines.strategy import rules
from engines.strategy.config import CONFIG
from engines.strategy.orders import Book, Tracked, learn, next_id, send
from engines.wire.messages import (
    BarRow,
    Bars,
    Body,
    Cancel,
    Envelope,
    Fill,
    Halt,
    Order,
    Predictions,
    Session,
    Side,
    Signal,
    Vpin,
)
from engines.wire.session import NS, open_ns
from engines.wire.trace import replay_of

StrategyName = Literal["momentum", "reversion"]
STRATEGIES: tuple[StrategyName, ...] = ("momentum", "reversion")
EVERYTHING = "*"


class Forecast(msgspec.Struct, frozen=True, array_like=True):
    """A model's last forecast: log return, and the market time at which it was made."""

    ts_ns: int
    value: float


class Flow(msgspec.Struct, array_like=True):
    """VPIN of a symbol in this session: its last value, and what its mean is made of."""

    last: float = 0.0
    total: float = 0.0
    count: int = 0

    @property
    def toxicity(self) -> float | None:
        """The last value over the mean; None before there is one."""
        return self.last * self.count / self.total if self.total > 0 else None


class Totals(msgspec.Struct):
    """Counts since the engine was first started, over all replays."""

    signals: int = 0
    orders: int = 0
    cancels: int = 0
    fills: int = 0
    refused: int = 0  # orders that risk denied or the venue rejected
    held_back: int = 0  # times that a halt kept an order from leaving


class Desk(msgspec.Struct):
    """One replay's day.  Histories hold as many closes as the strategies look back."""

    replay: int = 0
    session: Session | None = None
    closed: bool = False
    clock_ns: int = 0
    minutes: dict[str, list[int]] = {}  # closes of time bars, 1/10,000
    volumes: dict[str, list[int]] = {}  # closes of volume bars
    held: bool = False  # the operator has the open orders withdrawn and lets none leave
    killed: bool = False  # the kill switch is on: orders are withdrawn, positions closed, until it is reset
    targets: dict[str, int] = {}  # `strategy/symbol` -> shares or contracts
    reasons: dict[str, str] = {}
    positions: dict[str, int] = {}  # `strategy/symbol`, from fills
    barred: dict[str, int] = {}  # `strategy/symbol` -> market time before which no order leaves
    book: Book = msgspec.field(default_factory=Book)
    halts: dict[str, list[tuple[int, int]]] = {}
    flows: dict[str, Flow] = {}
    forecasts: dict[str, dict[str, Forecast]] = {}  # symbol -> model
    totals: Totals = msgspec.field(default_factory=Totals)


def step(desk: Desk, envelope: Envelope) -> tuple[Desk, Sequence[Body]]:
    """One message; see the module."""
    body = envelope.body
    replay = replay_of(envelope.header.trace)
    if replay is not None and replay < desk.replay:
        return desk, ()
    if replay is not None and replay > desk.replay:
        desk = Desk(replay=replay, totals=desk.totals, held=desk.held, killed=desk.killed)
    desk.clock_ns = max(desk.clock_ns, envelope.header.ts_event)
    if isinstance(body, Bars):
        return desk, _bars(desk, body)
    if isinstance(body, Session):
        _session(desk, body)
    elif isinstance(body, Halt):
        desk.halts.setdefault(body.symbol, []).append((body.start_ns, body.end_ns))
    elif isinstance(body, Vpin):
        _flow(desk, body)
    elif isinstance(body, Predictions):
        for row in body.rows:
            desk.forecasts.setdefault(row.symbol, {})[row.model] = Forecast(row.ts_ns, row.value)
    else:
        _order_event(desk, body)
        return desk, [*(_recall(desk) if desk.held or desk.killed else ()), *_flatten(desk)]
    return desk, ()


def hold(desk: Desk, held: bool) -> Sequence[Body]:
    """Withdraw every open order and send no more, until told otherwise; the cancels that leave at once."""
    desk.held = held
    return _recall(desk) if held else ()


def kill(desk: Desk) -> Sequence[Body]:
    """The kill switch: withdraw every open order, close every position at the market, open none until it is reset.

    A leg whose order is still open is closed once that order has ended, one that is halted once it trades again.
    """
    desk.killed = True
    return [*_recall(desk), *_flatten(desk)]


def reset(desk: Desk) -> Sequence[Body]:
    """Let the strategies trade again after `kill`."""
    desk.killed = False
    return ()


def _flatten(desk: Desk) -> list[Body]:
    """While the kill switch is on: what closes the positions that no order is about to change."""
    if not desk.killed or desk.session is None or desk.closed:
        return []
    desk.targets = dict.fromkeys(desk.targets, 0)
    held = [key for key, quantity in desk.positions.items() if quantity]
    pairs = [(name, key.partition("/")[2]) for key in held for name in STRATEGIES if key.startswith(f"{name}/")]
    return [order for name, symbol in pairs for order in _act(desk, desk.session, name, symbol, 0)]


def _closes(desk: Desk, tracked: Tracked) -> bool:
    """Whether an order is at the market and can only shrink its leg's position."""
    order, left = tracked.order, tracked.order.quantity - tracked.filled
    held = desk.positions.get(f"{order.strategy}/{order.symbol}", 0)
    return order.limit is None and held * order.side < 0 and left <= abs(held)


def _recall(desk: Desk) -> list[Body]:
    """Cancel what is open; an order that the risk engine has not answered yet is cancelled once it is accepted."""
    out: list[Body] = []
    for tracked in desk.book.open.values():
        if not tracked.cancel_sent and tracked.status != "pending" and tracked.owed is None:
            if desk.killed and not desk.held and _closes(desk, tracked):
                continue
            tracked.cancel_sent = True
            desk.totals.cancels += 1
            out.append(Cancel(tracked.order.order_id, tracked.order.strategy))
    return out


def _flow(desk: Desk, body: Vpin) -> None:
    for row in body.rows:
        if row.vpin is not None:
            flow = desk.flows.setdefault(row.symbol, Flow())
            flow.last, flow.total, flow.count = row.vpin, flow.total + row.vpin, flow.count + 1


def _order_event(desk: Desk, body: Body) -> None:
    """What became of an order: fills move the position, a refusal bars the leg for a while."""
    tracked = learn(desk.book, body, CONFIG.recent)
    if tracked is None:
        return
    key = f"{tracked.order.strategy}/{tracked.order.symbol}"
    if isinstance(body, Fill):
        desk.positions[key] = desk.positions.get(key, 0) + body.side * body.quantity
        desk.totals.fills += 1
    elif tracked.status in ("denied", "rejected"):
        desk.barred[key] = desk.clock_ns + round(CONFIG.cool_s * NS)
        desk.totals.refused += 1


def _session(desk: Desk, body: Session) -> None:
    """The facts of the day come with any of its session messages; the close ends it."""
    desk.session = body
    desk.closed = body.event == "close"


def _bars(desk: Desk, body: Bars) -> list[Body]:
    """Each bar moves the strategy that watches its kind, and lets both act on its symbol."""
    out: list[Body] = []
    due: dict[str, int] = {}  # symbol -> its last close
    for row in body.rows:
        history = (desk.minutes if row.kind == "time" else desk.volumes).setdefault(row.symbol, [])
        history.append(row.close)
        del history[: -max(CONFIG.momentum.slow, CONFIG.reversion.bars)]
        out += _signal(desk, "momentum" if row.kind == "time" else "reversion", row)
        due[row.symbol] = row.close
    out += _withdraw(desk)
    out += _flatten(desk)
    session = desk.session
    if session is None or desk.closed:
        return out
    for symbol, close in due.items():
        if symbol in session.orderable:
            for strategy in STRATEGIES:
                out += _act(desk, session, strategy, symbol, close)
    return out


def _signal(desk: Desk, strategy: StrategyName, row: BarRow) -> list[Body]:
    """The strategy's view after a bar; a signal when it changes what it wants to hold."""
    session = desk.session
    if session is None or row.symbol not in session.orderable:
        return []
    key = f"{strategy}/{row.symbol}"
    before = desk.targets.get(key, 0)
    held = (before > 0) - (before < 0)
    view = _view(desk, strategy, row.symbol, held)
    if desk.killed or _late(desk, session):
        view = rules.View(0, "the kill switch is on" if desk.killed else "the session is about to close")
    if view is None:
        return []
    desk.reasons[key] = view.reason
    target = view.direction * _unit(session, row.symbol)
    if target == before:
        return []
    desk.targets[key] = target
    desk.totals.signals += 1
    return [Signal(strategy, row.symbol, target, view.reason)]


def _view(desk: Desk, strategy: StrategyName, symbol: str, held: int) -> rules.View | None:
    if strategy == "momentum":
        return rules.momentum(desk.minutes[symbol], held, CONFIG.momentum)
    oldest = desk.clock_ns - round(CONFIG.forecast_s * NS)
    values = [f.value for _, f in sorted(desk.forecasts.get(symbol, {}).items()) if f.ts_ns >= oldest]
    forecast = sum(values) / len(values) if values else None
    toxicity = desk.flows.get(symbol, Flow()).toxicity
    return rules.reversion(desk.volumes[symbol], held, CONFIG.reversion, toxicity, forecast)


def _unit(session: Session, symbol: str) -> int:
    """A full position, in shares or contracts."""
    contract = session.multipliers[session.symbols.index(symbol)] > 1
    return CONFIG.contracts if contract else CONFIG.shares


def _late(desk: Desk, session: Session) -> bool:
    opening = open_ns(dt.date.fromisoformat(session.date))
    return desk.clock_ns >= opening + round(CONFIG.flat_s * NS)


def _act(desk: Desk, session: Session, strategy: StrategyName, symbol: str, close: int) -> list[Body]:
    """The order that leads from the position to the target, unless one is open already or the symbol is halted."""
    key = f"{strategy}/{symbol}"
    gap = desk.targets.get(key, 0) - desk.positions.get(key, 0)
    if desk.held or gap == 0 or key in desk.book.at or desk.clock_ns < desk.barred.get(key, 0):
        return []
    if halted(desk, symbol):
        desk.totals.held_back += 1
        return []
    side: Side = 1 if gap > 0 else -1
    limit = None
    if strategy == "reversion" and not desk.killed and not _late(desk, session):
        tick = session.tick_sizes[session.symbols.index(symbol)]
        limit = close // tick * tick if side > 0 else -(-close // tick) * tick
    order = Order(next_id(desk.book, strategy, desk.replay), strategy, symbol, side, abs(gap), limit)
    send(desk.book, order, desk.clock_ns)
    desk.totals.orders += 1
    return [order]


def _withdraw(desk: Desk) -> list[Body]:
    """Cancel accepted limit orders that are stale, or whose strategy no longer wants them."""
    oldest = desk.clock_ns - round(CONFIG.stale_s * NS)
    out: list[Body] = []
    for tracked in desk.book.open.values():
        order = tracked.order
        if order.limit is None or tracked.cancel_sent or tracked.status == "pending" or tracked.owed is not None:
            continue
        key = f"{order.strategy}/{order.symbol}"
        wanted = (desk.targets.get(key, 0) - desk.positions.get(key, 0)) * order.side > 0
        if tracked.sent_ns <= oldest or not wanted:
            tracked.cancel_sent = True
            desk.totals.cancels += 1
            out.append(Cancel(order.order_id, order.strategy))
    return out


def halted(desk: Desk, symbol: str) -> bool:
    """Whether the symbol, or the whole market, is halted at the desk's clock."""
    spans = (*desk.halts.get(symbol, ()), *desk.halts.get(EVERYTHING, ()))
    return any(start <= desk.clock_ns < end for start, end in spans)
