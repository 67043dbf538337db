"""Wiring of the features engine."""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter

from engines.features.config import CONFIG, bar_volume
from engines.features.model import State, describe, step
from engines.features.volatility import Estimator, Volatility, volatility
from engines.kit.engine import Engine
from engines.kit.runtime import Runtime
from engines.wire import bundle
from engines.wire.health import Check
from engines.wire.messages import FeatureRow

Window = Annotated[int, QueryParameter(ge=2, le=5000, description="trading days")]


def routes(runtime: Runtime[State]) -> Sequence[HTTPRouteHandler]:
    """The HTTP face: the last second's features, and volatility over stored bars."""

    @get("/features", sync_to_thread=False, summary="Features of the last market second")
    def features() -> dict[str, str | int | list[dict[str, str | float | None]]]:
        flow = runtime.state.flow
        return {"session": runtime.state.session, "replay": flow.replay, "rows": [_named(row) for row in flow.rows]}

    return [features, *(_estimator(name) for name in ("realised", "parkinson", "garman-klass", "rogers-satchell"))]


def _named(row: FeatureRow) -> dict[str, str | float | None]:
    return {name: getattr(row, name) for name in row.__struct_fields__}


def _estimator(name: Estimator) -> HTTPRouteHandler:
    @get(f"/{name}", sync_to_thread=False, summary=f"Annualised volatility over stored bars: {name}", name=name)
    def handler(symbol: FromQuery[str], window: Window = 20, end: FromQuery[dt.date | None] = None) -> Volatility:
        return volatility(symbol, name, window, end)

    return handler


def checks(runtime: Runtime[State]) -> list[Check]:
    """The market clocks of the two streams must not drift apart by more than a bar."""
    quotes_ns, trades_ns = runtime.state.flow.last_ns, runtime.state.bars.last_ns
    if not quotes_ns or not trades_ns:
        return [Check("streams", "ok", "no session yet")]
    apart = abs(quotes_ns - trades_ns) / 1e9
    together = apart <= CONFIG.bar_ns / 1e9
    detail = f"quotes and trades are {apart:.1f} market seconds apart"
    return [Check("streams", "ok" if together else "warn", detail)]


def warm() -> None:
    """Read the bars that thresholds and volatilities need."""
    for info in bundle.catalog():
        bar_volume(info.symbol, info.last)


engine = Engine(
    name="features",
    initial=State,
    step=step,
    state_type=State,
    snapshot_s=3.0,
    routes=routes,
    checks=checks,
    features=describe,
    counters=lambda state: {"seconds_closed": state.flow.closed, "bars_closed": state.bars.closed},
    data_sources=("trades and quotes (market bus)", "bundled daily bars"),
    warm=warm,
)
