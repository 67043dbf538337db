"""Live performance: against a brute-force recomputation, whatever the batches; replays; the face."""

import datetime as dt
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from litestar import Litestar
from litestar.testing import TestClient

from engines.analytics.model import Live, figures, follow, performance, step
from engines.analytics.service import _checks, routes
from engines.kit import codec
from engines.kit.service import _explain
from engines.wire.errors import NautilusError
from engines.wire.messages import Envelope, Header, Performance, Session, Trades
from engines.wire.session import open_ns
from engines.wire.ticks import TRADE

SYMBOLS = ("SPX", "AAPL", "ES")
OPEN = open_ns(dt.date(2010, 5, 6))
MINUTE = 60 * 10**9


def walk(seed: int, count: int, seconds: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    rows = np.zeros(count, TRADE)
    rows["ts"] = OPEN + np.sort(random.integers(0, seconds * 10**9, count))
    rows["symbol"] = random.integers(1, 3, count)
    rows["price"] = np.maximum(1, 500_000 + np.cumsum(random.integers(-3_000, 3_001, count)))
    rows["size"] = 100
    return rows


def trades(rows: np.ndarray, trace: str = "r1/window", n: int = 1) -> Envelope:
    ts = int(rows["ts"][-1]) if rows.size else OPEN
    header = Header("marketdata", 1, n, "", 0, trace, ts, 0, 0)
    return Envelope("trades", f"{n}-0", header, Trades(SYMBOLS, rows.tobytes()))


def session(event: str, trace: str) -> Envelope:
    body = Session(event, "flash-crash", "2010-05-06", SYMBOLS, SYMBOLS[1:], 1, "d", 1.0)
    return Envelope("sessions", "1-0", Header("marketdata", 1, 1, "", 0, trace, OPEN, 0, 0), body)


def brute(rows: np.ndarray, index: int) -> tuple[float, float | None, float | None, float]:
    """The definition, minute by minute."""
    own = rows[rows["symbol"] == index]
    price = own["price"].astype(float)
    minutes = own["ts"] // MINUTE
    closes = []
    for minute in range(int(minutes[0]), int(minutes[-1])):  # the last minute is not over
        inside = price[minutes <= minute]
        closes.append(inside[-1])
    returns = np.diff(closes) / np.array(closes[:-1]) if len(closes) > 1 else np.empty(0)
    drawdown = float((price / np.maximum.accumulate(price)).min() - 1)
    volatility = sharpe = None
    if returns.size >= 5:
        volatility = float(returns.std(ddof=1) * np.sqrt(252 * 390))
        sharpe = float(returns.mean() / returns.std(ddof=1) * np.sqrt(252 * 390)) if returns.std() > 0 else None
    return float(price[-1] / price[0] - 1), volatility, sharpe, drawdown


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(20, 300), cuts=st.lists(st.integers(0, 300), max_size=8))
def test_live_figures_equal_a_recomputation_from_all_ticks_whatever_the_batches(
    seed: int, count: int, cuts: list[int]
) -> None:
    rows = walk(seed, count, 1800)
    state = Live()
    for part in np.split(rows, sorted(min(cut, count) for cut in cuts)):
        state, _ = step(state, trades(part))
        state = codec.decode(codec.encode(state), Live)  # a crash between any two batches
    for index, symbol in enumerate(SYMBOLS):
        if (rows["symbol"] == index).any():
            expected = brute(rows, index)
            assert list(figures(state.tracks[symbol])) == [
                None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12) for value in expected
            ]


