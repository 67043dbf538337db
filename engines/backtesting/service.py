"""The backtesting engine's wiring."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, JSONBody, QueryParameter

from engines.backtesting.config import CONFIG
from engines.backtesting.model import (
    Prices,
    Rule,
    Run,
    Sessions,
    Statistics,
    Trade,
    backtest,
    day,
    grid,
    prices,
    statistics,
    step,
)
from engines.kit.engine import Engine
from engines.kit.runtime import Runtime
from engines.wire.bundle import bars, catalog
from engines.wire.health import Check

Days = Annotated[int, QueryParameter(ge=1, le=CONFIG.longest, description="days of the average")]
Fee = Annotated[float, QueryParameter(ge=0, le=CONFIG.most_fee, description="share of the traded value, each way")]


class Backtest(msgspec.Struct, frozen=True):
    """One backtest: what was run on which days, and what came of it.  `adjusted`: for splits and dividends."""

    symbol: str
    first: dt.date
    last: dt.date
    adjusted: bool
    rule: Rule
    statistics: Statistics


class Detail(msgspec.Struct, frozen=True):
    """A backtest with its trades and its equity at each close; trades name days by their index in `dates`."""

    backtest: Backtest
    trades: list[Trade]
    dates: list[dt.date]
    equity: list[float]


class SweepRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every crossover of these lengths with fast < slow, at most `Config.most_runs`."""

    symbol: str
    fast: tuple[int, ...]
    slow: tuple[int, ...]
    start: dt.date | None = None
    end: dt.date | None = None
    cash: float = CONFIG.cash
    fee: float = CONFIG.fee
    short: bool = False
    adjusted: bool = True


class SweepRow(msgspec.Struct, frozen=True):
    """One run of a sweep."""

    fast: int
    slow: int
    statistics: Statistics


class Sweep(msgspec.Struct, frozen=True):
    """A sweep: how many runs were made, and the best by total return, ties by the shorter averages."""

    symbol: str
    days: int
    runs: int
    best: list[SweepRow]


@dataclass
class Tally:
    """Backtests that this process has finished; one that raises is not among them."""

    backtests: int = 0
    sweeps: int = 0


TALLY = Tally()


@lru_cache(maxsize=64)
def _all_prices(symbol: str, adjusted: bool) -> Prices:
    return prices(bars(symbol), adjusted=adjusted)


def market_of(symbol: str, start: dt.date | None, end: dt.date | None, *, adjusted: bool) -> Prices:
    """Prices of the days from `start` to `end`, both included."""
    chosen = bars(symbol, start, end)
    everything = _all_prices(symbol, adjusted)
    low = int(everything.date.searchsorted(chosen.date[0])) if len(chosen) else 0
    inside = slice(low, low + len(chosen))
    return Prices(everything.date[inside], everything.open[inside], everything.close[inside])


def run_one(symbol: str, market: Prices, rule: Rule, *, adjusted: bool) -> tuple[Backtest, Run]:
    """One backtest, counted."""
    run = backtest(market, rule)
    found = statistics(market, rule, run)
    TALLY.backtests += 1
    return Backtest(symbol, day(market, 0), day(market, -1), adjusted, rule, found), run


def sweep(request: SweepRequest) -> Sweep:
    """All runs of a sweep, one after the other.

    Raises:
        UsageError: there are no runs, too many, or one that cannot be.
        DataError: there are too few days for one.
    """
    template = Rule(1, 2, request.cash, request.fee, request.short)
    rules = grid(request.fast, request.slow, template)
    market = market_of(request.symbol, request.start, request.end, adjusted=request.adjusted)
    rows = [SweepRow(rule.fast, rule.slow, statistics(market, rule, backtest(market, rule))) for rule in rules]
    TALLY.backtests += len(rows)
    TALLY.sweeps += 1
    best = sorted(rows, key=lambda row: (-row.statistics.total_return, row.fast, row.slow))
    return Sweep(request.symbol, market.close.size, len(rows), best[: CONFIG.listed])


def routes(runtime: Runtime[Sessions]) -> Sequence[HTTPRouteHandler]:
    """The engine's HTTP face."""

    @get("/backtest", sync_to_thread=False, summary="A moving-average crossover over stored daily bars")
    def single(  # noqa: PLR0913 # one query parameter each
        *,
        symbol: FromQuery[str],
        fast: Days,
        slow: Days,
        start: FromQuery[dt.date | None] = None,
        end: FromQuery[dt.date | None] = None,
        fee: Fee = CONFIG.fee,
        short: FromQuery[bool] = False,
        adjusted: FromQuery[bool] = True,
    ) -> Backtest:
        market = market_of(symbol, start, end, adjusted=adjusted)
        return run_one(symbol, market, Rule(fast, slow, fee=fee, short=short), adjusted=adjusted)[0]

    @get("/backtest/detail", summary="The same with its trades and its equity curve")
    async def detail(  # noqa: PLR0913 # one query parameter each
        *,
        symbol: FromQuery[str],
        fast: Days,
        slow: Days,
        start: FromQuery[dt.date | None] = None,
        end: FromQuery[dt.date | None] = None,
        fee: Fee = CONFIG.fee,
        short: FromQuery[bool] = False,
        adjusted: FromQuery[bool] = True,
    ) -> Detail:
        market = market_of(symbol, start, end, adjusted=adjusted)
        rule = Rule(fast, slow, fee=fee, short=short)
        made, run = await runtime.compute(lambda: run_one(symbol, market, rule, adjusted=adjusted))
        return Detail(made, run.trades, market.date.tolist(), run.equity.tolist())

    @post("/sweep", status_code=200, summary="Many crossovers over the same days; the best by total return")
    async def many(data: JSONBody[SweepRequest]) -> Sweep:
        return await runtime.compute(lambda: sweep(data))

    return [single, detail, many]


def _checks(_: Runtime[Sessions]) -> Sequence[Check]:
    """A small backtest gives what it gave when the engine started."""
    market = market_of("FB", None, None, adjusted=True)
    rule = Rule(5, 20)
    ended = statistics(market, rule, backtest(market, rule)).final_equity
    return [Check("backtest", "ok" if ended == _reference() else "fail", f"FB 5/20 ends at {ended:.2f}")]


@lru_cache(maxsize=1)
def _reference() -> float:
    market = prices(bars("FB"), adjusted=True)
    return float(backtest(market, Rule(5, 20)).equity[-1])


def _features(state: Sessions) -> list[str]:
    return [
        f"{sum(info.rows for info in catalog())} stored days of {len(catalog())} symbols",
        f"moving-average crossovers up to {CONFIG.longest} days, {CONFIG.most_runs} runs a sweep",
        f"last session: {state.last or 'none'}",
    ]


def _counters(state: Sessions) -> dict[str, int]:
    return {"backtests": TALLY.backtests, "sweeps": TALLY.sweeps, "sessions": state.heard}


def _warm() -> None:
    """Read the bars once, so that no request waits for the file."""
    for info in catalog():
        _all_prices(info.symbol, True)


engine = Engine(
    name="backtesting",
    initial=Sessions,
    step=step,
    state_type=Sessions,
    snapshot_s=2.0,
    routes=routes,
    checks=_checks,
    features=_features,
    counters=_counters,
    data_sources=("bundled daily bars",),
    warm=_warm,
)
