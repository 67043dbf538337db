"""Prices against pandas, the builder against the tape itself, and the routes over HTTP."""

import asyncio
import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from engines.kit.runtime import Runtime
from engines.kit.service import _explain
from engines.marketdata import prices
from engines.marketdata.builder import build
from engines.marketdata.feeds.desk import FeedDesk
from engines.marketdata.player import Player
from engines.marketdata.request import ReplayRequest, WindowRequest, again
from engines.marketdata.service import build as build_engine
from engines.marketdata.tape.tape import make
from engines.marketdata.venue import Touch, Venue
from engines.wire import bundle, scenario_file
from engines.wire.bus import MemoryBus
from engines.wire.errors import DataError, NautilusError, UsageError
from engines.wire.manifest import discover, pick
from engines.wire.settings import Settings
from engines.wire.ticks import PRICE_SCALE

DAY = dt.date(2010, 5, 6)


def test_average_true_range_is_wilders() -> None:
    found = bundle.bars("IBM", None, DAY)
    frame = pd.DataFrame({"high": found.high, "low": found.low, "close": found.close}).iloc[-141:]
    before = frame["close"].shift()
    ranges = pd.concat(
        [frame["high"] - frame["low"], (frame["high"] - before).abs(), (frame["low"] - before).abs()], axis=1
    )
    true = ranges.max(axis=1).iloc[1:].to_numpy()
    seeded = pd.Series([true[:14].mean(), *true[14:]]).ewm(alpha=1 / 14, adjust=False).mean()
    assert prices.true_range("IBM", DAY, 14).atr == pytest.approx(seeded.iloc[-1], rel=1e-12)


def test_blocks_of_days_hold_all_their_days() -> None:
    found = bundle.bars("MSFT", dt.date(2009, 1, 1), DAY)
    frame = pd.DataFrame({name: getattr(found, name) for name in ("open", "high", "low", "close", "volume")})
    frame = frame.iloc[len(frame) % 5 :].reset_index(drop=True)
    wanted = frame.groupby(frame.index // 5).agg(
        {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    )
    blocks = prices.blocks("MSFT", dt.date(2009, 1, 1), DAY, 5, 1_000)
    got = np.array([(b.open, b.high, b.low, b.close, b.volume) for b in blocks])
    assert np.array_equal(got, wanted.to_numpy(np.float64))
    assert blocks[-1].end == str(DAY)
    with pytest.raises(DataError, match="bars there"):
        prices.blocks("MSFT", DAY, DAY, 5, 1)


def test_pages_follow_each_other() -> None:
    whole = prices.page("SPX", dt.date(2010, 1, 1), DAY, 0, 1_000)
    offset: int | None = 0
    bars: list[prices.BarOut] = []
    while offset is not None:
        part = prices.page("SPX", dt.date(2010, 1, 1), DAY, offset, 10)
        bars += part.bars
        offset = part.next_offset
    assert tuple(bars) == whole.bars
    assert len(bars) == whole.total == len(bundle.bars("SPX", dt.date(2010, 1, 1), DAY))
    with pytest.raises(UsageError, match="is after end"):
        prices.page("SPX", DAY, dt.date(2010, 1, 1), 0, 10)


def test_the_childs_day_is_the_tape_and_meets_its_pins() -> None:
    request = ReplayRequest(seed=3, ticks=2_000, quick=True)
    day, tape = asyncio.run(build(request)), make(request.resolve(), 3)
    for built, made in ((day.trades, tape.trades), (day.quotes, tape.quotes), (day.levels, tape.levels)):
        assert np.array_equal(built, made)
    assert day.evidence.digest == tape.digest()
    assert len(day.evidence.pins) == 4 + 5 * 5  # the index has no volume
    assert [pin for pin in day.evidence.pins if pin.target != pin.got] == []
    lows = {symbol: min(p for s, _, p in day.evidence.path if s == symbol) for symbol in day.scenario.symbols}
    assert lows == {pin.symbol: pin.low for pin in tape.pins}
    session = day.session("window", 40.0)
    assert again(session).resolve() == day.scenario
    assert session.multipliers == (1, 50, 1, 1, 1, 1)
    assert session.tick_sizes == (100, 2_500, 100, 100, 100, 100)


def test_a_childs_mistake_is_told(tmp_path: Path) -> None:
    text = (scenario_file.FOLDER / "flash-crash-2010.toml").read_text("utf-8")
    holiday = tmp_path / "holiday.toml"
    holiday.write_text(text.replace("date = 2010-05-06", "date = 2010-05-08"), "utf-8")
    with pytest.raises(DataError, match="no bar on 2010-05-08"):
        asyncio.run(build(ReplayRequest(str(holiday))))


def test_a_request_that_makes_no_scenario_is_refused() -> None:
    backwards = WindowRequest(dt.time(15), dt.time(14), 40)
    with pytest.raises(UsageError, match="begin before it ends"):
        ReplayRequest(window=backwards).resolve()


class Holder:
    state = Venue(touch={"AAPL": Touch(5, 2_462_000, 2_462_500, 10, 20)})
    epoch = 1


@pytest.fixture
def client() -> Any:
    engine = build_engine(Player(), FeedDesk())
    runtime: Runtime[Venue] = Runtime(
        pick(discover(), "marketdata"), Settings(state=Path("/nowhere")), MemoryBus(), MemoryBus(), Holder(),
        ThreadPoolExecutor(1), asyncio.Event(), asyncio.Event(),
    )  # fmt: skip
    app = Litestar(list(engine.routes(runtime)), exception_handlers={NautilusError: _explain})
    with TestClient(app) as found:
        yield found


def test_routes(client: TestClient[Litestar]) -> None:
    assert client.get("/quote?symbol=AAPL").json()["bid"] == 2_462_000 / PRICE_SCALE
    assert client.get("/quote?symbol=IBM").status_code == 404
    assert {row["symbol"] for row in client.get("/symbols").json()} >= {"SPX", "AAPL", "IBM"}
    assert "flash-crash-2010" in {row["name"] for row in client.get("/scenarios").json()}
    assert client.get("/bars?symbol=SPX&start=2010-05-06&end=2010-05-06").json()["bars"][0]["low"] == 1065.79
    assert client.get("/bars?symbol=SPY").status_code == 400
    assert client.get("/atr?symbol=IBM&days=0").status_code == 400
    assert client.get("/replay").json()["state"] == "idle"
    assert client.post("/replay", json={"scenario": "flash"}).status_code == 400
    assert client.post("/replay", json={"sed": 1}).status_code == 400
    started = client.post("/replay", json={"quick": True, "seed": 4})
    assert (started.status_code, started.json()["state"]) == (202, "building")
    assert client.post("/replay", json={}).status_code == 400


def test_every_request_of_the_load_is_answered_as_its_manifest_says(client: TestClient[Litestar]) -> None:
    for request in pick(discover(), "marketdata").load:
        if request.path == "/health":
            continue
        reply = client.get(request.path)
        assert reply.status_code == request.status
        assert request.check is not None
        value = reply.json()
        for part in request.check.field.split("."):
            value = value[int(part)] if isinstance(value, list) else value[part]
        assert request.check.low <= value <= request.check.high
