"""Wiring of the VPIN engine."""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter

from engines.kit.engine import Engine
from engines.kit.runtime import Runtime
from engines.vpin.batch import BatchVpin, batch
from engines.vpin.config import bucket_volume
from engines.vpin.model import State, describe, step
from engines.vpin.toxicity import bought_share
from engines.wire import bundle
from engines.wire.errors import UsageError
from engines.wire.health import Check

PerDay = Annotated[int, QueryParameter(ge=1, le=10, description="buckets in a mean day")]
Window = Annotated[int, QueryParameter(ge=1, le=1000, description="buckets in one VPIN")]
Sigma = Annotated[float, QueryParameter(gt=0, description="standard deviation of the changes")]
Volume = Annotated[int, QueryParameter(ge=0, le=10**15)]
_MOST_DAYS = 800  # with 10 buckets a day some 5 ms of CPU


class Live(msgspec.Struct, frozen=True):
    """One symbol's state now.  `vpin` is None before the window is full."""

    symbol: str
    bucket: int
    buckets: int
    filled: int
    sigma: float  # of one-minute price changes, currency units
    vpin: float | None


class Split(msgspec.Struct, frozen=True):
    """A bar's volume by bulk volume classification."""

    bought: float
    sold: float


def routes(runtime: Runtime[State]) -> Sequence[HTTPRouteHandler]:
    """The HTTP face: live VPIN, classification of one bar, VPIN over stored bars."""

    @get("/vpin", sync_to_thread=False, summary="VPIN of every symbol now")
    def vpin() -> dict[str, str | int | list[Live]]:
        state = runtime.state
        pairs = zip(state.symbols, state.toxicity, strict=True)
        rows = [
            Live(symbol, item.bucket, item.closed, item.filled, item.sigma() / 10_000, item.vpin())
            for symbol, item in pairs
            if item is not None
        ]
        return {"session": state.session, "replay": state.replay, "rows": rows}

    @get("/classify", sync_to_thread=False, summary="Bulk volume classification of one bar, normal CDF")
    def classify(change: FromQuery[float], sigma: Sigma, volume: Volume) -> Split:
        bought = volume * bought_share(change, sigma)
        return Split(bought, volume - bought)

    @get("/batch", sync_to_thread=False, summary="VPIN over stored daily bars")
    def stored(
        symbol: FromQuery[str],
        start: FromQuery[dt.date],
        end: FromQuery[dt.date],
        per_day: PerDay = 5,
        window: Window = 50,
    ) -> BatchVpin:
        if (end - start).days > _MOST_DAYS:
            raise UsageError(f"{start} to {end} is too long.", f"{_MOST_DAYS} days is the most.", "Ask for less.")
        return batch(symbol, start, end, per_day, window)

    return [vpin, classify, stored]


def checks(runtime: Runtime[State]) -> list[Check]:
    """Volume is neither lost nor made: buckets and remainder add up to what was traded."""
    followed = [item for item in runtime.state.toxicity if item is not None]
    wrong = [item for item in followed if item.closed * item.bucket + item.filled != item.total]
    detail = f"buckets and remainder hold {sum(item.total for item in followed)} of volume"
    return [Check("volume", "fail" if wrong else "ok", detail)]


def warm() -> None:
    """Read the bars that bucket sizes need."""
    for info in bundle.catalog():
        bucket_volume(info.symbol, info.last)


engine = Engine(
    name="vpin",
    initial=State,
    step=step,
    state_type=State,
    snapshot_s=3.0,
    routes=routes,
    checks=checks,
    features=describe,
    counters=lambda state: {"buckets": sum(item.closed for item in state.toxicity if item is not None)},
    data_sources=("trades (market bus)", "bundled daily bars"),
    warm=warm,
)
