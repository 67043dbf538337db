"""Routes that show the paper venue: its books, and price bands."""

from collections.abc import Sequence

import msgspec
import numpy as np
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery

from engines.kit.runtime import Runtime
from engines.marketdata import luld
from engines.marketdata.auction import LEAST
from engines.marketdata.book import Working
from engines.marketdata.venue_state import Venue
from engines.wire.errors import DataError, UnknownName
from engines.wire.ticks import BOOK_LEVELS, PRICE_SCALE


class LevelOut(msgspec.Struct, frozen=True):
    """A displayed price, in currency units."""

    price: float
    size: int


class OrderOut(msgspec.Struct, frozen=True):
    """One of our orders.  `limit` is None for a market order, `rests_at` while it is not on the book."""

    order_id: str
    strategy: str
    side: int
    quantity: int
    remaining: int
    limit: float | None
    rests_at: float | None
    tif: str


class BookOut(msgspec.Struct, frozen=True):
    """Our working orders in their priority, and what the tape displayed last, best first.

    `ts_ns`: of the last quote, None before there is one.
    """

    symbol: str
    ts_ns: int | None
    halted: bool
    buys: tuple[OrderOut, ...]
    sells: tuple[OrderOut, ...]
    bids: tuple[LevelOut, ...]
    asks: tuple[LevelOut, ...]


class BandsOut(msgspec.Struct, frozen=True):
    """Limit up - limit down of a symbol; `why_none` says why there are no bands now.  Prices in currency units."""

    symbol: str
    rule: str | None = None
    tier: int | None = None
    lower: float | None = None
    upper: float | None = None
    reference: float | None = None
    previous_close: float | None = None
    state: str | None = None  # normal, limit-down, limit-up, straddle
    pauses: int = 0
    why_none: str | None = None


def routes(runtime: Runtime[Venue]) -> Sequence[HTTPRouteHandler]:
    """GET /book and GET /bands."""

    @get("/book", sync_to_thread=False, summary="Our working orders in a symbol, and its displayed book")
    def book(symbol: FromQuery[str]) -> BookOut:
        return book_of(runtime.state, symbol)

    @get("/bands", sync_to_thread=False, summary="Limit up - limit down bands of a symbol, or why it has none")
    def bands(symbol: FromQuery[str]) -> BandsOut:
        return bands_of(runtime.state, symbol)

    return [book, bands]


def book_of(venue: Venue, symbol: str) -> BookOut:
    """The book of a symbol.

    Raises:
        DataError: no session has opened.
        UnknownName: it cannot be ordered in this session.
    """
    _known(venue, symbol)
    touch = venue.touch.get(symbol)
    ours = sorted((w for w in venue.working.values() if w.order.symbol == symbol), key=_priority)
    now = touch.ts_ns if touch is not None else 0
    return BookOut(
        symbol,
        ts_ns=touch.ts_ns if touch is not None else None,
        halted=any(start <= now < end for start, end in venue.spans(symbol)),
        buys=tuple(_order(w) for w in ours if w.order.side > 0),
        sells=tuple(_order(w) for w in ours if w.order.side < 0),
        bids=_displayed(venue, symbol, 1),
        asks=_displayed(venue, symbol, -1),
    )


def _priority(working: Working) -> tuple[int, int]:
    limit = working.order.limit
    return (LEAST if limit is None else -working.order.side * limit, working.arrival)


def _order(working: Working) -> OrderOut:
    order = working.order
    limit, rests = (None if price is None else price / PRICE_SCALE for price in (order.limit, working.rests))
    return OrderOut(
        order.order_id, order.strategy, order.side, order.quantity, working.remaining, limit, rests, order.tif
    )


def _displayed(venue: Venue, symbol: str, side: int) -> tuple[LevelOut, ...]:
    """Bids (+1) or asks (-1): the touch, then what the last displayed book shows behind it."""
    touch = venue.touch.get(symbol)
    if touch is None:
        return ()
    best, size = (touch.bid, touch.bid_size) if side > 0 else (touch.ask, touch.ask_size)
    found = [(best, size)]
    deep = venue.behind(symbol)
    last = int(deep[:, 0].searchsorted(touch.ts_ns, side="right")) - 1
    if last >= 0:
        start = 1 if side > 0 else 1 + BOOK_LEVELS
        prices, sizes = deep[last, start : start + BOOK_LEVELS], deep[last, start + 2 * BOOK_LEVELS :]
        found += [(int(p), int(s)) for p, s in zip(prices, sizes, strict=False) if (best - int(p)) * side > 0]
    return tuple(LevelOut(price / PRICE_SCALE, size) for price, size in found if size > 0)


def bands_of(venue: Venue, symbol: str) -> BandsOut:
    """The bands at the last quote of the tape.

    Raises:
        DataError: no session has opened.
        UnknownName: it cannot be ordered in this session.
    """
    _known(venue, symbol)
    place = venue.bands.place(symbol) if venue.bands is not None else None
    if venue.bands is None or place is None:
        return BandsOut(symbol, why_none=venue.no_bands)
    rule, stock = luld.rule_of(venue.bands), venue.bands.stocks[place]
    lower, upper = (int(band[0]) for band in luld.at(venue.bands, place, np.array([venue.clock_ns])))
    found = BandsOut(
        symbol,
        rule=rule.name,
        tier=stock.tier,
        reference=stock.references[-1][1] / PRICE_SCALE if stock.references else None,
        previous_close=stock.previous / PRICE_SCALE,
        pauses=stock.pauses,
    )
    if lower == LEAST:
        why = "the rule has no bands at this time of day" if stock.references else "it has not traded yet"
        return msgspec.structs.replace(found, why_none=why)
    state = {0: "straddle" if stock.straddles else "normal", -1: "limit-down", 1: "limit-up"}[stock.limit]
    return msgspec.structs.replace(found, lower=lower / PRICE_SCALE, upper=upper / PRICE_SCALE, state=state)


def _known(venue: Venue, symbol: str) -> None:
    if not venue.opened:
        raise DataError("The venue is closed.", "No session has opened.", "POST /replay first.")
    if symbol not in venue.instruments:
        raise UnknownName("symbol", symbol, venue.instruments)
