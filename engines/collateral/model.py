"""Collateral's step: positions in, margin out.  Deterministic."""

from collections.abc import Sequence

import msgspec

from engines.collateral.margin import margin
from engines.wire.messages import Body, Envelope, Margin, Positions, Session
from engines.wire.trace import replay_of


class State(msgspec.Struct):
    """The last margin told in this replay, and counts since the state was made."""

    replay: int = 0
    last: Margin | None = None
    margins: int = 0
    calls: int = 0  # how often a call began


def initial() -> State:
    """The state before any message."""
    return State()


def step(state: State, envelope: Envelope) -> tuple[State, Sequence[Body]]:
    """A margin for each positions message that changes it."""
    replay = replay_of(envelope.header.trace)
    if replay is not None and replay < state.replay:
        return state, ()
    if replay is not None and replay > state.replay:
        state.replay, state.last = replay, None
    body = envelope.body
    if isinstance(body, Session) and replay is None and body.event == "open":
        state.last = None
    if not isinstance(body, Positions):
        return state, ()
    found = margin(body.rows, body.equity)
    if found == state.last:
        return state, ()
    state.calls += found.call > 0 and (state.last is None or state.last.call == 0)
    state.last = found
    state.margins += 1
    return state, (found,)
