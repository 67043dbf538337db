"""`why` and `wait` against real fleets of toys: what is found is what was done."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from toyfleet import ToyFleet

from engines.fleet import api, evidence
from engines.fleet.errors import TimedOut
from engines.fleet.waiting import Impossible, Waiting
from engines.fleet.why import Diagnosis
from engines.wire import manifest
from engines.wire.errors import NotRunning, UnknownName


@pytest.fixture
def toys(tmp_path: Path) -> Iterator[ToyFleet]:
    fleet = ToyFleet(tmp_path, "spawn")
    yield fleet
    fleet.close()


def why(toys: ToyFleet, engine: str) -> Diagnosis:
    return evidence.diagnose("toy", engine, home=toys.home, manifests=manifest.discover(toys.root))


def waiting(toys: ToyFleet, *engines: str, target: str = "ready") -> Waiting:
    return Waiting("toy", engines, target, home=toys.home, manifests=manifest.discover(toys.root))  # type: ignore[arg-type]


def test_before_during_and_after(toys: ToyFleet) -> None:
    with pytest.raises(NotRunning, match="has never been up"):
        why(toys, "risk")
    with pytest.raises(NotRunning, match="has never been up"):
        waiting(toys, "risk").run(5.0)
    toys.up("risk")
    assert why(toys, "lone").kind == "not-asked"
    with pytest.raises(UnknownName, match="no engine 'rsk'"):
        why(toys, "rsk")
    waiting(toys).run(5.0)
    with pytest.raises(Impossible, match="lone cannot become ready"):
        waiting(toys, "lone").run(30.0)
    api.down("toy", home=toys.home)
    found = why(toys, "risk")
    assert found.kind == "down" and f"pid {os.getpid()}" in found.why and found.next == "nautilus up risk"
    waiting(toys, target="stopped").run(5.0)


def test_a_failed_engine_is_the_root_and_ends_a_wait_early(toys: ToyFleet) -> None:
    toys.habit("feed", "permanent")
    toys.up("plan")
    found = why(toys, "plan")
    assert found.chain == ("plan", "risk", "feed") and found.kind == "failed" and "exit code 78" in found.why
    with pytest.raises(Impossible) as raised:
        waiting(toys, "plan").run(60.0)
    assert "plan <- risk <- feed: feed was given up." in raised.value.why


def test_the_holder_of_a_port_is_named(toys: ToyFleet) -> None:
    toys.up("lone")
    lone = toys.engine("lone")
    toys.habit("lone", "permanent")
    toys.kill(lone.pid)
    toys.until(lambda: toys.engine("lone").state == "failed", "given up")
    with socket.create_server(("127.0.0.1", lone.port)):
        found = why(toys, "lone")
    assert found.kind == "port" and f"pid {os.getpid()}" in found.why


def test_a_killed_supervisor(toys: ToyFleet) -> None:
    now = toys.up("lone")
    os.kill(now.supervisor.pid, signal.SIGKILL)
    toys.until(lambda: _gone(toys), "the supervisor is gone")
    found = why(toys, "lone")
    assert found.kind == "killed" and found.evidence[0].startswith("lone: ready")
    with pytest.raises(Impossible, match="lone cannot become ready"):
        waiting(toys, "lone").run(30.0)


def _gone(toys: ToyFleet) -> bool:
    try:
        toys.status()
    except NotRunning:
        return True
    return False


def test_a_wait_ends_when_it_comes_true_or_in_time(toys: ToyFleet) -> None:
    toys.up("lone")
    with pytest.raises(TimedOut, match=r"Not stopped within 0\.2 s: lone"):
        waiting(toys, "lone", target="stopped").run(0.2)
    seen: list[tuple[str, ...]] = []
    stopper = threading.Timer(0.3, lambda: api.down("toy", home=toys.home))
    stopper.start()
    waiting(toys, "lone", target="stopped").run(20.0, seen.append)
    stopper.join()
    assert seen[0] == ("lone",)
