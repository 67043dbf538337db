"""Portfolio over HTTP and on the bus: routes, checks, features."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated, get_args

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter

from engines.kit.engine import Engine
from engines.kit.runtime import Runtime
from engines.portfolio import weights
from engines.portfolio.acceleration import covariances
from engines.portfolio.model import State, initial, step
from engines.wire import bundle
from engines.wire.health import Check
from engines.wire.messages import Positions
from engines.wire.ticks import PRICE_SCALE

Window = Annotated[int, QueryParameter(ge=20, le=5_000)]


class PnlRow(msgspec.Struct, frozen=True):
    """One symbol's gains, currency units."""

    symbol: str
    realised: float
    unrealised: float


class Pnl(msgspec.Struct, frozen=True):
    """Gains since the session's opening, currency units: `gain` = realised + unrealised - fees = change of equity."""

    opening: float
    equity: float
    cash: float
    realised: float
    unrealised: float
    fees: float
    gain: float
    rows: tuple[PnlRow, ...]


@get("/efficient", sync_to_thread=False, summary="Portfolio weights from daily bars")
def efficient(
    symbols: FromQuery[str] = "AAPL,IBM,MSFT",
    method: FromQuery[weights.Method] = "minimum-variance",
    window: Window = 250,
    asof: FromQuery[dt.date | None] = None,
) -> weights.Weights:
    return weights.efficient(symbols.split(","), method, window, asof, covariances())


def pnl_of(state: State) -> Pnl:
    """The gains of an account."""
    account = state.account
    rows = tuple(
        PnlRow(symbol, held.realised / PRICE_SCALE, held.unrealised / PRICE_SCALE)
        for symbol, held in sorted(account.positions.items())
    )
    return Pnl(
        opening=account.opening / PRICE_SCALE,
        equity=account.equity() / PRICE_SCALE,
        cash=account.cash / PRICE_SCALE,
        realised=sum(held.realised for held in account.positions.values()) / PRICE_SCALE,
        unrealised=sum(held.unrealised for held in account.positions.values()) / PRICE_SCALE,
        fees=account.fees / PRICE_SCALE,
        gain=account.gain() / PRICE_SCALE,
        rows=rows,
    )


def _routes(runtime: Runtime[State]) -> Sequence[HTTPRouteHandler]:
    @get("/positions", sync_to_thread=False, summary="The live positions; money and prices of 1/10,000")
    def positions() -> Positions:
        return runtime.state.account.report()

    @get("/pnl", sync_to_thread=False, summary="The live gains, currency units")
    def pnl() -> Pnl:
        return pnl_of(runtime.state)

    return [efficient, positions, pnl]


def _checks(runtime: Runtime[State]) -> Sequence[Check]:
    """The account's identity: its equity has changed by exactly its gains."""
    account = runtime.state.account
    gap = account.equity() - account.opening - account.gain()
    return [
        Check("accounts", "fail" if gap else "ok", f"equity - opening - gains = {gap / PRICE_SCALE:.4f}"),
        Check("acceleration", "ok", covariances().detail()),
    ]


def _features(state: State) -> Sequence[str]:
    held = sum(position.quantity != 0 for position in state.account.positions.values())
    return [f"{held} open positions", f"weightings: {', '.join(get_args(weights.Method))}"]


def _counters(state: State) -> Mapping[str, int]:
    return {"fills": state.fills, "reports": state.reports, "symbols_traded": len(state.account.positions)}


def _warm() -> None:
    """Read the bars that are asked for most, and compile what is to be compiled: a request would wait for it."""
    for symbol in ("AAPL", "GOOG", "IBM", "MSFT"):
        bundle.bars(symbol)
    weights.efficient(("AAPL", "IBM", "MSFT"), "minimum-variance", 250, None, covariances())


engine = Engine(
    name="portfolio",
    initial=initial,
    step=step,
    state_type=State,
    routes=_routes,
    checks=_checks,
    features=_features,
    counters=_counters,
    acceleration=lambda: covariances().report(),
    data_sources=("fills and trades of the live bus", "bundled daily bars"),
    warm=_warm,
)
