"""The routes of stored market data: what there is, daily bars, series, trades, and what is computed from bars."""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromQuery, QueryParameter

from engines.data import catalog
from engines.marketdata import prices
from engines.marketdata.prices import BarOut, Page, TrueRange
from engines.wire.errors import UsageError

Days = Annotated[int, QueryParameter(ge=1, le=260)]
Offset = Annotated[int, QueryParameter(ge=0)]
_BARS = "Daily bars: one symbol in pages, or columns of several"
_BARS_ANSWERS = {200: ResponseSpec(Page | catalog.BarsTable, description="A page of bars, or a table of columns")}


def price_routes() -> Sequence[HTTPRouteHandler]:
    """All of them."""
    return [*_daily(), *_other(), *_computed()]


def _daily() -> Sequence[HTTPRouteHandler]:
    @get("/symbols", sync_to_thread=False, summary="Every stored series: kind, adjustment, dates, licence, origin")
    def symbols() -> tuple[catalog.SeriesRow, ...]:
        return catalog.symbols()

    @get("/bars", sync_to_thread=True, summary=_BARS, responses=_BARS_ANSWERS)
    def bars(  # noqa: PLR0913, PLR0917 # each parameter is one word of the query
        symbol: FromQuery[str | None] = None,
        symbols: FromQuery[str | None] = None,
        start: FromQuery[dt.date | None] = None,
        end: FromQuery[dt.date | None] = None,
        columns: FromQuery[str] = "close",
        kind: FromQuery[catalog.Daily | None] = None,
        source: FromQuery[str] = "",
        offset: Offset = 0,
        limit: Annotated[int | None, QueryParameter(ge=1, le=catalog.MAX_ROWS)] = None,
    ) -> Response[bytes]:
        if (symbol is None) == (symbols is None):
            raise UsageError("Neither or both of symbol and symbols were given.", "", "Give symbol=SPX or symbols=A,B.")
        if symbol is not None:
            page = prices.page(symbol, start, end, offset, 250 if limit is None else limit, source)
            return Response(msgspec.json.encode(page), media_type="application/json")
        names = tuple((symbols or "").split(","))
        wanted = tuple(columns.split(","))
        query = catalog.DailyQuery(names=names, start=start, end=end, columns=wanted, kind=kind, source=source)
        body = prices.table(query, offset, limit or catalog.MAX_ROWS)  # encoded here, off the event loop
        return Response(body, media_type="application/json")

    return [symbols, bars]


def _other() -> Sequence[HTTPRouteHandler]:
    @get("/series", sync_to_thread=True, summary="A rate, factor or macro series, in pages")
    def series(
        name: FromQuery[str],
        start: FromQuery[dt.date | None] = None,
        end: FromQuery[dt.date | None] = None,
        offset: Offset = 0,
        limit: Annotated[int, QueryParameter(ge=1, le=catalog.MAX_ROWS)] = catalog.MAX_ROWS,
    ) -> catalog.SeriesTable:
        return catalog.series(name, start, end, offset, limit)

    @get("/trades", sync_to_thread=True, summary="Trades of an imported or pulled data set, in pages")
    def trades(
        dataset: FromQuery[str],
        start: FromQuery[dt.datetime | None] = None,
        end: FromQuery[dt.datetime | None] = None,
        offset: Offset = 0,
        limit: Annotated[int, QueryParameter(ge=1, le=catalog.MAX_ROWS)] = 1_000,
    ) -> catalog.TradesTable:
        return catalog.trades(dataset, start, end, offset, limit)

    return [series, trades]


def _computed() -> Sequence[HTTPRouteHandler]:
    @get("/ohlc", sync_to_thread=False, summary="Open, high, low, close and volume of blocks of trading days")
    def ohlc(
        symbol: FromQuery[str],
        days: Days = 5,
        start: FromQuery[dt.date | None] = None,
        end: FromQuery[dt.date | None] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=520)] = 52,
    ) -> tuple[BarOut, ...]:
        return prices.blocks(symbol, start, end, days, limit)

    @get("/atr", sync_to_thread=False, summary="Average true range (Wilder)")
    def atr(symbol: FromQuery[str], days: Days = 14, end: FromQuery[dt.date | None] = None) -> TrueRange:
        return prices.true_range(symbol, end, days)

    return [ohlc, atr]
