"""Portfolio's step: fills and marks in, positions out.  Deterministic; times come from the messages.

Positions are told after every fill and funding, at a session's open, and on marks at most once per market second.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from engines.portfolio.account import Account
from engines.wire.messages import Body, Envelope, Fill, Funding, Session, Trades
from engines.wire.session import NS
from engines.wire.ticks import TRADE
from engines.wire.trace import replay_of


class State(msgspec.Struct):
    """One replay's account. `marks`: last prices of all symbols; `told_s`: market second of the last report."""

    replay: int = 0
    session: str = ""  # ISO date, empty before it opens
    account: Account = msgspec.field(default_factory=Account)
    marks: dict[str, int] = {}
    told_s: int = 0
    pending: bool = False  # a mark moved the equity since the last report
    fills: int = 0  # since the state was made, as is `reports`
    reports: int = 0


def initial() -> State:
    """The state before any message."""
    return State()


def step(state: State, envelope: Envelope) -> tuple[State, Sequence[Body]]:
    """One message; see the module."""
    body, header = envelope.body, envelope.header
    replay = replay_of(header.trace)
    if replay is not None and replay < state.replay:
        return state, ()
    fresh = replay is not None and replay > state.replay
    again = isinstance(body, Session) and body.event == "open" and state.session != ""
    if fresh or again:
        state = State(replay=state.replay if replay is None else replay, fills=state.fills, reports=state.reports)
    if isinstance(body, Trades):
        return state, _on_trades(state, body)
    if isinstance(body, Fill):
        return state, _on_fill(state, body, header.ts_event)
    if isinstance(body, Funding):
        state.account.fund(body.cash)
        return state, _report(state, header.ts_event)
    if isinstance(body, Session) and body.event == "open":
        state.session = body.date
        return state, _report(state, header.ts_event)
    return state, ()


def _on_fill(state: State, fill: Fill, ts_ns: int) -> Sequence[Body]:
    state.fills += 1
    state.account.fill(fill)
    state.account.mark(fill.symbol, state.marks.get(fill.symbol, fill.price))
    return _report(state, ts_ns)


def _on_trades(state: State, body: Trades) -> Sequence[Body]:
    rows = np.frombuffer(body.rows, TRADE)
    if rows.size == 0:
        return ()
    for index, price in dict(zip(rows["symbol"].tolist(), rows["price"].tolist(), strict=True)).items():
        symbol = body.symbols[index]
        state.marks[symbol] = price
        state.pending |= state.account.mark(symbol, price)
    now = int(rows["ts"][-1])
    if state.pending and now // NS > state.told_s:
        return _report(state, now)
    return ()


def _report(state: State, ts_ns: int) -> Sequence[Body]:
    state.told_s = max(state.told_s, ts_ns // NS)
    state.pending = False
    state.reports += 1
    return (state.account.report(),)
