"""A request of the harness and what it caused: hop by hop, and the replay that it asked for."""

import asyncio
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engines.fleet import api
from engines.wire.bus import MemoryBus, Output
from engines.wire.messages import (
    Accepted,
    Body,
    Cancel,
    Fill,
    Header,
    Order,
    Session,
    Trades,
    encode_body,
    encode_header,
)
from engines.wire.trace import is_request_id
from stress.fleet import MissionFleet
from stress.roles import operations
from stress.roles.operations import Asked

ORDER = Order("m-1", "momentum", "AAPL", -1, 100)
FILL = Fill("f", "m-1", "momentum", "AAPL", -1, 100, 10, 0, 1)
MS = 10**6


def entry(place: str, body: Body, producer: str, cause: str, trace: str, times: tuple[int, int]) -> tuple[Output, str]:
    header = Header(producer, 1, 1, cause, 0, trace, 0, times[0] * MS, times[1] * MS)
    return Output(body.TOPIC, encode_header(header), encode_body(body)), place


def run_of(bus: MemoryBus) -> Any:
    return SimpleNamespace(fleet=SimpleNamespace(bus=lambda _: bus))


def test_what_a_request_caused_is_counted_by_sender_and_topic_since_a_mark() -> None:
    kill, window = "request/run-op-1", "r1/window"

    async def through() -> tuple[Any, Any]:
        bus = MemoryBus()
        await bus.append([entry("1-1", Cancel("old", "s"), "strategy", "", kill, (1, 2))])  # before the mark
        since = await operations.ends(run_of(bus))
        await bus.append(
            [
                entry("2-1", Cancel("m-0", "momentum"), "strategy", "", kill, (10, 12)),
                entry("2-2", ORDER, "strategy", "", kill, (10, 13)),
                entry("2-1", Accepted(ORDER), "risk", "orders/2-2", kill, (10, 15)),
                entry("2-1", FILL, "marketdata", "quotes/1-9", window, (18, 20)),
                entry("2-2", Fill("g", "x", "s", "AAPL", 1, 1, 1, 0, 1), "marketdata", "quotes/1-9", window, (18, 20)),
                (Output("orders", b"\xc1", b"\xc1"), "3-1"),  # a fault's
            ]
        )
        return since, await operations.effects(run_of(bus), "run-op-1", since)

    since, found = asyncio.run(through())
    assert since["orders"] == "1-1" and set(since) == set(operations.LOOKED_AT)
    hops = operations.hops("drill", "run-op-1", found)
    assert [(h.producer, h.topic, h.count, h.first_ns // MS, h.last_ns // MS) for h in hops] == [
        ("strategy", "orders", 2, 12, 13), ("risk", "order-events", 1, 15, 15), ("marketdata", "fills", 1, 20, 20),
    ]  # fmt: skip
    assert operations.arrived_ns(found, "run-op-1") == 10 * MS
    assert operations.arrived_ns((), "run-op-1") is None


def session(event: Any, request: str = "run-op-2") -> Session:
    return Session(event, "s", "2010-05-06", (), (), 1, "", 1.0, request=request, requested_ns=7 * MS)


@pytest.mark.parametrize("request_", ["run-op-2", "another"])
def test_a_replay_is_joined_to_its_request_and_to_the_first_trades_of_its_window(request_: str) -> None:
    async def through() -> Any:
        bus = MemoryBus()
        trades = Trades((), b"")
        await bus.append([entry("1-1", session("open"), "marketdata", "", "r1/before", (0, 1))])
        await bus.append([entry("2-1", session("open", request_), "marketdata", "", "r2/before", (0, 9))])
        await bus.append([entry("2-3", trades, "marketdata", "", "r2/before", (0, 10))])
        waiting = asyncio.create_task(operations.first_trades(run_of(bus), time.monotonic_ns()))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await bus.append([entry("2-4", session("window"), "marketdata", "", "r2/window", (50, 51))])
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await bus.append([entry("2-6", trades, "marketdata", "", "r2/window", (60, 62))])
        await bus.append([entry("2-7", trades, "marketdata", "", "r2/window", (70, 72))])
        first = await asyncio.wait_for(waiting, 5)
        return await operations.replay(run_of(bus), "storm", 2, Asked("run-op-2", 5 * MS), first)

    found = asyncio.run(through())
    assert (found.phase, found.number, found.request, found.asked_ns) == ("storm", 2, "run-op-2", 5 * MS)
    told = (found.arrived_ns, found.opened_ns, found.first_tick_due_ns, found.first_tick_ns)
    assert told == ((7 * MS, 9 * MS, 60 * MS, 62 * MS) if request_ == "run-op-2" else (None,) * 4)


def test_trades_that_others_were_dropped_before_are_not_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "_LATE_S", 0.05)

    async def through(below: str) -> Header | None:
        bus = MemoryBus()
        await bus.append([entry("2-4", session("window"), "marketdata", "", "r2/window", (50, 51))])
        trades = [entry(place, Trades((), b""), "marketdata", "", "r2/window", (60, 62)) for place in ("2-6", "2-7")]
        await bus.append(trades)
        await bus.trim("trades", below)
        return await operations.first_trades(run_of(bus), 0)

    assert asyncio.run(through("2-0")) is not None, "nothing was dropped"
    assert asyncio.run(through("2-7")) is None


def test_a_replay_of_which_nothing_was_told_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "_LATE_S", 0.05)

    async def through() -> Any:
        run = run_of(MemoryBus())
        first = await operations.first_trades(run, 0)
        return first, await operations.replay(run, "storm", 2, Asked("run-op-2", 5 * MS), first)

    first, found = asyncio.run(through())
    assert first is None and (found.arrived_ns, found.opened_ns, found.first_tick_ns) == (None, None, None)


def test_every_post_of_a_mission_has_an_id_of_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str | None] = []

    class Engine(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            heard.append(self.headers["X-Request-Id"])
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST = _answer  # noqa: N815 # the library's names

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Engine)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        fleet: Any = MissionFleet(tmp_path)
        known = SimpleNamespace(host="127.0.0.1", engines=[SimpleNamespace(name="risk", port=server.server_port)])
        monkeypatch.setattr(fleet, "known", lambda: known)
        monkeypatch.setattr(api, "token", lambda *_, **__: "t")
        assert re.fullmatch(r"mission-\d+-op-1", fleet.operation()), "a process that names no run"
        fleet.run_id = "20260304_100000_kill-switch"
        fleet.post("risk", "/x", {})
        fleet.post("risk", "/x", {}, "given")
        fleet.exchange("risk", "POST", "/x", {})
        fleet.get("risk", "/x")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert heard == ["20260304_100000_kill-switch-op-2", "given", "20260304_100000_kill-switch-op-3", None]
    fleet.run_id = "x" * 200
    assert is_request_id(fleet.operation())
