"""Live performance since the session's open, from trades.

Minute returns are between the last prices of consecutive minutes; a minute without a trade has the return 0.  A minute
counts when a later trade shows that it is over.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from engines.analytics.config import CONFIG, SESSION_MINUTES, TRADING_DAYS
from engines.wire.messages import Body, Envelope, Performance, PerformanceRow, Session, Trades
from engines.wire.ticks import TRADE, Rows
from engines.wire.trace import replay_of

_YEAR = (TRADING_DAYS * SESSION_MINUTES) ** 0.5  # annualises a figure of minute returns


class Track(msgspec.Struct):
    """One symbol since the open.  Prices in 1/10,000; `count`, `mean`, `squares` are Welford's over minute returns."""

    first: int
    last: int
    peak: int
    minute: int
    last_ns: int
    drawdown: float = 0.0
    closed: int = 0  # close of the last whole minute, 0 before any
    count: int = 0
    mean: float = 0.0
    squares: float = 0.0


class Live(msgspec.Struct):
    """The current replay; trades of an earlier one are left out."""

    replay: int = 0  # its number; 0 before any
    session: str = ""
    published: int = 0  # the last period (market time over `Config.publish_ns`) that was published
    trades: int = 0
    stale: int = 0  # trades of an earlier replay, or of none
    tracks: dict[str, Track] = {}


class Figures(NamedTuple):
    """Of one track; volatility and Sharpe are annualised, None before `Config.fewest_minutes`."""

    total_return: float
    volatility: float | None
    sharpe: float | None
    max_drawdown: float


def step(state: Live, envelope: Envelope) -> tuple[Live, Sequence[Body]]:
    """Follow the trades; publish every symbol's figures at most once per `Config.publish_ns` and message."""
    body, replay = envelope.body, replay_of(envelope.header.trace)
    if isinstance(body, Session):
        if replay is not None and replay > state.replay:
            _begin(state, replay)
        if replay == state.replay:
            state.session = f"{body.scenario} {body.date} {body.event}"
        return state, ()
    if not isinstance(body, Trades):
        return state, ()
    rows = np.frombuffer(body.rows, TRADE)
    if replay is None or replay < state.replay:
        state.stale += rows.size
        return state, ()
    if replay > state.replay:
        _begin(state, replay)
    if not rows.size:
        return state, ()
    follow(state, body.symbols, rows)
    period = int(rows["ts"][-1]) // CONFIG.publish_ns
    if period <= state.published:
        return state, ()
    state.published = period
    return state, (Performance(tuple(performance(state))),)


def follow(state: Live, symbols: Sequence[str], rows: Rows) -> None:
    """Take in a batch in time order.  A plain loop: at tens of rows a batch it is quicker than numpy by symbol."""
    state.trades += rows.size
    tracks = state.tracks
    minute_ns = CONFIG.minute_ns
    for ts, index, _, price, _ in rows.tolist():
        track = tracks.get(symbols[index])
        minute = ts // minute_ns
        if track is None:
            tracks[symbols[index]] = Track(first=price, last=price, peak=price, minute=minute, last_ns=ts)
            continue
        if minute > track.minute:
            _close_minutes(track, minute)
        track.last = price
        track.last_ns = ts
        if price > track.peak:
            track.peak = price
        else:
            fall = price / track.peak - 1
            track.drawdown = min(track.drawdown, fall)


def performance(state: Live) -> list[PerformanceRow]:
    """Every symbol's row, in order of symbol."""
    return [PerformanceRow(symbol, track.last_ns, *figures(track)) for symbol, track in sorted(state.tracks.items())]


def figures(track: Track) -> Figures:
    """What one track comes to."""
    volatility = sharpe = None
    if track.count >= CONFIG.fewest_minutes:
        deviation = (track.squares / (track.count - 1)) ** 0.5
        volatility = deviation * _YEAR
        sharpe = track.mean / deviation * _YEAR if deviation > 0 else None
    return Figures(track.last / track.first - 1, volatility, sharpe, track.drawdown)


def _close_minutes(track: Track, minute: int) -> None:
    """The minutes before `minute` are over: one return for the first, 0 for those without a trade."""
    if track.closed:
        _add(track, track.last / track.closed - 1)
    track.closed = track.last
    for _ in range(minute - track.minute - 1):
        _add(track, 0.0)
    track.minute = minute


def _add(track: Track, value: float) -> None:
    track.count += 1
    delta = value - track.mean
    track.mean += delta / track.count
    track.squares += delta * (value - track.mean)


def _begin(state: Live, replay: int) -> None:
    state.replay = replay
    state.session = ""
    state.published = 0
    state.trades = 0
    state.tracks = {}
