"""Risk over HTTP and on the bus: routes, checks, features."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, get_args

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter

from engines.kit.engine import Engine
from engines.kit.runtime import Runtime
from engines.risk import views
from engines.risk.breakers import Span
from engines.risk.config import Limits
from engines.risk.model import State, initial, step
from engines.risk.var import Method
from engines.wire import bundle
from engines.wire.health import Check
from engines.wire.messages import Order, Side
from engines.wire.rulebook import INDEX, Rulebook, rules
from engines.wire.session import CLOSE
from engines.wire.ticks import to_units

Confidence = Annotated[float, QueryParameter(ge=0.5, le=0.9999)]
Window = Annotated[int, QueryParameter(ge=20, le=5_000)]
MaybePrice = Annotated[float | None, QueryParameter(gt=0, le=1_000_000)]
Fall = Annotated[float, QueryParameter(ge=-1, le=1)]
Quantity = Annotated[int, QueryParameter(ge=1, le=1_000_000_000)]


@get("/var", sync_to_thread=False, summary="Value at risk and expected shortfall from daily bars")
def var(
    symbol: FromQuery[str],
    confidence: Confidence = 0.99,
    window: Window = 500,
    method: FromQuery[Method] = "historical",
    asof: FromQuery[dt.date | None] = None,
) -> views.VarReply:
    return views.var(symbol, confidence, window, method, asof)


@get("/breaker", sync_to_thread=False, summary="The market-wide circuit breaker of a day, judged on a level")
def breaker(
    asof: FromQuery[dt.date],
    level: MaybePrice = None,
    prior_close: MaybePrice = None,
    at: FromQuery[dt.time] = dt.time(12),
    index: FromQuery[Literal["SPX", "DJIA"]] = "SPX",
    close: FromQuery[dt.time] = CLOSE,
) -> views.BreakerReply:
    return views.breaker(asof, level, prior_close, at, index, close)


@get("/rulebook", sync_to_thread=False, summary="Every trading rule in force on a day")
def rulebook(asof: FromQuery[dt.date]) -> Rulebook:
    return rules(asof)


def _routes(runtime: Runtime[State]) -> Sequence[HTTPRouteHandler]:
    @get("/limits", sync_to_thread=False, summary="The limits and their live use")
    def limits() -> views.LimitsReply:
        return views.limits(runtime.state)

    @get("/check", sync_to_thread=False, summary="What the pre-trade check would say of an order now")
    def check(
        symbol: FromQuery[str], side: FromQuery[Literal[1, -1]], quantity: Quantity, limit: MaybePrice = None
    ) -> views.CheckReply:
        asked: Side = side
        price = None if limit is None else to_units(limit)
        return views.what_if(runtime.state, Order("what-if", "what-if", symbol, asked, quantity, price))

    @get("/stress", sync_to_thread=False, summary="What a uniform fall would cost the live holdings")
    def stress(fall: Fall = 0.1) -> views.StressReply:
        return views.stress(runtime.state, fall)

    @get("/halts", sync_to_thread=False, summary="The halts called in this session")
    def halts() -> list[Span]:
        return runtime.state.breakers.halts if runtime.state.breakers else []

    return [var, breaker, rulebook, limits, check, stress, halts]


def _checks(runtime: Runtime[State]) -> Sequence[Check]:
    state = runtime.state
    breached = sorted(state.breached)
    index = len(bundle.bars(INDEX))
    return [
        Check("index-closes", "ok" if index else "fail", f"{index} daily closes of {INDEX}"),
        Check("limits", "warn" if breached else "ok", ", ".join(breached) or "none breached"),
        Check("kill-switch", "warn" if state.account.killed else "ok", "on" if state.account.killed else "off"),
        _breaker_check(state),
    ]


def _breaker_check(state: State) -> Check:
    """Whether the market-wide breaker of the open session can be judged."""
    if state.breakers is None:
        return Check("breaker", "ok", "no session yet")
    rule = rules(state.breakers.day).market_wide
    if rule is None:
        return Check("breaker", "ok", f"no market-wide rule on {state.breakers.day}")
    blind = state.breakers.prior_close is None
    return Check("breaker", "warn" if blind else "ok", f"{rule.name}{': cannot be judged' if blind else ''}")


def _features(state: State) -> Sequence[str]:
    found = [f"{len(Limits.__struct_fields__)} limits", f"VaR: {', '.join(get_args(Method))}"]
    if state.breakers is not None:
        book = rules(state.breakers.day)
        named = (book.market_wide, book.single_stock, book.luld, book.short_sale)
        count = sum(rule is not None for rule in named) + len(book.futures_limits) + len(book.futures_pauses)
        found.append(f"{count} rules in force on {book.asof}")
    return found


def _counters(state: State) -> Mapping[str, int]:
    tally = state.tally
    return {
        "orders_accepted": tally.accepted,
        "orders_denied": tally.denied,
        "cancels": tally.cancels,
        "halts": tally.halts,
        "alerts": tally.alerts,
        "open_orders": len(state.book.open),
    }


def _warm() -> None:
    """Read bars and rulebooks before the first step or request would have to."""
    bundle.bars(INDEX)
    bundle.bars("AAPL")
    rules(dt.date(2010, 5, 6))


engine = Engine(
    name="risk",
    initial=initial,
    step=step,
    state_type=State,
    routes=_routes,
    checks=_checks,
    features=_features,
    counters=_counters,
    data_sources=("bundled daily bars", "rulebooks by date"),
    warm=_warm,
)
