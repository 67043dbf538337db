"""`serve` for real: a process, two buses, HTTP, heartbeat, dead man's rule."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from engines.wire.beat import Beats
from engines.wire.health import HealthReport
from engines.wire.leash import HALT, ORPHANED, RESUME
from engines.wire.messages import Header, decode_header
from engines.wire.redis_bus import RedisBus
from engines.wire.settings import Settings
from engines.wire.state import EngineState

PORT = 8100 + 12_000
PROGRAM = """
import time

import msgspec
from litestar import get, post
from engines.kit.engine import Engine
from engines.kit.serve import serve
from engines.wire.messages import Performance

class State(msgspec.Struct):
    seen: int = 0

def step(state, envelope):
    state.seen += 1
    return state, []

def routes(runtime):
    @get("/seen", sync_to_thread=False)
    def seen() -> dict[str, int]:
        return {"seen": runtime.state.seen}
    @post("/reset", sync_to_thread=False)
    def reset() -> dict[str, int]:
        return {"seen": 0}
    @get("/stall", sync_to_thread=False)
    def stall() -> None:
        time.sleep(60)
    @post("/tell")
    async def tell() -> dict[str, int]:
        await runtime.command("tell")
        return {"seen": runtime.state.seen}
    return [seen, reset, stall, tell]

commands = {"tell": lambda state: [Performance(())]}
serve(Engine("analytics", State, step, State, routes=routes, features=lambda s: [f"{s.seen} seen"], commands=commands))
"""


class Running:
    """One engine process under test."""

    def __init__(self, folder: Path, valkey_url: str) -> None:
        self.beat_file = folder / "beats"
        self.beats = Beats(self.beat_file, 1, create=True)
        read, self.control = os.pipe()
        settings = Settings(
            state=folder, port_offset=12_000, bus_main_url=valkey_url, bus_market_url=valkey_url, token="secret",
            beat_file=self.beat_file, control_fd=read,
        )  # fmt: skip
        self.named: str | None = None  # the id in the last reply
        self.log = (folder / "log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], env=os.environ | settings.to_env(), pass_fds=[read], stderr=self.log
        )
        os.close(read)

    def wait_for(self, condition: Callable[[], bool], seconds: float = 15) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.text()
            time.sleep(0.01)

    def text(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, timeout: float = 5.0
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=timeout)
        with contextlib.closing(connection):
            connection.request(method, path, headers=headers or {})
            reply = connection.getresponse()
            self.named = reply.getheader("X-Request-Id")
            return reply.status, reply.read()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(5)
        os.close(self.control) if self.control >= 0 else None
        self.beats.close()
        self.log.close()


@pytest.fixture
def running(tmp_path: Path, valkey_url: str) -> Iterator[Running]:
    engine = Running(tmp_path, valkey_url)
    engine.wait_for(lambda: engine.beats.read(0).state == EngineState.READY)
    yield engine
    engine.close()


def test_ready_engine_serves_and_beats(running: Running) -> None:
    status, body = running.request("GET", "/health")
    report = msgspec.json.decode(body, type=HealthReport)
    assert status == 200
    assert (report.name, report.port, report.status, report.pid) == ("analytics", PORT, "healthy", running.process.pid)
    assert {check.name for check in report.checks} >= {"bus-main", "bus-market", "event-loop", "clock", "kernels"}
    assert report.features == ("0 seen",)
    assert running.request("GET", "/ready")[0] == 200
    assert b"nautilus_requests_total" in running.request("GET", "/metrics")[1]
    schema = json.loads(running.request("GET", "/schema/openapi.json")[1])
    assert schema["openapi"].startswith("3.1") and "/seen" in schema["paths"] and "/health" in schema["paths"]
    assert b"swagger-ui-bundle.js" in running.request("GET", "/schema")[1]
    assert running.request("GET", "/static/swagger-ui-bundle.js")[0] == 200
    first = running.beats.read(0).beat_ns
    running.wait_for(lambda: running.beats.read(0).beat_ns > first)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"X-Nautilus-Token": "wrong"}, 403),
        ({"X-Nautilus-Token": "secret", "Host": "evil.example"}, 403),
        ({"X-Nautilus-Token": "secret"}, 201),
    ],
)
def test_mutating_routes_need_token_and_host(running: Running, headers: dict[str, str], status: int) -> None:
    assert running.request("POST", "/reset", headers)[0] == status


def test_what_a_request_makes_an_engine_send_bears_its_id(running: Running, valkey_url: str) -> None:
    before = time.monotonic_ns()
    token = {"X-Nautilus-Token": "secret"}
    made = []
    for given in ("op-7", "not an id", None):
        assert running.request("POST", "/tell", token if given is None else token | {"X-Request-Id": given})[0] == 201
        made.append(running.named or "")
    own = f"analytics-{running.process.pid}"
    assert made == ["op-7", f"{own}-1", f"{own}-2"]
    assert running.request("GET", "/seen", {"X-Request-Id": "op-8"})[0] == 200 and running.named is None

    async def sent() -> list[Header]:
        bus = RedisBus(valkey_url)
        try:
            return [decode_header(entry.header) for entry in await bus.read({"performance": "0-0"}, 10, 0)]
        finally:
            await bus.close()

    headers = asyncio.run(sent())
    assert [header.trace for header in headers[-3:]] == [f"request/{request}" for request in made]
    times = [at for header in headers[-3:] for at in (header.mono_intended, header.mono_sent)]
    assert before < times[0] and times == sorted(times), "each was due when its request arrived"
    assert all(header.cause == "" for header in headers)


def test_sigterm_ends_cleanly(running: Running) -> None:
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(5) == 0
    assert running.beats.read(0).state == EngineState.STOPPED


def test_a_dead_supervisor_halts_then_ends_the_engine(running: Running) -> None:
    os.close(running.control)
    running.control = -1
    running.wait_for(lambda: running.beats.read(0).state == EngineState.HALTED)
    assert msgspec.json.decode(running.request("GET", "/health")[1], type=HealthReport).status == "halted"
    assert running.process.wait(5) == 0
    assert running.beats.read(0).state == EngineState.HALTED, "to the end: it was not told to stop"
    assert "the supervisor is gone" in running.text()


def test_a_stalled_engine_is_halted_and_ended_as_well(running: Running) -> None:
    """Its event loop does nothing any more: the thread that reads the control pipe does."""
    with contextlib.suppress(TimeoutError):
        running.request("GET", "/stall", timeout=0.2)
    beat = running.beats.read(0).beat_ns
    os.close(running.control)
    running.control = -1
    running.wait_for(lambda: running.beats.read(0).state == EngineState.HALTED)
    assert running.beats.read(0).beat_ns == beat, "a halted slot is no sign of life"
    assert running.process.wait(8) == ORPHANED


def test_told_to_halt_it_says_so_and_goes_on(running: Running) -> None:
    os.write(running.control, HALT)
    running.wait_for(lambda: running.beats.read(0).state == EngineState.HALTED)
    assert running.request("GET", "/seen")[0] == 200
    os.write(running.control, RESUME)
    running.wait_for(lambda: running.beats.read(0).state == EngineState.READY)


def test_without_buses_it_says_what_to_type(tmp_path: Path) -> None:
    env = {key: value for key, value in os.environ.items() if not key.startswith("NAUTILUS")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=env | {"NAUTILUS_STATE": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 78
    assert "nautilus up analytics" in done.stderr
