"""The backend's face over a recorder with real messages."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from engines.backend.config import CONFIG
from engines.backend.model import Recorded, step
from engines.backend.recorder import Recorder
from engines.backend.service import checks, engine, routes, sources
from engines.kit.runtime import Runtime
from engines.kit.service import _explain
from engines.kit.store import Store, parquet_file
from engines.wire import manifest
from engines.wire.bus import MemoryBus, Output
from engines.wire.errors import NautilusError
from engines.wire.messages import (
    Body,
    Fleet,
    FleetEngine,
    Header,
    Session,
    Signal,
    Trades,
    decode,
    encode_body,
    encode_header,
)
from engines.wire.settings import Settings
from engines.wire.ticks import TRADE

TOPICS = ["trades", "sessions", "signals", "fleet"]


def message(body: Body, seq: int, trace: str = "r1/window") -> Output:
    return Output(body.TOPIC, encode_header(Header("p", 1, seq, "", seq, trace, 10**18, 1, 1)), encode_body(body))


def trades(first: int) -> Trades:
    rows = np.zeros(4, TRADE)
    rows["ts"] = first + np.arange(4)
    rows["symbol"] = [1, 2, 1, 2]
    rows["price"] = 10 * rows["ts"]
    return Trades(("SPX", "AAPL", "ES"), rows.tobytes())


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    store = Store(tmp_path / "store" / "s.duckdb")
    unit = Recorder(engine, TOPICS, MemoryBus(), time.monotonic_ns, store)
    own = manifest.pick(manifest.discover(), "backend")
    workers = ThreadPoolExecutor(1)
    bus = MemoryBus()
    settings = Settings(state=tmp_path)
    yield Runtime(own, settings, bus, bus, unit, workers, asyncio.Event(), asyncio.Event())
    workers.shutdown()


async def feed(runtime: Runtime, outputs: list[Output], first: int = 1) -> None:
    unit, bus = runtime.holder, runtime.main
    await bus.append([(out, f"{first + n}-0") for n, out in enumerate(outputs)])
    if not unit.epoch:
        await unit.claim()
    await unit.process(await bus.read(unit.positions, 100, 0))
    await unit.flush()


@pytest.fixture
def client(runtime: Runtime) -> Iterator[TestClient]:
    session = Session("close", "s", "2010-05-06", (), (), 1, "d", 1.0)
    outputs = [message(trades(0), 1), message(trades(4), 2), message(Signal("s", "AAPL", 5, "x"), 1, "r2/window")]
    outputs += [message(Fleet((FleetEngine("risk", "READY", 9, 1),)), 1, ""), message(session, 1, "r1/after")]
    app = Litestar(
        routes(runtime), exception_handlers={NautilusError: _explain}, openapi_config=None, logging_config=None
    )
    with TestClient(app) as client:
        client.blocking_portal.call(feed, runtime, outputs)
        yield client
    runtime.holder.close()


def test_topics_runs_and_fleet_show_what_was_recorded(client: TestClient) -> None:
    topics = client.get("/topics").json()
    assert topics["trades"] == {"rows": 2, "last_id": "2-0", "last_ts_event": 10**18}
    runs = {row["trace"]: row for row in client.get("/runs").json()}
    assert runs["r1/window"] == {"trace": "r1/window", "messages": 2, "closed": True, "topics": {"trades": 2}}
    assert runs["r2/window"]["closed"] is False
    assert client.get("/fleet").json()["engines"] == [["risk", "READY", 9, 1]]


def test_the_tape_is_newest_first_and_filtered(client: TestClient) -> None:
    everything = client.get("/tape").json()
    assert [row["ts"] for row in everything] == [7, 6, 5, 4, 3, 2, 1, 0]
    es = client.get("/tape", params={"symbol": "ES", "limit": 3}).json()
    assert [(row["ts"], row["symbol"], row["price"]) for row in es] == [(7, "ES", 70), (5, "ES", 50), (3, "ES", 30)]
    assert client.get("/tape", params={"symbol": "NONE"}).json() == []
    assert client.get("/tape", params={"limit": 0}).status_code == 400


def test_what_a_request_caused_is_exported_by_its_id(client: TestClient, runtime: Runtime) -> None:
    told = [message(Signal("s", "AAPL", 5, "x"), 2, f"request/{name}") for name in ("kill-1", "..")]
    client.blocking_portal.call(feed, runtime, told, 20)
    (done,) = client.post("/export", params={"run": "request"}).json()
    assert done["files"] == ["parquet/signals/request/_.parquet", "parquet/signals/request/kill-1.parquet"]
    (found,) = client.get("/messages", params={"topic": "signals", "trace": "request/kill-1"}).json()
    assert (found["entry_id"], found["header"][5]) == ("20-0", "request/kill-1")


def test_no_number_of_requests_pushes_a_replay_out_of_the_picture() -> None:
    state = Recorded()
    for number, trace in enumerate(["r1/window", *(f"request/{n}" for n in range(2 * CONFIG.runs))], 1):
        step(state, decode("signals", f"{number}-0", *message(Signal("s", "AAPL", 5, "x"), number, trace)[1:]))
    assert len(state.runs) == CONFIG.runs
    assert {"r1/window", f"request/{2 * CONFIG.runs - 1}"} <= state.runs.keys()


def test_an_export_is_read_back_over_http(client: TestClient, runtime: Runtime) -> None:
    missing = client.get("/messages", params={"topic": "signals", "trace": "r2/window"})
    assert missing.status_code == 404
    done = client.post("/export", params={"run": "r2"}).json()
    assert done == [{"run": "r2", "files": ["parquet/signals/r2/window.parquet"]}]
    (found,) = client.get("/messages", params={"topic": "signals", "trace": "r2/window"}).json()
    assert (found["entry_id"], found["body"]["target"]) == ("3-0", 5)
    everything = {row["run"]: row["files"] for row in client.post("/export").json()}
    assert "parquet/ticks/r1/window.parquet" in everything["r1"]
    assert everything["r2"] == []
    assert everything[""] == ["parquet/fleet/untraced.parquet"]
    assert client.post("/export", params={"run": "r3"}).status_code == 400
    assert client.get("/messages", params={"topic": "sygnals", "trace": "x"}).json()["next"].startswith("Did you mean")


def test_health_checks_look_at_the_recorder(client: TestClient, runtime: Runtime) -> None:
    recording, held = checks(runtime)
    assert (recording.status, held.status) == ("ok", "ok")
    assert "5 messages in" in recording.detail
    runtime.holder.failure = OSError("disk full")
    recording, _ = checks(runtime)
    assert (recording.status, "disk full" in recording.detail) == ("fail", True)


def test_a_closed_run_is_exported_and_a_stop_commits_what_waits(runtime: Runtime, tmp_path: Path) -> None:
    async def run() -> None:
        finish, export = (asyncio.create_task(source()) for source in sources(runtime))
        session = Session("close", "s", "2010-05-06", (), (), 1, "d", 1.0)
        await feed(runtime, [message(session, 1, "r1/after"), message(trades(0), 1)])
        file = parquet_file(tmp_path / "store" / "parquet", "ticks", "r1/window")
        for _ in range(100):
            if file.exists():
                break
            await asyncio.sleep(0.05)
        assert file.exists()
        await runtime.main.append([(message(trades(4), 2), "9-0")])
        unit = runtime.holder
        await unit.process(await runtime.main.read(unit.positions, 100, 0))
        assert len(unit.pending) == 1
        runtime.stop.set()
        export.cancel()
        await finish
        assert len(unit.pending) == 0
        unit.close()

    asyncio.run(run())
