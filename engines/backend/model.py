"""What the backend remembers of the messages that are recorded, and statistics of stored bars."""

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from engines.backend.config import CONFIG
from engines.kit.store import Count
from engines.wire.bundle import Bars
from engines.wire.bus import parse_id
from engines.wire.errors import DataError
from engines.wire.messages import Body, Envelope, Fleet, Session, Trades
from engines.wire.ticks import TRADE, Rows
from engines.wire.trace import least_missed

Floats = npt.NDArray[np.float64]
TRADING_DAYS = 252


class TopicCount(msgspec.Struct):
    """Messages recorded of one topic, with the last one's entry id and market time (ns)."""

    rows: int = 0
    last_id: str = ""
    last_ts_event: int = 0


class TapePart(msgspec.Struct):
    """Trades that came together: `rows` is a `ticks.TRADE` array."""

    symbols: tuple[str, ...]
    rows: npt.NDArray[np.void]


class Recorded(msgspec.Struct):
    """The backend's picture of the store.

    `runs`: trace -> topic -> messages, the last `Config.runs` traces; those of requests make room first.  `closed`:
    runs whose session closed, in order.  `tape`: the last trades, `Config.tape_rows` of them or a little more.
    """

    topics: dict[str, TopicCount] = {}
    runs: dict[str, dict[str, int]] = {}
    closed: list[str] = []
    fleet: Fleet | None = None
    tape: list[TapePart] = []
    tape_rows: int = 0


class TapeRow(msgspec.Struct, frozen=True):
    """One trade: market time in ns, price in 1/10,000 of a currency unit."""

    ts: int
    symbol: str
    side: int
    price: int
    size: int


class Summary(msgspec.Struct, frozen=True):
    """Statistics of daily bars; returns are simple, of adjusted closes.

    `volatility` is annualised by sqrt(252) with ddof 1; `skewness` and `kurtosis` (excess) are the moment estimators
    without bias correction (scipy.stats' defaults); `max_drawdown` is at most 0.
    """

    symbol: str
    bars: int
    first: str
    last: str
    low: float
    high: float
    mean_volume: float
    total_return: float
    mean_return: float
    volatility: float
    skewness: float | None
    kurtosis: float | None
    best_day: float
    worst_day: float
    max_drawdown: float


def step(state: Recorded, envelope: Envelope) -> tuple[Recorded, Sequence[Body]]:
    """Count one recorded message and remember what people ask for.  Publishes nothing."""
    header, body = envelope.header, envelope.body
    count = state.topics.get(envelope.topic)
    if count is None:
        count = state.topics[envelope.topic] = TopicCount()
    count.rows += 1
    count.last_id = envelope.entry_id
    count.last_ts_event = max(count.last_ts_event, header.ts_event)
    _count_run(state, header.trace, envelope.topic, 1)
    if isinstance(body, Trades):
        _remember(state, body)
    elif isinstance(body, Fleet):
        state.fleet = body
    elif isinstance(body, Session) and body.event == "close":
        _close(state, header.trace)
    return state, ()


def restore(counts: Iterable[Count], sessions: Iterable[Envelope]) -> Recorded:
    """The picture of a store that was opened: its counts, and the runs that closed."""
    state = Recorded()
    for topic, trace, rows, last_id, last_ts_event in sorted(counts, key=lambda count: parse_id(count.last_id)):
        count = state.topics.setdefault(topic, TopicCount())
        count.rows += rows
        count.last_id = last_id
        count.last_ts_event = max(count.last_ts_event, last_ts_event)
        _count_run(state, trace, topic, rows)
    for envelope in sessions:
        if isinstance(envelope.body, Session) and envelope.body.event == "close":
            _close(state, envelope.header.trace)
    return state


def run_of(trace: str) -> str:
    """The run that a trace belongs to: `r1/window` is of `r1`."""
    return trace.partition("/")[0]


def run_rows(state: Recorded, run: str) -> int:
    """Messages of all traces of a run."""
    return sum(sum(topics.values()) for trace, topics in state.runs.items() if run_of(trace) == run)


def last_trades(state: Recorded, symbol: str | None, limit: int) -> list[TapeRow]:
    """The newest `limit` trades of one symbol or of all, newest first."""
    found: list[TapeRow] = []
    for part in reversed(state.tape):
        rows = part.rows[::-1]
        if symbol is not None:
            if symbol not in part.symbols:
                continue
            rows = rows[rows["symbol"] == part.symbols.index(symbol)]
        for ts, index, side, price, size in rows[: limit - len(found)].tolist():
            found.append(TapeRow(ts, part.symbols[index], side, price, size))
        if len(found) >= limit:
            break
    return found


def summary(bars: Bars) -> Summary:
    """Statistics of `bars`.

    Raises:
        DataError: there are fewer than three bars.
    """
    if len(bars) < 3:
        raise DataError(f"{bars.symbol} has {len(bars)} bars there.", "Statistics need three.", "Widen the dates.")
    close: Floats = bars.adj_close
    returns = close[1:] / close[:-1] - 1
    mean = float(returns.mean())
    moved = returns - mean
    squared = moved * moved
    variance = float(squared.mean())
    return Summary(
        symbol=bars.symbol,
        bars=len(bars),
        first=str(bars.date[0]),
        last=str(bars.date[-1]),
        low=float(bars.low.min()),
        high=float(bars.high.max()),
        mean_volume=float(bars.volume.mean()),
        total_return=float(close[-1] / close[0] - 1),
        mean_return=mean,
        volatility=float((variance * moved.size / (moved.size - 1) * TRADING_DAYS) ** 0.5),
        skewness=float(squared @ moved) / moved.size / variance**1.5 if variance > 0 else None,
        kurtosis=float(squared @ squared) / moved.size / variance**2 - 3 if variance > 0 else None,
        best_day=float(returns.max()),
        worst_day=float(returns.min()),
        max_drawdown=float((close / np.maximum.accumulate(close)).min() - 1),
    )


def _count_run(state: Recorded, trace: str, topic: str, rows: int) -> None:
    topics = state.runs.get(trace)
    if topics is None:
        if len(state.runs) >= CONFIG.runs:
            state.runs.pop(least_missed(state.runs))
        topics = state.runs[trace] = {}
    topics[topic] = topics.get(topic, 0) + rows


def _close(state: Recorded, trace: str) -> None:
    run = run_of(trace)
    if run in state.closed:
        state.closed.remove(run)
    state.closed.append(run)


def _remember(state: Recorded, trades: Trades) -> None:
    rows: Rows = np.frombuffer(trades.rows, TRADE)
    state.tape.append(TapePart(trades.symbols, rows))
    state.tape_rows += rows.size
    while state.tape_rows - state.tape[0].rows.size >= CONFIG.tape_rows:
        state.tape_rows -= state.tape.pop(0).rows.size
