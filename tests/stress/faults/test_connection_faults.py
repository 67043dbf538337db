"""Connections of an engine's port taken until it refuses, by a real server with a real limit, and given back."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import busfleet
import pytest
from busfleet import BusFleet

from stress.faults.connections import KIND, Spec, ask, take
from stress.faults.fault import Fault
from stress.faults.undo import UndoJournal

LIMIT = 50
SERVER = """
import sys, uvicorn
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
uvicorn.run(app, port=int(sys.argv[1]), limit_concurrency=int(sys.argv[2]), http="httptools", log_level="error",
            lifespan="off")
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[BusFleet]:
    """One engine: a server that refuses beyond LIMIT connections."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(port), str(LIMIT)])
    busfleet.until(lambda: ask(f"127.0.0.1:{port}")[0] == "answered", "the server does not answer")
    yield BusFleet(tmp_path, (("risk", server.pid, port),))
    server.kill()
    server.wait()


def address(fleet: BusFleet) -> str:
    return f"127.0.0.1:{fleet.engines[0][2]}"


def test_refused_until_it_is_healed(fleet: BusFleet) -> None:
    journal = UndoJournal(fleet.home)
    done = KIND.inject(Fault("f", "connections", "risk"), fleet, journal)
    assert done.proven and "refused with 503" in done.proof, done.proof
    assert journal.pending() == (done.undo,)
    assert ask(address(fleet))[0] == "refused"
    assert done.undo is not None
    back = KIND.heal(done.undo, journal)
    assert back.proven and "answered with 200" in back.proof, back.proof
    assert journal.pending() == () and busfleet.gone(done.undo)
    assert KIND.heal(done.undo, journal).proven


def test_too_few_are_not_proven(fleet: BusFleet) -> None:
    journal = UndoJournal(fleet.home)
    done = KIND.inject(Fault("f", "connections", "risk", None, {"most": LIMIT - 20}), fleet, journal)
    assert not done.proven and "answered with 200" in done.proof
    assert done.undo is not None and KIND.heal(done.undo, journal).proven


def test_healing_that_closes_nothing_is_not_proven(fleet: BusFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = UndoJournal(fleet.home)
    done = KIND.inject(Fault("f", "connections", "risk"), fleet, journal)
    assert done.undo is not None
    with monkeypatch.context() as broken:
        broken.setattr("stress.faults.keeper.end", lambda *_: True)
        broken.setattr("stress.faults.connections._HEALED_S", 0.2)
        assert not KIND.heal(done.undo, journal).proven
    assert KIND.heal(done.undo, journal).proven


def test_a_fresh_process_heals_what_a_killed_one_has_injected(fleet: BusFleet) -> None:
    undo = busfleet.inject_and_die("stress.faults.connections:KIND", Fault("f", "connections", "risk"), fleet)
    assert ask(address(fleet))[0] == "refused"  # it goes on without its operator
    back = KIND.heal(undo, UndoJournal(fleet.home))
    assert back.proven, back.proof
    assert busfleet.gone(undo) and ask(address(fleet))[0] == "answered"


def test_an_engine_that_has_ended_needs_no_healing(fleet: BusFleet) -> None:
    journal = UndoJournal(fleet.home)
    done = KIND.inject(Fault("f", "connections", "risk"), fleet, journal)
    os.kill(fleet.engines[0][1], 9)
    assert done.undo is not None
    back = KIND.heal(done.undo, journal)
    assert back.proven and "no one listens" in back.proof


def test_the_holder_takes_no_more_than_it_was_told(fleet: BusFleet) -> None:
    held: list[socket.socket] = []
    take(Spec(address=address(fleet), most=10, lifetime_s=1), held)
    assert len(held) == 10
    take(Spec(address=address(fleet), most=1000, lifetime_s=1), held)
    assert LIMIT <= len(held) < LIMIT + 40
    for link in held:
        link.close()


@pytest.mark.parametrize(
    ("target", "parameters", "mistake"),
    [
        ("bus-main", {}, "bus-main has no port"),
        ("risk", {"most": 0}, "most = 0: a number from 1"),
        ("risk", {"nost": 1}, "no parameter 'nost'"),
    ],
)
def test_what_cannot_be_is_told(target: str, parameters: dict[str, float], mistake: str) -> None:
    assert mistake in "\n".join(KIND.mistakes(target, parameters))


def test_more_than_the_user_may_open_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (1024, 4096))
    assert "may have 4096 open files" in "\n".join(KIND.mistakes("risk", {}))
    assert list(KIND.mistakes("risk", {"most": 1000})) == []
