"""The features engine's step: quotes make features, trades make bars; each stream keeps its own clock.

Streams of different topics are not ordered against each other, so nothing here combines them.
"""

import datetime as dt
from collections.abc import Sequence

import msgspec
import numpy as np

from engines.features.bars import Barring, take_trades
from engines.features.config import CONFIG, NS, bar_volume
from engines.features.flow import Flow, fresh, take_quotes
from engines.wire.messages import Bars, Body, Envelope, Features, Quotes, Session, Trades
from engines.wire.ticks import QUOTE, TRADE
from engines.wire.trace import replay_of


class State(msgspec.Struct):
    """Both streams, and the session they belong to."""

    session: str = ""  # scenario and date
    flow: Flow = msgspec.field(default_factory=Flow)
    bars: Barring = msgspec.field(default_factory=Barring)


def step(state: State, envelope: Envelope) -> tuple[State, Sequence[Body]]:
    """One message; what a former replay left behind is ignored.

    Raises:
        MessageError: a batch that no honest sender makes.
        ValueError: rows that are no whole number of ticks.
    """
    body, replay = envelope.body, replay_of(envelope.header.trace) or 0
    if isinstance(body, Quotes) and replay >= state.flow.replay:
        if replay > state.flow.replay or not state.flow.symbols:
            state.flow = fresh(replay, body.symbols)
        made = take_quotes(state.flow, np.frombuffer(body.rows, QUOTE))
        return state, [Features(tuple(made))] if made else []
    if isinstance(body, Trades) and replay >= state.bars.replay:
        rows = np.frombuffer(body.rows, TRADE)
        if rows.size and (replay > state.bars.replay or not state.bars.symbols):
            state.bars = _barring(replay, body.symbols, int(rows["ts"][0]))
        closed = take_trades(state.bars, rows)
        return state, [Bars(tuple(closed))] if closed else []
    if isinstance(body, Session) and body.event == "open":
        state.session = f"{body.scenario} {body.date}"
        if replay > state.flow.replay:
            state.flow = Flow(replay)
        if replay > state.bars.replay:
            state.bars = Barring(replay)
    return state, []


def _barring(replay: int, symbols: tuple[str, ...], first_ns: int) -> Barring:
    """A replay's bars before its first trade.  A regular session lies within one UTC day."""
    day = dt.datetime.fromtimestamp(first_ns // NS, dt.UTC).date()
    return Barring(replay, symbols, tuple(bar_volume(symbol, day) for symbol in symbols))


def describe(state: State) -> list[str]:
    """What the engine does at the moment, from its state."""
    live = sum(bid > 0 for bid in state.flow.bid.tolist())
    cut = sum(threshold is not None for threshold in state.bars.thresholds)
    return [
        f"4 features of {live} symbols, once per market second",
        f"{CONFIG.bar_ns // NS} s time bars and volume bars; volume thresholds for {cut} symbols",
    ]
