"""Answers about the bundle's daily bars: pages, blocks of days, true range.  Prices in currency units, unadjusted."""

import datetime as dt

import msgspec
import numpy as np

from engines.wire import bundle
from engines.wire.errors import DataError


class SymbolRow(msgspec.Struct, frozen=True):
    """What the bundle holds of one symbol."""

    symbol: str
    title: str
    rows: int
    first: dt.date
    last: dt.date
    adjustment: str


class BarOut(msgspec.Struct, frozen=True):
    """One bar of a day, or of several from `date` to `end`."""

    date: str
    end: str
    open: float
    high: float
    low: float
    close: float
    volume: int


class Page(msgspec.Struct, frozen=True):
    """Bars `offset` to `offset + len(bars)` of `total`; `next_offset` is None on the last page."""

    symbol: str
    total: int
    offset: int
    next_offset: int | None
    bars: tuple[BarOut, ...]


class TrueRange(msgspec.Struct, frozen=True):
    """Wilder's average true range (1978) after the last of `bars` days, and as a share of the last close."""

    symbol: str
    date: str
    days: int
    bars: int
    atr: float
    atr_percent: float


def symbols() -> tuple[SymbolRow, ...]:
    """Every symbol of the bundle."""
    return tuple(SymbolRow(s.symbol, s.title, s.rows, s.first, s.last, s.adjustment) for s in bundle.catalog())


def page(symbol: str, start: dt.date | None, end: dt.date | None, offset: int, limit: int) -> Page:
    """One page of daily bars.

    Raises:
        UnknownSymbol: the bundle does not hold it.
    """
    found = bundle.bars(symbol, start, end)
    stop = min(len(found), offset + limit)
    return Page(symbol, len(found), offset, stop if stop < len(found) else None, _rows(found, offset, stop, 1))


def blocks(symbol: str, start: dt.date | None, end: dt.date | None, days: int, limit: int) -> tuple[BarOut, ...]:
    """The last `limit` blocks of `days` trading days each, counted back from `end`; a block is never cut short.

    Raises:
        UnknownSymbol: the bundle does not hold it.
        DataError: there are fewer than `days` bars.
    """
    found = bundle.bars(symbol, start, end)
    count = min(limit, len(found) // days)
    if count == 0:
        raise _too_few(symbol, len(found), days)
    return _rows(found, len(found) - count * days, len(found), days)


def true_range(symbol: str, end: dt.date | None, days: int) -> TrueRange:
    """Average true range over `days`, smoothed as Wilder does: a mean first, then ((n - 1) ATR + TR) / n.

    It starts at most 10 `days` before `end`, where the start weighs less than 1e-4.

    Raises:
        UnknownSymbol: the bundle does not hold it.
        DataError: there are fewer than `days` + 1 bars.
    """
    found = bundle.bars(symbol, None, end)
    first = max(0, len(found) - 10 * days - 1)
    high, low, close = found.high[first:], found.low[first:], found.close[first:]
    if close.size < days + 1:
        raise _too_few(symbol, close.size, days + 1)
    ranges = np.maximum(high[1:], close[:-1]) - np.minimum(low[1:], close[:-1])
    atr = float(ranges[:days].mean())
    for value in ranges[days:].tolist():
        atr += (value - atr) / days
    last = float(close[-1])
    return TrueRange(symbol, str(found.date[-1]), days, int(close.size), atr, 100 * atr / last)


def _rows(bars: bundle.Bars, start: int, stop: int, days: int) -> tuple[BarOut, ...]:
    """Bars [start, stop) in blocks of `days`."""
    if start >= stop:
        return ()
    part = slice(start, stop)
    edges = np.arange(0, stop - start, days)
    columns = (
        np.datetime_as_string(bars.date[part][::days]).tolist(),
        np.datetime_as_string(bars.date[part][days - 1 :: days]).tolist(),
        bars.open[part][::days].tolist(),
        np.maximum.reduceat(bars.high[part], edges).tolist(),
        np.minimum.reduceat(bars.low[part], edges).tolist(),
        bars.close[part][days - 1 :: days].tolist(),
        np.add.reduceat(bars.volume[part], edges).tolist(),
    )
    return tuple(BarOut(*row) for row in zip(*columns, strict=True))


def _too_few(symbol: str, there: int, wanted: int) -> DataError:
    return DataError(
        f"{symbol} has {there} bars there.", f"At least {wanted} are needed.", "Ask for fewer days or a later end."
    )
