"""The factor engine's step: the session's time bars make factors."""

from collections.abc import Sequence

import msgspec

from engines.factor.config import CONFIG
from engines.factor.live import Live, take_bars
from engines.factor.registry import blocks, factors
from engines.wire.messages import Bars, Body, Envelope, Factors, Session
from engines.wire.trace import replay_of


class State(msgspec.Struct):
    """The session and its panel."""

    session: str = ""
    live: Live = msgspec.field(default_factory=Live)


def step(state: State, envelope: Envelope) -> tuple[State, Sequence[Body]]:
    """One message; what a former replay left behind is ignored."""
    body, replay = envelope.body, replay_of(envelope.header.trace) or 0
    if replay < state.live.replay:
        return state, []
    if replay > state.live.replay:
        state.live = Live(replay)
    if isinstance(body, Session) and body.event == "open":
        state.session = f"{body.scenario} {body.date}"
    if isinstance(body, Bars):
        made = take_bars(state.live, body.rows)
        return state, [Factors(tuple(made))] if made else []
    return state, []


def describe(state: State) -> list[str]:
    """What the engine can do and does, counted."""
    counts = ", ".join(f"{len(block.definitions())} of {block.name}" for block in blocks())
    return [
        f"{len(factors())} factor definitions ({counts})",
        f"{len(CONFIG.live)} live factors of {len(state.live.symbols)} symbols, {state.live.minutes} minutes",
    ]
