"""The backtesting engine's face."""

import asyncio
import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from engines.backtesting.model import Rule, Sessions, backtest, prices, statistics
from engines.backtesting.service import TALLY, _checks, market_of, routes
from engines.kit.runtime import Runtime
from engines.kit.service import _explain
from engines.wire import manifest
from engines.wire.bundle import bars
from engines.wire.bus import MemoryBus
from engines.wire.errors import NautilusError
from engines.wire.settings import Settings


@pytest.fixture
def client() -> Iterator[TestClient]:
    bus, workers = MemoryBus(), ThreadPoolExecutor(1)
    own = manifest.pick(manifest.discover(), "backtesting")
    holder = SimpleNamespace(state=Sessions(), epoch=1)
    runtime = Runtime(own, Settings(state=Path("/x")), bus, bus, holder, workers, asyncio.Event(), asyncio.Event())
    app = Litestar(
        routes(runtime), exception_handlers={NautilusError: _explain}, openapi_config=None, logging_config=None
    )
    with TestClient(app) as client:
        yield client
    workers.shutdown()
    assert [check.status for check in _checks(runtime)] == ["ok"]


def test_a_backtest_over_http_is_the_models(client: TestClient) -> None:
    before = TALLY.backtests
    got = client.get("/backtest", params={"symbol": "AAPL", "fast": 20, "slow": 100, "start": "2008-01-01"}).json()
    chosen = bars("AAPL")
    after = int(chosen.date.searchsorted(np.datetime64("2008-01-01")))
    market = prices(chosen, adjusted=True)
    market = type(market)(*(column[after:] for column in market))
    rule = Rule(20, 100)
    expected = statistics(market, rule, backtest(market, rule))
    assert got["statistics"]["final_equity"] == expected.final_equity
    assert (got["first"], got["last"]) == ("2008-01-02", "2013-03-01")
    assert TALLY.backtests == before + 1


def test_detail_holds_the_curve_and_the_trades(client: TestClient) -> None:
    query = {"symbol": "FB", "fast": 5, "slow": 20, "short": True}
    got = client.get("/backtest/detail", params=query).json()
    assert len(got["dates"]) == len(got["equity"]) == 196
    assert got["equity"][-1] == pytest.approx(100_000 + sum(trade["profit"] for trade in got["trades"]))
    assert got["backtest"] == client.get("/backtest", params=query).json()


def test_a_sweep_is_every_backtest_and_lists_the_best_first(client: TestClient) -> None:
    body = {"symbol": "GOOG", "fast": [5, 10, 20], "slow": [20, 50, 100], "end": "2009-12-31"}
    got = client.post("/sweep", json=body).json()
    assert got["runs"] == 8
    returns = [row["statistics"]["total_return"] for row in got["best"]]
    assert returns == sorted(returns, reverse=True)
    for row in got["best"]:
        query = {"symbol": "GOOG", "fast": row["fast"], "slow": row["slow"], "end": "2009-12-31"}
        assert client.get("/backtest", params=query).json()["statistics"] == row["statistics"]


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"symbol": "AAPL", "fast": 30, "slow": 10}, 400),
        ({"symbol": "AAPL", "fast": 0, "slow": 10}, 400),
        ({"symbol": "NOPE", "fast": 3, "slow": 10}, 400),
        ({"symbol": "FB", "fast": 3, "slow": 500}, 404),
        ({"symbol": "FB", "fast": 3, "slow": 10, "start": "2020-01-01"}, 404),
        ({"symbol": "FB", "fast": 3, "slow": 10, "fee": 0.5}, 400),
        ({"symbol": "FB"}, 400),
    ],
)
def test_a_backtest_that_cannot_be_is_an_error_and_not_counted(client: TestClient, params: dict, status: int) -> None:
    before = TALLY.backtests
    assert client.get("/backtest", params=params).status_code == status
    assert TALLY.backtests == before


@pytest.mark.parametrize(
    "body",
    [
        {"symbol": "FB", "fast": list(range(1, 100)), "slow": list(range(100, 200))},
        {"symbol": "FB", "fast": [], "slow": [3]},
        {"symbol": "FB", "fast": [2], "slow": [3], "surprise": 1},
    ],
)
def test_a_sweep_out_of_bounds_is_refused(client: TestClient, body: dict) -> None:
    assert client.post("/sweep", json=body).status_code == 400


def test_days_are_cut_from_the_whole_series() -> None:
    cut = market_of("IBM", dt.date(2010, 1, 1), dt.date(2010, 12, 31), adjusted=True)
    assert (str(cut.date[0]), str(cut.date[-1]), cut.open.size, cut.close.size) == (
        "2010-01-04",
        "2010-12-31",
        252,
        252,
    )
