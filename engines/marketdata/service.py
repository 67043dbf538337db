"""Wires the marketdata engine: the replay, the paper venue and the bundle's prices."""

import datetime as dt
from collections.abc import Mapping, Sequence

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, JSONBody

from engines.kit.engine import Engine, Source
from engines.kit.origin import current
from engines.kit.runtime import Runtime
from engines.marketdata.feeds.desk import FeedDesk
from engines.marketdata.feeds.routes import routes as feed_routes
from engines.marketdata.player import Player
from engines.marketdata.price_routes import price_routes
from engines.marketdata.replay import ReplayStatus
from engines.marketdata.request import ReplayRequest
from engines.marketdata.venue import Touch, Venue, step
from engines.marketdata.venue_routes import routes as venue_routes
from engines.wire import bundle, scenario_file
from engines.wire.errors import DataError, UsageError
from engines.wire.health import Check
from engines.wire.ticks import PRICE_SCALE


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


def _tape_routes(runtime: Runtime[Venue], player: Player, desk: FeedDesk) -> Sequence[HTTPRouteHandler]:
    @get("/scenarios", sync_to_thread=False, summary="Scenarios that ship")
    def scenarios() -> tuple[ScenarioRow, ...]:
        return tuple(_scenario(name) for name in scenario_file.names())

    @get("/quote", sync_to_thread=False, summary="Last quote of a symbol of the replay")
    def quote(symbol: FromQuery[str]) -> QuoteOut:
        return last_quote(runtime.state, symbol)

    @post("/replay", sync_to_thread=False, status_code=202, summary="Start a replay")
    def start(data: JSONBody[ReplayRequest]) -> ReplayStatus:
        if desk.busy:
            raise UsageError("Feeds are running.", "Consumers follow one market clock.", "Stop the feeds first.")
        return player.start(data, runtime.mono_ns(), current())

    @get("/replay", sync_to_thread=False, summary="Where the replay stands")
    def status() -> ReplayStatus:
        return player.status

    @post("/replay/stop", sync_to_thread=False, status_code=202, summary="Close the session now")
    def stop() -> ReplayStatus:
        return player.stop(current())

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


def _checks(player: Player, desk: FeedDesk) -> Sequence[Check]:
    files = sorted({info.file for info in bundle.catalog()})
    missing = [name for name in files if not (bundle.FOLDER / name).is_file()]
    status = player.status
    failed = status.state == "failed"
    return (
        Check("bundle", "fail" if missing else "ok", f"missing: {missing}" if missing else f"{len(files)} files"),
        Check("replay", "warn" if failed else "ok", status.error if failed else status.state),
        desk.check(),
    )


def _features(venue: Venue, desk: FeedDesk) -> Sequence[str]:
    return (
        *(f"feed of {feed.symbol} from {feed.source}: {feed.phase}" for feed in desk.status().feeds),
        f"{len(bundle.catalog())} symbols of daily bars",
        f"{len(scenario_file.names())} scenarios",
        f"paper venue: {len(venue.instruments)} instruments, {len(venue.working)} open orders",
    )


def _counters(venue: Venue, desk: FeedDesk) -> Mapping[str, int]:
    return {
        **desk.counters(),
        "replay": venue.replay,
        "open_orders": len(venue.working),
        **msgspec.structs.asdict(venue.totals),
    }


def build(player: Player, desk: FeedDesk) -> Engine[Venue]:
    """The engine around a player and a desk of feeds, which publish one at a time."""

    def sources(runtime: Runtime[Venue]) -> Sequence[Source]:
        desk.keep_time(runtime.wall.ns)
        return [
            lambda: player.run(runtime),
            lambda: desk.run(lambda: player.publisher, runtime.compute, runtime.stop),
        ]

    def free() -> None:
        if player.status.state in ("building", "running"):
            raise UsageError("A replay is under way.", "Consumers follow one market clock.", "POST /replay/stop first.")

    return Engine(
        "marketdata",
        initial=Venue,
        step=step,
        state_type=Venue,
        routes=lambda runtime: [
            *price_routes(),
            *_tape_routes(runtime, player, desk),
            *feed_routes(desk, free),
            *venue_routes(runtime),
        ],
        sources=sources,
        checks=lambda _: _checks(player, desk),
        features=lambda venue: _features(venue, desk),
        counters=lambda venue: _counters(venue, desk),
        open_orders=lambda venue: len(venue.working) + len(venue.waiting),
        data_sources=("bundled daily bars", "scenario tape", "feeds of stored and live ticks"),
    )


engine = build(Player(), FeedDesk())
