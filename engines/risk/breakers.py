"""Halts, by the rulebook in force on the session's day: the market-wide breaker and recorded pauses of futures.

The market-wide breaker is judged on the index's levels against its prior close.  A recorded pause (the exchange looked
at resting stop orders, which no tape holds) applies when the tape agrees: at its time, the future's last trade is its
lowest of the session.  It is decided by the first trade of any symbol after that time, so nothing later is used.
"""

import datetime as dt
from collections.abc import Iterator
from functools import lru_cache

import msgspec
import numpy as np

from engines.wire import bundle
from engines.wire.errors import DataError, UsageError
from engines.wire.messages import Body, Halt, RiskAlert
from engines.wire.rulebook import CENT, INDEX, MarketWide, rules
from engines.wire.ticks import PRICE_SCALE, Rows, to_units

MARKET = "*"
STALE_DAYS = 7  # September 2001: no session between two Mondays


class Span(msgspec.Struct, frozen=True):
    """A halt of `symbol` in [start_ns, end_ns)."""

    symbol: str
    start_ns: int
    end_ns: int
    rule: str


class Pending(msgspec.Struct):
    """A recorded pause that has not been decided; `last` and `low` are the future's prices so far."""

    symbol: str
    start_ns: int
    end_ns: int
    rule: str
    last: int | None = None
    low: int | None = None


class Breakers(msgspec.Struct):
    """One session's breakers. `level`: the highest market-wide level that has halted; `near`: its alert is out."""

    day: dt.date
    asof: dt.date | None = None  # a what-if: the day whose rulebook is in force
    prior_close: int | None = None
    level: int = 0
    near: bool = False
    pending: list[Pending] = []
    halts: list[Span] = []

    def halted(self, symbol: str, ts_ns: int) -> bool:
        """Whether `symbol` may not trade at `ts_ns`."""
        return any(span.symbol in (symbol, MARKET) and span.start_ns <= ts_ns < span.end_ns for span in self.halts)


@lru_cache(maxsize=64)
def prior_close(day: dt.date) -> int:
    """The index's close of the trading day before, to the cent, in units of 1/10,000.

    Raises:
        DataError: the bundle has none within a week.
    """
    before = bundle.bars(INDEX).before(day, 1)
    if len(before) == 0 or day - before.date[0].item() > dt.timedelta(STALE_DAYS):
        raise DataError(
            f"{INDEX} has no close in the {STALE_DAYS} days before {day}.",
            "The market-wide breaker is judged against it.",
            "Give prior_close.",
        )
    return round(to_units(float(before.close[0])) / CENT) * CENT


def open_day(day: dt.date, asof: dt.date | None = None) -> tuple[Breakers, list[Body]]:
    """The breakers of a day, with an alert where the market-wide rule cannot be judged.

    `asof`: the rulebook of another day is in force; pauses that an exchange made stay on their own day.
    """
    book = rules(asof or day)
    pauses = (pause for pause in book.futures_pauses if pause.holds(day))
    breakers = Breakers(day, asof, pending=[Pending(pause.symbol, *pause.span(day), pause.name) for pause in pauses])
    if book.market_wide is None:
        return breakers, []
    try:
        breakers.prior_close = prior_close(day)
        book.market_wide.thresholds(breakers.prior_close)
    except (DataError, UsageError) as error:
        breakers.prior_close = None
        return breakers, [RiskAlert("breaker-unknown", INDEX, 0.0, 0.0, str(error))]
    return breakers, []


def on_levels(breakers: Breakers, rows: Rows, near_percent: int) -> list[Body]:
    """Judge a batch of index levels (LEVEL rows of the index alone, in time order)."""
    rule, prior = rules(breakers.asof or breakers.day).market_wide, breakers.prior_close
    if rule is None or prior is None or rows.size == 0:
        return []
    at = rule.thresholds(prior)
    close_to = prior - (prior - at[0]) * near_percent // 100
    out: list[Body] = []
    if not breakers.near and int(rows["level"].min()) <= close_to:
        breakers.near = True
        value = int(rows["level"][np.argmax(rows["level"] <= close_to)])
        fall, first = 1 - value / prior, 1 - at[0] / prior
        detail = f"{fall:.2%} below {prior / PRICE_SCALE:.2f}; level 1 is at {first:.2%}"
        out.append(RiskAlert("breaker-near", INDEX, fall, first, detail))
    below = rows[rows["level"] <= at[0]]
    return [*out, *_trips(breakers, rule, below, prior)]


def _trips(breakers: Breakers, rule: MarketWide, below: Rows, prior: int) -> Iterator[Body]:
    """A halt for each row that breaches a level that has not halted yet."""
    for ts, value in zip(below["ts"].tolist(), below["level"].tolist(), strict=True):
        level = rule.breached(value, prior)
        if level <= breakers.level or breakers.halted(MARKET, ts):
            continue
        trip = rule.halt(level, ts, breakers.day)
        if trip is not None:
            breakers.level = level
            name = f"{trip.rule} (proxy)" if trip.proxy else trip.rule
            breakers.halts.append(Span(MARKET, trip.start_ns, trip.end_ns, name))
            yield Halt("market-wide", level, MARKET, trip.start_ns, trip.end_ns, name)


def on_trades(breakers: Breakers, symbols: tuple[str, ...], rows: Rows) -> list[Body]:
    """Watch for recorded pauses in a batch of trades (TRADE rows in time order)."""
    out: list[Body] = []
    for pause in list(breakers.pending):
        until = int(np.searchsorted(rows["ts"], pause.start_ns, side="right"))
        if pause.symbol in symbols:
            prices = rows["price"][:until][rows["symbol"][:until] == symbols.index(pause.symbol)]
            if prices.size:
                lowest = int(prices.min())
                pause.last = int(prices[-1])
                pause.low = lowest if pause.low is None else min(pause.low, lowest)
        if until < len(rows):
            breakers.pending.remove(pause)
            out.append(_decide(breakers, pause))
    return out


def _decide(breakers: Breakers, pause: Pending) -> Body:
    """The halt, or why there is none."""
    if pause.last is not None and pause.last == pause.low:
        breakers.halts.append(Span(pause.symbol, pause.start_ns, pause.end_ns, pause.rule))
        return Halt("pause", 0, pause.symbol, pause.start_ns, pause.end_ns, pause.rule)
    last, low = (pause.last or 0) / PRICE_SCALE, (pause.low or 0) / PRICE_SCALE  # 0: it has not traded
    detail = f"{pause.rule}: the last trade is not the session's lowest, so this tape is not paused"
    return RiskAlert("pause-not-confirmed", pause.symbol, last, low, detail)
