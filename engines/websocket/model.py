"""The websocket engine's pure part: counts of what streamed by, and the quote a client starts from."""

import datetime as dt
from collections.abc import Sequence

import msgspec

from engines.websocket.config import CONFIG
from engines.wire.bundle import Bars
from engines.wire.errors import DataError
from engines.wire.messages import Body, Envelope, Levels, Quotes, Trades
from engines.wire.ticks import LEVEL, QUOTE, TRADE


class TopicCount(msgspec.Struct):
    """What streamed by of one topic: messages, ticks in them, and the last one's id and market time (ns)."""

    messages: int = 0
    ticks: int = 0
    last_id: str = ""
    last_ts_event: int = 0


class Streamed(msgspec.Struct):
    """Counts per topic since the engine first ran."""

    topics: dict[str, TopicCount] = {}


class Quote(msgspec.Struct, frozen=True):
    """A symbol at the close of a stored day; prices in currency units as traded (unadjusted).

    `change` is against the previous stored close; `year_high` and `year_low` cover the last 252 trading days.
    """

    symbol: str
    date: str
    last: float
    previous: float
    change: float
    change_percent: float
    volume: int
    relative_volume: float
    year_high: float
    year_low: float


def step(state: Streamed, envelope: Envelope) -> tuple[Streamed, Sequence[Body]]:
    """Count one message.  Publishes nothing."""
    count = state.topics.get(envelope.topic)
    if count is None:
        count = state.topics[envelope.topic] = TopicCount()
    count.messages += 1
    count.ticks += ticks(envelope.body)
    count.last_id = envelope.entry_id
    count.last_ts_event = max(count.last_ts_event, envelope.header.ts_event)
    return state, ()


def ticks(body: Body) -> int:
    """Ticks in a message; 0 when it holds none."""
    if isinstance(body, Trades):
        return len(body.rows) // TRADE.itemsize
    if isinstance(body, Quotes):
        return len(body.rows) // QUOTE.itemsize
    return len(body.rows) // LEVEL.itemsize if isinstance(body, Levels) else 0


def quote(bars: Bars, date: dt.date | None) -> Quote:
    """The quote of the last stored day up to `date`; relative volume is to the year's mean.

    Raises:
        DataError: fewer than two days are stored up to then.
    """
    known = bars.between(None, date)
    if len(known) < 2:
        raise DataError(f"{bars.symbol} has no two days up to {date}.", "A change needs two closes.", "Ask later.")
    year = slice(max(0, len(known) - CONFIG.year), None)
    last, previous = float(known.close[-1]), float(known.close[-2])
    mean_volume = float(known.volume[year].mean())
    return Quote(
        symbol=bars.symbol,
        date=str(known.date[-1]),
        last=last,
        previous=previous,
        change=last - previous,
        change_percent=100 * (last / previous - 1),
        volume=int(known.volume[-1]),
        relative_volume=float(known.volume[-1]) / mean_volume if mean_volume > 0 else 0.0,
        year_high=float(known.high[year].max()),
        year_low=float(known.low[year].min()),
    )
