"""The VPIN engine's step: trades make minutes, minutes fill buckets, buckets make VPIN."""

import datetime as dt
from collections.abc import Sequence

import msgspec
import numpy as np

from engines.vpin.config import CONFIG, NS, bucket_volume
from engines.vpin.minutes import Minutes, add, fresh
from engines.vpin.toxicity import Toxicity
from engines.wire.messages import Body, Envelope, Session, Trades, Vpin, VpinRow
from engines.wire.ticks import TRADE
from engines.wire.trace import replay_of


class State(msgspec.Struct):
    """One replay: its open minute, and each symbol's buckets (None: no average volume is known)."""

    session: str = ""
    replay: int = 0
    symbols: tuple[str, ...] = ()
    minutes: Minutes = msgspec.field(default_factory=Minutes)
    toxicity: list[Toxicity | None] = []


def step(state: State, envelope: Envelope) -> tuple[State, Sequence[Body]]:
    """One message; what a former replay left behind is ignored.

    Raises:
        MessageError: a batch that no honest sender makes.
        ValueError: rows that are no whole number of trades.
    """
    body, replay = envelope.body, replay_of(envelope.header.trace) or 0
    if replay < state.replay:
        return state, []
    if isinstance(body, Trades):
        rows = np.frombuffer(body.rows, TRADE)
        if rows.size and (replay > state.replay or not state.symbols):
            state = _start(state.session, replay, body.symbols, int(rows["ts"][0]))
        made = [
            VpinRow(state.symbols[symbol], bucket.number, end_ns, bucket.vpin)
            for end_ns, bars in add(state.minutes, rows)
            for symbol, volume, price in bars
            if (toxicity := state.toxicity[symbol]) is not None
            for bucket in toxicity.add(volume, price)
        ]
        return state, [Vpin(tuple(made))] if made else []
    if isinstance(body, Session) and body.event == "open":
        if replay > state.replay:
            state = State(replay=replay)
        state.session = f"{body.scenario} {body.date}"
    return state, []


def _start(session: str, replay: int, symbols: tuple[str, ...], first_ns: int) -> State:
    """A replay before its first trade.  A regular session lies within one UTC day."""
    day = dt.datetime.fromtimestamp(first_ns // NS, dt.UTC).date()
    volumes = [bucket_volume(symbol, day) for symbol in symbols]
    toxicity = [None if volume is None else Toxicity(volume, CONFIG.window) for volume in volumes]
    return State(session, replay, symbols, fresh(len(symbols)), toxicity)


def describe(state: State) -> list[str]:
    """What the engine does at the moment, from its state."""
    followed = [item for item in state.toxicity if item is not None]
    full = sum(item.closed >= item.window for item in followed)
    return [
        f"streaming VPIN of {len(followed)} symbols, {full} with a full window of {CONFIG.window} buckets",
        f"bulk volume classification of {CONFIG.bar_ns // NS} s bars, normal CDF, causal sigma",
    ]
