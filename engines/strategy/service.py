"""Wires the strategy engine: two strategies, their orders, and their rules on daily bars."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter

from engines.kit.engine import Engine
from engines.kit.runtime import Runtime
from engines.strategy import daily
from engines.strategy.config import CONFIG
from engines.strategy.model import STRATEGIES, Desk, halted, hold, kill, reset, step
from engines.strategy.orders import Tracked
from engines.strategy.reconcile import Reconciler
from engines.wire import bundle
from engines.wire.errors import UsageError
from engines.wire.health import Check

RECONCILER = Reconciler()  # one a process
Span = Annotated[int, QueryParameter(ge=2, le=500)]


class Leg(msgspec.Struct, frozen=True):
    """One strategy in one symbol; quantities in shares or contracts."""

    symbol: str
    target: int
    position: int
    reason: str
    halted: bool
    open_order: str | None


class StrategyOut(msgspec.Struct, frozen=True):
    """One strategy: its settings and where it stands."""

    name: str
    settings: dict[str, float]
    orders_sent: int
    legs: tuple[Leg, ...]


class OrdersOut(msgspec.Struct, frozen=True):
    """Open orders, and the last ones that ended."""

    replay: int
    open: tuple[Tracked, ...]
    recent: tuple[Tracked, ...]


class KillOut(msgspec.Struct, frozen=True):
    """The kill switch after a command: what is still to be withdrawn and closed."""

    killed: bool
    open_orders: int
    positions: int


def strategies(desk: Desk) -> tuple[StrategyOut, ...]:
    """Both strategies as they stand."""
    settings = {
        "momentum": msgspec.structs.asdict(CONFIG.momentum),
        "reversion": msgspec.structs.asdict(CONFIG.reversion),
    }
    symbols = desk.session.orderable if desk.session is not None else ()
    return tuple(
        StrategyOut(
            name,
            settings[name],
            desk.book.sent.get(name, 0),
            tuple(_leg(desk, f"{name}/{symbol}", symbol) for symbol in symbols),
        )
        for name in STRATEGIES
    )


def _leg(desk: Desk, key: str, symbol: str) -> Leg:
    target, position = desk.targets.get(key, 0), desk.positions.get(key, 0)
    return Leg(symbol, target, position, desk.reasons.get(key, ""), halted(desk, symbol), desk.book.at.get(key))


def _routes(runtime: Runtime[Desk]) -> Sequence[HTTPRouteHandler]:
    @get("/strategies", sync_to_thread=False, summary="The strategies: settings, targets, positions")
    def all_strategies() -> tuple[StrategyOut, ...]:
        return strategies(runtime.state)

    @get("/orders", sync_to_thread=False, summary="Open orders and the last ended ones")
    def orders() -> OrdersOut:
        desk = runtime.state
        return OrdersOut(desk.replay, tuple(desk.book.open.values()), tuple(reversed(desk.book.recent)))

    async def switched(command: str) -> KillOut:
        if runtime.command is None:
            raise UsageError("This engine's process takes no commands.", "", "Start it with the fleet.")
        await runtime.command(command)
        desk = runtime.state
        return KillOut(desk.killed, len(desk.book.open), sum(bool(held) for held in desk.positions.values()))

    @post("/kill", status_code=200, summary="Kill switch: withdraw all orders, close all positions, open none")
    async def kill_switch() -> KillOut:
        return await switched("kill")

    @post("/kill/reset", status_code=200, summary="Let the strategies trade again")
    async def kill_reset() -> KillOut:
        return await switched("reset")

    @get("/signal", sync_to_thread=False, summary="Moving-average crossover on daily bars")
    def signal(
        symbol: FromQuery[str],
        fast: Span = 20,
        slow: Span = 50,
        days: Annotated[int, QueryParameter(ge=1, le=2520)] = 252,
        end: FromQuery[dt.date | None] = None,
    ) -> daily.Crossover:
        return daily.crossover(symbol, fast, slow, days, end)

    @get("/zscore", sync_to_thread=False, summary="Bollinger z-score on daily bars")
    def zscore(symbol: FromQuery[str], bars: Span = 20, end: FromQuery[dt.date | None] = None) -> daily.Deviation:
        return daily.deviation(symbol, bars, end)

    return [all_strategies, orders, kill_switch, kill_reset, signal, zscore]


def _checks(runtime: Runtime[Desk]) -> Sequence[Check]:
    """One open order a leg at most, and no position beyond a full one on either side."""
    desk = runtime.state
    doubled = len(desk.book.open) - len(desk.book.at)
    largest = max((abs(held) for held in desk.positions.values()), default=0)
    most = max(CONFIG.shares, CONFIG.contracts)
    return (
        Check("one-order-a-leg", "fail" if doubled else "ok", f"{len(desk.book.open)} open, {len(desk.book.at)} legs"),
        Check("position-size", "fail" if largest > most else "ok", f"largest {largest}, allowed {most}"),
        RECONCILER.check(desk.book),
        Check("bars", "ok", f"{len(bundle.catalog())} symbols of daily bars"),
    )


def _features(desk: Desk) -> Sequence[str]:
    legs = len(desk.session.orderable) if desk.session is not None else 0
    return (f"{len(STRATEGIES)} strategies on {legs} symbols", f"{len(desk.book.open)} open orders")


def _counters(desk: Desk) -> Mapping[str, int]:
    return {
        "replay": desk.replay,
        "killed": int(desk.killed),
        "open_orders": len(desk.book.open),
        **msgspec.structs.asdict(desk.totals),
    }


engine = Engine(
    "strategy",
    initial=Desk,
    step=step,
    state_type=Desk,
    routes=_routes,
    checks=_checks,
    features=_features,
    counters=_counters,
    sources=lambda runtime: [lambda: RECONCILER.run(runtime)],
    hold=hold,
    commands={"kill": kill, "reset": reset},
    open_orders=lambda desk: len(desk.book.open),
    data_sources=("bundled daily bars", "bars, vpin and predictions from the bus"),
)
