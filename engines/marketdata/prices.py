"""Answers about stored daily bars: pages, blocks of days, true range, tables of several symbols.

Prices are in currency units (index points); each answer says how they are adjusted.
"""

import datetime as dt

import msgspec
import numpy as np

from engines.data import catalog, ranges
from engines.wire import bundle
from engines.wire.errors import DataError, UsageError

MAX_PAGE = 1_000  # bars of one symbol


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
    source: str
    adjusted: bundle.Adjustment


class TrueRange(msgspec.Struct, frozen=True):
    """Wilder's average true range (1978) after the last of `bars` days, and as a share of the last close."""

    symbol: str
    date: str
    days: int
    bars: int
    atr: float
    atr_percent: float


def page(symbol: str, start: dt.date | None, end: dt.date | None, offset: int, limit: int, source: str = "") -> Page:
    """One page of daily bars, of the symbol's default series there or of the one that ``source`` names.

    Raises:
        UnknownSymbol: the bundle does not hold it.
        UsageError: the range is backwards, or the page is longer than 1,000.
        DataError: the range is outside the symbol's dates, or has no session.
    """
    ranges.ordered(start, end)
    if limit > MAX_PAGE:
        raise UsageError(f"limit {limit} is too long for one page.", f"{MAX_PAGE} is the most.", "Follow next_offset.")
    info = bundle.info_of(symbol, start, end, source)
    ranges.overlaps(info, start, end)
    found = bundle.bars(symbol, start, end, source, signed=True)
    if len(found) == 0:
        raise ranges.why_empty(info, start, end)
    stop = min(len(found), offset + limit)
    rows = _rows(found, offset, stop, 1)
    return Page(symbol, len(found), offset, stop if stop < len(found) else None, rows, info.source, info.adjusted)


def table(query: catalog.DailyQuery, offset: int, limit: int) -> bytes:
    """A page of several symbols' columns as JSON (``catalog.BarsTable``); raises what ``catalog.bars`` raises."""
    return msgspec.json.encode(catalog.bars(query, offset, limit))


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
