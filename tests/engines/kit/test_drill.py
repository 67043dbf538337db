"""Drills of a real engine's process: only in a fleet started for them, only with the token, and never for ever."""

import asyncio
import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engines.fleet import logtime
from engines.kit.drill import DrillRequest, Drills, resident
from engines.kit.wallclock import WallClock
from engines.wire import clock
from engines.wire.beat import Beats
from engines.wire.leash import HALT, RESUME
from engines.wire.settings import Settings
from engines.wire.state import EngineState

OFFSET = 12_400
PORT = 8100 + OFFSET
TOKEN = "secret"
PROGRAM = """
import msgspec
from engines.kit.engine import Engine
from engines.kit.serve import serve

class State(msgspec.Struct):
    seen: int = 0

serve(Engine("analytics", State, lambda state, envelope: (state, []), State))
"""


class Engine:
    """One engine process, started for drills or not."""

    def __init__(self, folder: Path, valkey_url: str, *, drills: bool) -> None:
        folder.mkdir()
        self.beats = Beats(folder / "beats", 1, create=True)
        read, self.control = os.pipe()
        settings = Settings(
            state=folder, port_offset=OFFSET, bus_main_url=valkey_url, bus_market_url=valkey_url, token=TOKEN,
            beat_file=folder / "beats", control_fd=read, drills=drills,
        )  # fmt: skip
        self.log = (folder / "log").open("w+")
        user = {**os.environ, "NAUTILUS_DRILLS": "1"}  # what a user's shell says does not count
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], env=user | settings.to_env(), pass_fds=[read], stderr=self.log
        )
        os.close(read)
        end = time.monotonic() + 15
        while self.beats.read(0).state != EngineState.READY:
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.01)

    def ask(self, method: str, path: str, body: Any = None, token: str = TOKEN) -> tuple[int, Any]:
        link = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
        with contextlib.closing(link):
            headers = {"Content-Type": "application/json", "X-Nautilus-Token": token}
            link.request(method, path, None if body is None else json.dumps(body), headers)
            reply = link.getresponse()
            return reply.status, json.loads(reply.read() or b"null")

    def close(self) -> None:
        self.process.kill()
        self.process.wait(5)
        os.close(self.control)
        self.beats.close()
        self.log.close()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, valkey_url: str) -> Iterator[Engine]:
    own = Engine(tmp_path_factory.mktemp("drill") / "engine", valkey_url, drills=True)
    yield own
    own.close()


def over(engine: Engine) -> bool:
    until = time.monotonic() + 5
    while engine.ask("GET", "/drill")[1] and time.monotonic() < until:
        time.sleep(0.02)
    return engine.ask("GET", "/drill")[1] == []


def test_a_fleet_that_was_not_started_for_drills_has_no_such_route(tmp_path: Path, valkey_url: str) -> None:
    own = Engine(tmp_path / "user", valkey_url, drills=False)
    try:
        assert own.ask("GET", "/drill")[0] == 404
        for path in ("/drill", "/drill/end"):
            assert own.ask("POST", path, {"kind": "clock-step", "for_s": 1, "amount": 1})[0] == 404
        assert not any("drill" in path for path in own.ask("GET", "/schema/openapi.json")[1]["paths"])
    finally:
        own.close()


def test_a_step_is_in_what_the_engine_stamps_and_in_nothing_that_it_waits_for(engine: Engine) -> None:
    assert engine.ask("POST", "/drill", {"kind": "clock-step", "for_s": 60, "amount": -3_600})[0] == 200
    try:
        before = engine.beats.read(0)
        os.write(engine.control, HALT)
        line = said(engine, "the supervisor says halt")
        assert -3_610 < (logtime.stamp(line) or 0.0) - time.time() < -3_590
        until(lambda: engine.beats.read(0).beat_ns > before.beat_ns + 500_000_000)
        assert 0 <= time.monotonic_ns() - engine.beats.read(0).beat_ns < 60 * 10**9  # stamps of CLOCK_MONOTONIC
        until(lambda: "stepped by -3600" in str(engine.ask("GET", "/health")[1]))
    finally:
        engine.ask("POST", "/drill/end", {"kind": "clock-step"})
    os.write(engine.control, RESUME)
    assert abs((logtime.stamp(said(engine, "the supervisor says resume")) or 0.0) - time.time()) < 10


def until(holds: Callable[[], object]) -> None:
    """Wait for it; a bound, not a measurement."""
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def said(engine: Engine, words: str) -> bytes:
    """The line of its log that says so, once it is there."""
    path = Path(engine.log.name)
    until(lambda: words in path.read_text())
    return next(line for line in path.read_bytes().splitlines() if words.encode() in line)


