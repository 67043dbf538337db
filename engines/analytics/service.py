"""The analytics engine's wiring."""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter

from engines.analytics.model import Live, follow, performance, step
from engines.analytics.returns import Correlation, Report, correlate, report
from engines.kit.engine import Engine
from engines.kit.runtime import Runtime
from engines.kit.store import read_ticks
from engines.wire.bundle import bars, catalog
from engines.wire.health import Check
from engines.wire.messages import PerformanceRow

Day = FromQuery[dt.date | None]
_SILENT = "no session yet"


class Figures(msgspec.Struct, frozen=True):
    """Performance of several symbols: live, or of a recorded trace."""

    session: str
    trades: int
    rows: list[PerformanceRow]
    columns: tuple[str, ...] = PerformanceRow.__struct_fields__


def routes(runtime: Runtime[Live]) -> Sequence[HTTPRouteHandler]:
    """The engine's HTTP face."""

    @get("/performance", sync_to_thread=False, summary="Performance over stored daily bars")
    def stored(
        symbol: FromQuery[str], start: Day = None, end: Day = None, benchmark: FromQuery[str | None] = None
    ) -> Report:
        return report(bars(symbol, start, end), None if benchmark is None else bars(benchmark, start, end))

    @get("/correlation", sync_to_thread=False, summary="Rolling correlation of two symbols' daily returns")
    def together(
        a: FromQuery[str],
        b: FromQuery[str],
        window: Annotated[int, QueryParameter(ge=3, le=5000)] = 60,
        start: Day = None,
        end: Day = None,
    ) -> Correlation:
        return correlate(bars(a, start, end), bars(b, start, end), window)

    @get("/live", sync_to_thread=False, summary="Performance since the session's open")
    def live() -> Figures:
        return Figures(runtime.state.session or _SILENT, runtime.state.trades, performance(runtime.state))

    @get("/recorded", summary="Performance of a recorded and exported trace, such as r1/window")
    async def recorded(trace: FromQuery[str]) -> Figures:
        return await runtime.compute(lambda: _recorded(runtime, trace))

    return [stored, together, live, recorded]


def _recorded(runtime: Runtime[Live], trace: str) -> Figures:
    symbols, rows = read_ticks(runtime.settings.store / "parquet", trace)
    state = Live()
    follow(state, symbols, rows)
    return Figures(trace, state.trades, performance(state))


def _checks(runtime: Runtime[Live]) -> Sequence[Check]:
    """The stored bars can be read; the live rows hold numbers."""
    series = catalog()
    broken = [row.symbol for row in performance(runtime.state) if not row.total_return > -1]
    return [
        Check("bars", "ok" if series else "fail", f"{sum(info.rows for info in series)} days of {len(series)} symbols"),
        Check("live", "fail" if broken else "ok", ", ".join(broken) or runtime.state.session or _SILENT),
    ]


def _features(state: Live) -> list[str]:
    minutes = sum(track.count for track in state.tracks.values())
    return [
        f"{len(catalog())} symbols of stored bars",
        f"{len(state.tracks)} symbols followed live, {minutes} minute returns",
    ]


def _counters(state: Live) -> dict[str, int]:
    return {"trades": state.trades, "stale_trades": state.stale, "symbols": len(state.tracks)}


def _warm() -> None:
    """Read the bars once, so that no request waits for the file."""
    for info in catalog():
        bars(info.symbol)


engine = Engine(
    name="analytics",
    initial=Live,
    step=step,
    state_type=Live,
    snapshot_s=2.0,
    routes=routes,
    checks=_checks,
    features=_features,
    counters=_counters,
    data_sources=("bundled daily bars", "the store's Parquet", "the live bus"),
    warm=_warm,
)