def test_one_message_at_most_every_ten_market_seconds_with_all_symbols() -> None:
    state, rows = Live(), walk(1, 4000, 100)
    sent = []
    for n, part in enumerate(np.split(rows, 400)):
        state, out = step(state, trades(part, n=n + 1))
        sent += out
    assert 9 <= len(sent) <= 11
    assert all(isinstance(body, Performance) for body in sent)
    assert [row.symbol for row in sent[-1].rows] == ["AAPL", "ES"]
    periods = [max(row.ts_ns for row in body.rows) // (10 * 10**9) for body in sent]
    assert len(set(periods)) == len(periods)


def test_a_replay_is_deterministic_and_survives_the_codec() -> None:
    def outputs(through_codec: bool) -> list[list]:
        state, out = Live(), []
        for n, part in enumerate(np.split(walk(3, 1000, 600), 50)):
            state, bodies = step(state, trades(part, n=n + 1))
            out.append(list(bodies))
            if through_codec:
                state = codec.decode(codec.encode(state), Live)
        return out

    assert outputs(False) == outputs(True) == outputs(False)


def test_a_new_replay_starts_afresh_whichever_topic_comes_first() -> None:
    for first in ("session", "trades"):
        state, _ = step(Live(), trades(walk(1, 50, 60), "r1/after"))
        messages = [session("open", "r2/before"), trades(walk(2, 30, 60), "r2/before")]
        for envelope in messages if first == "session" else messages[::-1]:
            state, _ = step(state, envelope)
        assert (state.replay, state.trades) == (2, 30)
        assert state.session == "flash-crash 2010-05-06 open"
        alone, _ = step(Live(), trades(walk(2, 30, 60), "r2/before"))
        assert performance(state) == performance(alone)


def test_late_trades_of_the_last_replay_and_of_none_are_left_out_and_counted() -> None:
    state, _ = step(Live(), session("open", "r2/before"))
    for trace in ("r1/after", "live"):
        state, out = step(state, trades(walk(1, 50, 60), trace))
        assert not out
    assert (state.trades, state.stale, state.tracks) == (0, 100, {})
    state, _ = step(state, trades(np.zeros(0, TRADE), "r2/before"))
    assert state.tracks == {}


def test_the_face_serves_stored_live_and_recorded_figures(tmp_path: Path) -> None:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    from engines.kit.runtime import Runtime
    from engines.kit.store import Batch, Position, Store, TickRows
    from engines.wire import manifest
    from engines.wire.bus import MemoryBus
    from engines.wire.settings import Settings

    rows = walk(5, 300, 1800)
    state = Live()
    follow(state, SYMBOLS, rows)
    store = Store(tmp_path / "store" / "s.duckdb")
    store.open()
    store.claim(1)
    store.write(1, Batch([], [TickRows("r1/window", SYMBOLS, rows)], []), Position({}, b""), 0)
    store.export(tmp_path / "store" / "parquet", "r1")
    store.close()
    bus, workers = MemoryBus(), ThreadPoolExecutor(1)
    own = manifest.pick(manifest.discover(), "analytics")
    holder = SimpleNamespace(state=state, epoch=1)
    runtime = Runtime(own, Settings(state=tmp_path), bus, bus, holder, workers, asyncio.Event(), asyncio.Event())
    app = Litestar(
        routes(runtime), exception_handlers={NautilusError: _explain}, openapi_config=None, logging_config=None
    )
    with TestClient(app) as client:
        found = client.get("/performance", params={"symbol": "AAPL", "benchmark": "SPX"}).json()
        assert found["against"]["benchmark"] == "SPX"
        live = client.get("/live").json()
        recorded = client.get("/recorded", params={"trace": "r1/window"}).json()
        assert recorded["rows"] == live["rows"]
        assert len(live["rows"]) == 2
        assert client.get("/recorded", params={"trace": "r2/window"}).status_code == 404
        assert client.get("/correlation", params={"a": "AAPL", "b": "IBM", "window": 2}).status_code == 400
        unknown = client.get("/performance", params={"symbol": "AAPLE"})
        assert (unknown.status_code, unknown.json()["next"]) == (400, "Did you mean 'AAPL'?")
    workers.shutdown()
    assert [check.status for check in _checks(runtime)] == ["ok", "ok"]
