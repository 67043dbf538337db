"""Wiring of the factor engine."""

import datetime as dt
from collections.abc import Sequence

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery

from engines.factor.config import CONFIG
from engines.factor.grammar import parse, text_of
from engines.factor.model import State, describe, step
from engines.factor.registry import blocks, factor, factors
from engines.factor.stored import Value, panel, value_at
from engines.kit.engine import Engine
from engines.kit.runtime import Runtime
from engines.wire.health import Check


class Listing(msgspec.Struct, frozen=True):
    """The registry: how many definitions, where they are from, what their sources define beyond them."""

    count: int
    blocks: dict[str, int]
    sources: dict[str, str]
    left_out: dict[str, str]
    factors: dict[str, str]  # name -> expression


def routes(runtime: Runtime[State]) -> Sequence[HTTPRouteHandler]:
    """The HTTP face: the registry, values over stored bars, any expression, the session's last values."""

    @get("/factors", sync_to_thread=False, summary="Every factor definition")
    def listing() -> Listing:
        return Listing(
            count=len(factors()),
            blocks={block.name: len(block.definitions()) for block in blocks()},
            sources={block.name: block.source for block in blocks()},
            left_out={name: why for block in blocks() for name, why in block.left_out.items()},
            factors={item.name: item.expression for item in factors().values()},
        )

    @get("/value", sync_to_thread=False, summary="A factor's value over stored daily bars")
    def value(name: FromQuery[str], symbol: FromQuery[str], date: FromQuery[dt.date | None] = None) -> Value:
        found = factor(name)
        return value_at(found.expression, found.node, symbol, date)

    @get("/evaluate", summary="Any expression's value over stored daily bars")
    async def evaluated(
        expression: FromQuery[str], symbol: FromQuery[str], date: FromQuery[dt.date | None] = None
    ) -> Value:
        node = parse(expression)
        return await runtime.compute(lambda: value_at(text_of(node), node, symbol, date))

    @get("/live", sync_to_thread=False, summary="The live factors of the session's last minute")
    def live() -> dict[str, str | dict[str, dict[str, float | None]]]:
        rows = {row.symbol: row.values for row in runtime.state.live.rows}
        return {"session": runtime.state.session, "rows": rows}

    return [listing, value, evaluated, live]


def checks(_: Runtime[State]) -> list[Check]:
    """A definition must give the value that its formula has on real bars: close over open of one day."""
    node = parse("close / open")
    days, bars = panel()
    symbol = CONFIG.universe[0]
    found = value_at("close / open", node, symbol, days[-1].item()).value
    right = found == bars.close[-1, 0] / bars.open[-1, 0]
    return [Check("evaluation", "ok" if right else "fail", f"close / open of {symbol} on {days[-1]}: {found}")]


def warm() -> None:
    """Parse every definition and read the panel."""
    for item in factors().values():
        parse(item.expression)
    panel()


engine = Engine(
    name="factor",
    initial=State,
    step=step,
    state_type=State,
    snapshot_s=3.0,
    routes=routes,
    checks=checks,
    features=describe,
    counters=lambda state: {"minutes": state.live.minutes},
    data_sources=("60 s bars (main bus)", "bundled daily bars"),
    warm=warm,
)
