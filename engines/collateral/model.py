"""Collateral's step: positions and orders in, margin out.  Deterministic.

From a replay's first positions on a margin is told when it differs from the last one told, and with every order that
risk lets through, whether or not that changes it: so that its cause shows that the order was heard of.
"""

from collections.abc import Sequence

import msgspec

from engines.collateral.margin import margin
from engines.collateral.reserve import Reserve, order_margin
from engines.wire.messages import Accepted, Body, Envelope, Margin, Positions, Session
from engines.wire.trace import replay_of


class State(msgspec.Struct):
    """One replay's positions and orders, the last margin told in it, and counts since the state was made.

    `multipliers`: currency units per point by symbol, as the session tells them.
    """

    replay: int = 0
    positions: Positions | None = None
    reserve: Reserve = msgspec.field(default_factory=Reserve)
    multipliers: dict[str, int] = {}
    last: Margin | None = None
    margins: int = 0
    calls: int = 0  # how often a call began


def initial() -> State:
    """The state before any message."""
    return State()


def step(state: State, envelope: Envelope) -> tuple[State, Sequence[Body]]:
    """A margin for each message that changes it, and for each accepted order."""
    body, replay = envelope.body, replay_of(envelope.header.trace)
    if replay is not None and replay < state.replay:
        return state, ()
    fresh = replay is not None and replay > state.replay
    opened = isinstance(body, Session) and body.event == "open"
    if fresh or (opened and replay is None):
        known = state.replay if replay is None else replay
        state = State(replay=known, margins=state.margins, calls=state.calls)
    if isinstance(body, Session) and opened:
        state.multipliers = dict(zip(body.symbols, body.multipliers, strict=False))
    elif isinstance(body, Positions):
        state.positions = body
        state.reserve.book(envelope.header.cause)
    else:
        state.reserve.learn(body, envelope.entry_id)
    return state, _told(state, again=isinstance(body, Accepted))


def _told(state: State, *, again: bool) -> Sequence[Body]:
    """The margin, if it is news or is to be told again."""
    held = state.positions
    if held is None:
        return ()
    found = margin(held.rows, held.equity, order_margin(state.reserve.open.values(), held.rows, state.multipliers))
    if found == state.last and not again:
        return ()
    state.calls += found.call > 0 and (state.last is None or state.last.call == 0)
    state.last = found
    state.margins += 1
    return (found,)