def test_a_drill_needs_the_token(engine: Engine) -> None:
    assert engine.ask("POST", "/drill", {"kind": "clock-step", "for_s": 1, "amount": 1}, token="guess")[0] == 403
    assert engine.ask("GET", "/drill") == (200, [])


@pytest.mark.parametrize(("kind", "amount"), [("clock-step", -60.0), ("memory", 32.0), ("busy-loop", 30.0)])
def test_each_ends_by_itself(engine: Engine, kind: str, amount: float) -> None:
    status, told = engine.ask("POST", "/drill", {"kind": kind, "for_s": 0.6, "amount": amount})
    assert status == 200 and told["kind"] == kind and 0 < told["left_s"] <= 0.6, told
    if kind != "busy-loop":
        assert told["seen"] == amount
    assert over(engine)
    assert engine.ask("POST", "/drill", {"kind": kind, "for_s": 0.1, "amount": amount})[0] == 200  # and comes again
    assert over(engine)


def test_a_busy_loop_takes_what_it_says_of_the_processor(engine: Engine) -> None:
    import psutil

    def burnt() -> float:
        used = psutil.Process(engine.process.pid).cpu_times()
        return float(used.user + used.system) * 1e3

    before = burnt()
    engine.ask("POST", "/drill", {"kind": "busy-loop", "for_s": 60, "amount": 50})
    until = time.monotonic() + 30
    while burnt() < before + 200 and time.monotonic() < until:
        time.sleep(0.05)
    (told,) = engine.ask("GET", "/drill")[1]
    assert engine.ask("POST", "/drill/end", {"kind": "busy-loop"}) == (200, [])
    assert burnt() >= before + 200 and told["seen"] >= 100


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "clock-step", "for_s": 1, "amount": 0},
        {"kind": "clock-step", "for_s": 1, "amount": 90_000},
        {"kind": "busy-loop", "for_s": 1, "amount": 96},
        {"kind": "memory", "for_s": 1, "amount": 100_000},
        {"kind": "meteorite", "for_s": 1},
        {"kind": "disk-full", "for_s": 0},
        {"kind": "disk-full", "for_s": 1, "deep": True},
    ],
)
def test_what_cannot_be_is_refused(engine: Engine, body: dict[str, object]) -> None:
    assert engine.ask("POST", "/drill", body)[0] == 400
    assert engine.ask("GET", "/drill") == (200, [])


def test_one_of_a_kind_at_a_time(engine: Engine) -> None:
    asked = {"kind": "clock-step", "for_s": 30, "amount": 5}
    assert engine.ask("POST", "/drill", asked)[0] == 200
    status, told = engine.ask("POST", "/drill", asked)
    assert status == 400 and "in force" in told["detail"]
    assert engine.ask("POST", "/drill/end", {"kind": "clock-step"}) == (200, [])


def _heap_with_room(mb: int) -> object:
    """Make the process's heap have that much free memory in one piece, which whatever is returned holds in place."""
    blocks = [bytearray(100_000) for _ in range(mb * 10)]
    pin = [bytearray(100_000) for _ in range(10)]
    blocks.clear()
    return pin


def test_an_ended_drill_leaves_neither_a_task_nor_memory() -> None:
    async def run() -> None:
        drills = Drills(4_096, WallClock(), lambda: 0)
        heap = _heap_with_room(96)  # so that memory of the process's heap would not go back to the machine
        own = len(asyncio.all_tasks())
        drills.start(DrillRequest("busy-loop", 60.0, 5.0))
        drills.start(DrillRequest("memory", 60.0, 64.0))
        held = resident()
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == own + 1
        drills.end("busy-loop")
        drills.end("memory")
        for _ in range(200):
            await asyncio.sleep(0.01)
            if len(asyncio.all_tasks()) == own and held - resident() > 48 << 20:
                break
        else:
            pytest.fail("a task or its memory is still there after two seconds")
        assert drills.in_force() == [] and heap

    asyncio.run(run())


def test_what_is_in_force_reaches_the_clock_and_the_disk() -> None:
    async def run() -> None:
        wall = WallClock()
        drills = Drills(64, wall, lambda: 0)
        drills.write()  # nothing is said to be full
        drills.start(DrillRequest("disk-full", 60.0))
        with pytest.raises(OSError, match="No space left"):
            drills.write()
        drills.start(DrillRequest("clock-step", 60.0, -600.0))
        told = wall.read()
        assert told.wall - clock.read().wall == pytest.approx(-600.0, abs=1.0)
        assert told.mono <= clock.read().mono
        assert {state.kind: state.seen for state in drills.in_force()} == {"disk-full": 1.0, "clock-step": -600.0}
        drills.end("disk-full")
        drills.end("clock-step")
        assert wall.ahead_s == 0
        drills.write()

    asyncio.run(run())
