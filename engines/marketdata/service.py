"""Wires the marketdata engine: the replay, the paper venue and the bundle's prices."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, JSONBody, QueryParameter

from engines.kit.engine import Engine, Source
from engines.kit.runtime import Runtime
from engines.marketdata import prices
from engines.marketdata.player import Player
from engines.marketdata.prices import BarOut, Page, SymbolRow, TrueRange
from engines.marketdata.replay import ReplayStatus
from engines.marketdata.request import ReplayRequest
from engines.marketdata.venue import Touch, Venue, step
from engines.wire import bundle, scenario_file
from engines.wire.errors import DataError
from engines.wire.health import Check
from engines.wire.ticks import PRICE_SCALE

Days = Annotated[int, QueryParameter(ge=1, le=260)]


class ScenarioRow(msgspec.Struct, frozen=True):
    """One shipped scenario."""

    name: str
    title: str
    date: dt.date
    symbols: tuple[str, ...]
    ticks: int
    window: tuple[dt.time, dt.time, float]  # start, end, market seconds per wall second
    notes: tuple[str, ...]


class QuoteOut(msgspec.Struct, frozen=True):
    """The last quote; prices in currency units, sizes in shares or contracts."""

    symbol: str
    ts_ns: int
    bid: float
    ask: float
    bid_size: int
    ask_size: int


def _price_routes() -> Sequence[HTTPRouteHandler]:
    @get("/symbols", sync_to_thread=False, summary="Symbols of the bundle")
    def symbols() -> tuple[SymbolRow, ...]:
        return prices.symbols()

    @get("/bars", sync_to_thread=False, summary="Daily bars, in pages")
    def bars(
        symbol: FromQuery[str],
        start: FromQuery[dt.date | None] = None,
        end: FromQuery[dt.date | None] = None,
        offset: Annotated[int, QueryParameter(ge=0)] = 0,
        limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 250,
    ) -> Page:
        return prices.page(symbol, start, end, offset, limit)

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

    return [symbols, bars, ohlc, atr]


def _tape_routes(runtime: Runtime[Venue], player: Player) -> Sequence[HTTPRouteHandler]:
    @get("/scenarios", sync_to_thread=False, summary="Scenarios that ship")
    def scenarios() -> tuple[ScenarioRow, ...]:
        return tuple(_scenario(name) for name in scenario_file.names())

    @get("/quote", sync_to_thread=False, summary="Last quote of a symbol of the replay")
    def quote(symbol: FromQuery[str]) -> QuoteOut:
        return last_quote(runtime.state, symbol)

    @post("/replay", sync_to_thread=False, status_code=202, summary="Start a replay")
    def start(data: JSONBody[ReplayRequest]) -> ReplayStatus:
        return player.start(data, runtime.mono_ns())

    @get("/replay", sync_to_thread=False, summary="Where the replay stands")
    def status() -> ReplayStatus:
        return player.status

    @post("/replay/stop", sync_to_thread=False, status_code=202, summary="Close the session now")
    def stop() -> ReplayStatus:
        return player.stop()

    return [scenarios, quote, start, status, stop]


def _scenario(name: str) -> ScenarioRow:
    found = scenario_file.load(name)
    window = (found.window.start, found.window.end, found.window.speed)
    return ScenarioRow(name, found.title, found.date, found.symbols, found.ticks, window, found.notes)


def last_quote(venue: Venue, symbol: str) -> QuoteOut:
    """The last quote that the venue saw.

    Raises:
        DataError: none yet.
    """
    touch: Touch | None = venue.touch.get(symbol)
    if touch is None:
        raise DataError(f"There is no quote of {symbol} yet.", "No replay brought one.", "POST /replay first.")
    bid, ask = touch.bid / PRICE_SCALE, touch.ask / PRICE_SCALE
    return QuoteOut(symbol, touch.ts_ns, bid, ask, touch.bid_size, touch.ask_size)


def _checks(player: Player) -> Sequence[Check]:
    files = sorted({info.file for info in bundle.catalog()})
    missing = [name for name in files if not (bundle.FOLDER / name).is_file()]
    status = player.status
    failed = status.state == "failed"
    return (
        Check("bundle", "fail" if missing else "ok", f"missing: {missing}" if missing else f"{len(files)} files"),
        Check("replay", "warn" if failed else "ok", status.error if failed else status.state),
    )


def _features(venue: Venue) -> Sequence[str]:
    return (
        f"{len(bundle.catalog())} symbols of daily bars",
        f"{len(scenario_file.names())} scenarios",
        f"paper venue: {len(venue.instruments)} instruments, {len(venue.working)} open orders",
    )


def _counters(venue: Venue) -> Mapping[str, int]:
    return {"replay": venue.replay, "open_orders": len(venue.working), **msgspec.structs.asdict(venue.totals)}


def build(player: Player) -> Engine[Venue]:
    """The engine around a player."""

    def sources(runtime: Runtime[Venue]) -> Sequence[Source]:
        return [lambda: player.run(runtime)]

    return Engine(
        "marketdata",
        initial=Venue,
        step=step,
        state_type=Venue,
        routes=lambda runtime: [*_price_routes(), *_tape_routes(runtime, player)],
        sources=sources,
        checks=lambda _: _checks(player),
        features=_features,
        counters=_counters,
        data_sources=("bundled daily bars", "scenario tape"),
    )


engine = build(Player())
