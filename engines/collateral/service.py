"""Collateral over HTTP and on the bus: routes, checks, features."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter

from engines.collateral import haircut as haircuts
from engines.collateral.config import CONFIG
from engines.collateral.margin import Requirement, capacity, requirement
from engines.collateral.model import State, initial, step
from engines.kit.engine import Engine
from engines.kit.runtime import Runtime
from engines.wire import bundle
from engines.wire.health import Check
from engines.wire.messages import Margin
from engines.wire.ticks import PRICE_SCALE, to_units

Price = Annotated[float, QueryParameter(ge=0.0001, le=1_000_000)]
Quantity = Annotated[int, QueryParameter(ge=-1_000_000_000, le=1_000_000_000)]
Equity = Annotated[float, QueryParameter(ge=-1e12, le=1e12)]
Confidence = Annotated[float, QueryParameter(ge=0.5, le=0.9999)]
Horizon = Annotated[int, QueryParameter(ge=1, le=60)]
Window = Annotated[int, QueryParameter(ge=20, le=5_000)]


class MarginReply(msgspec.Struct, frozen=True):
    """The live margin, currency units; None before the first positions of a session.

    `orders`: what open orders ask for beside `initial`; `excess` and `call` leave it out.
    """

    initial: float | None
    maintenance: float | None
    orders: float | None
    equity: float | None
    excess: float | None
    call: float | None


class RequirementReply(msgspec.Struct, frozen=True):
    """Currency units.  `capacity`: the most that the equity can open from flat, long."""

    symbol: str
    quantity: int
    notional: float
    initial: float
    maintenance: float
    excess: float
    call: float
    capacity: int


@get("/requirement", sync_to_thread=False, summary="The margin that a holding would need")
def requirement_of(symbol: FromQuery[str], quantity: Quantity, price: Price, equity: Equity = 0.0) -> RequirementReply:
    at, own = to_units(price), to_units(equity)
    need: Requirement = requirement(symbol, quantity, at)
    future = CONFIG.futures.get(symbol)
    return RequirementReply(
        symbol=symbol,
        quantity=quantity,
        notional=quantity * at * (future.multiplier if future else 1) / PRICE_SCALE,
        initial=need.initial / PRICE_SCALE,
        maintenance=need.maintenance / PRICE_SCALE,
        excess=(own - need.maintenance) / PRICE_SCALE,
        call=max(0, need.maintenance - own) / PRICE_SCALE,
        capacity=capacity(symbol, at, own),
    )


@get("/haircut", sync_to_thread=False, summary="The haircut of a security given as collateral")
def haircut(
    symbol: FromQuery[str],
    confidence: Confidence = 0.99,
    horizon: Horizon = 10,
    window: Window = 500,
    asof: FromQuery[dt.date | None] = None,
) -> haircuts.Haircut:
    return haircuts.haircut(symbol, confidence, horizon, window, asof)


def margin_of(last: Margin | None) -> MarginReply:
    """The live margin in currency units."""
    if last is None:
        return MarginReply(None, None, None, None, None, None)
    money = (last.initial, last.maintenance, last.orders, last.equity, last.excess, last.call)
    return MarginReply(*(value / PRICE_SCALE for value in money))


def _routes(runtime: Runtime[State]) -> Sequence[HTTPRouteHandler]:
    @get("/margin", sync_to_thread=False, summary="The live margin of the account")
    def margin() -> MarginReply:
        return margin_of(runtime.state.last)

    return [requirement_of, haircut, margin]


def _checks(runtime: Runtime[State]) -> Sequence[Check]:
    last = runtime.state.last
    if last is None:
        return [Check("margin", "ok", "no positions yet")]
    money = {"excess": last.excess, "call": last.call, "orders": last.orders}
    detail = ", ".join(f"{name} {value / PRICE_SCALE:,.2f}" for name, value in money.items())
    return [Check("margin", "warn" if last.call else "ok", detail)]


def _features(_: State) -> Sequence[str]:
    stock = CONFIG.stock
    rates = f"stocks {stock.initial_percent} % initial, {stock.long_percent}/{stock.short_percent} % maintenance"
    return [rates, f"{len(CONFIG.futures)} futures with margin a contract"]


def _counters(state: State) -> Mapping[str, int]:
    return {"margins": state.margins, "margin_calls": state.calls}


def _warm() -> None:
    """Read the bars that are asked for most before the first request would have to."""
    bundle.bars("AAPL")


engine = Engine(
    name="collateral",
    initial=initial,
    step=step,
    state_type=State,
    routes=_routes,
    checks=_checks,
    features=_features,
    counters=_counters,
    data_sources=("positions, order events and fills of the live bus", "bundled daily bars"),
    warm=_warm,
)
