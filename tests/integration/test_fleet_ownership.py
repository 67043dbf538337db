"""Who ends what when the supervisor is killed: engines halt and end, whatever they are doing; the buses stay."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from toyfleet import ToyFleet

from engines.fleet import api, buses, process
from engines.fleet.policy import Rules
from engines.fleet.process import Identity
from engines.wire.beat import Beats
from engines.wire.leash import END_S, REAP_S
from engines.wire.state import EngineState

pytestmark = pytest.mark.skipif(not process.LINUX, reason="the zygote is Linux's")
_LIMIT_S = REAP_S + 8.0  # a bound for a full host, not a measurement


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ToyFleet]:
    monkeypatch.setenv("PYTHONPATH", "")
    toys = ToyFleet(tmp_path, "zygote", {name: {} for name in ("a", "b", "c")})
    toys.spec = replace(toys.spec, rules=Rules(stall_s=60.0))  # a stopped engine is not the supervisor's business here
    yield toys
    toys.close()


def identities(fleet: ToyFleet) -> tuple[dict[str, Identity], list[Identity]]:
    """Engines by name, and the buses."""
    now = fleet.status()
    engines = {e.name: process.identify(e.pid or 0) for e in now.engines}
    servers = [process.identify(bus.pid or 0) for bus in now.buses]
    assert all(engines.values()) and all(servers)
    return {name: found for name, found in engines.items() if found}, [found for found in servers if found]


def test_whatever_they_do_they_end_and_the_buses_stay(fleet: ToyFleet) -> None:
    """One runs, one is stopped by a signal, one sits in C with the interpreter's lock and has a child elsewhere."""
    fleet.habit("c", "stuck", "children")
    supervisor = fleet.up().supervisor.pid
    engines, servers = identities(fleet)
    zygote = [m for m in fleet.members() if m not in (*engines.values(), *servers)]
    fleet.kill(engines["b"].pid, signal.SIGSTOP)
    (fleet.state / "stick").touch()
    beats, slot = Beats(fleet.where.beats, 3), list(engines).index("c")
    fleet.until(lambda: time.monotonic_ns() - beats.read(slot).beat_ns > 400_000_000, "c is stuck")
    fleet.kill(supervisor)
    assert process.wait_gone([engines["a"]], END_S + 5.0) == []
    assert process.wait_gone([*engines.values(), *zygote], _LIMIT_S) == []
    assert fleet.diary("a")[-1].startswith("halted ")
    assert sorted(m.pid for m in fleet.members()) == sorted(s.pid for s in servers), "children end as well"
    assert all(buses.working(bus) for bus in buses.declare(fleet.where, buses.load_secrets(fleet.where.secrets), {}))


def test_a_zygote_that_succeeded_another_knows_whom_to_end(fleet: ToyFleet) -> None:
    supervisor = fleet.up().supervisor.pid
    engines, servers = identities(fleet)
    (zygote, *_) = [m for m in fleet.members() if m not in (*engines.values(), *servers)]
    fleet.kill(zygote.pid)
    fleet.until(lambda: len(fleet.members()) == 6 and process.identify(zygote.pid) is None, "a new zygote")
    fleet.kill(engines["b"].pid, signal.SIGSTOP)
    time.sleep(0.1)
    fleet.kill(supervisor)
    assert process.wait_gone(list(engines.values()), _LIMIT_S) == []


def test_the_next_supervisor_and_the_last_zygote_do_not_meet(fleet: ToyFleet) -> None:
    """`up` at once, while the old zygote still waits to kill: the new engines are not its business."""
    now = fleet.up()
    fleet.kill(now.supervisor.pid)
    again = fleet.up()
    assert again.healthy and not again.already
    time.sleep(REAP_S + 0.3)
    assert [e.restarts for e in fleet.status().engines] == [0, 0, 0]
    assert {e.pid for e in fleet.status().engines} == {e.pid for e in again.engines}
    assert [b.pid for b in again.buses] == [b.pid for b in now.buses], "adopted"


def test_a_stopped_engine_is_not_blamed_on_the_next_fleet(fleet: ToyFleet) -> None:
    """What zygote and supervisor, killed together, leave behind is cleared by the next `up`."""
    now = fleet.up()
    engines, servers = identities(fleet)
    zygote = [m for m in fleet.members() if m not in (*engines.values(), *servers)]
    fleet.kill(engines["b"].pid, signal.SIGSTOP)
    fleet.kill(now.supervisor.pid, signal.SIGSTOP)
    for each in zygote:
        fleet.kill(each.pid)
    fleet.kill(now.supervisor.pid)
    assert process.wait_gone([engines["a"], engines["c"]], END_S + 5.0) == []
    assert process.alive(engines["b"]), "stopped, and nobody is left to kill it"
    assert fleet.up().healthy
    assert not process.alive(engines["b"])
    api.down("toy", home=fleet.home)
    assert fleet.members() == []


def test_real_engines_say_halted_before_they_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real engine over the real kit: its slot says so at once, and it ends cleanly."""
    monkeypatch.setenv("PYTHONPATH", "")
    spec = api.FleetSpec(name="real", home=tmp_path / "home", engines=("websocket",), port_offset=None, launch="zygote")
    now = api.up(spec)
    try:
        (engine,) = now.wanted
        slot = [e.name for e in now.engines].index("websocket")
        beats = Beats(Path(now.paths.state) / "beats", slot + 1)
        identity = process.identify(engine.pid or 0)
        assert identity is not None and beats.read(slot).state is EngineState.READY
        os.kill(now.supervisor.pid, signal.SIGKILL)
        until = time.monotonic() + 10.0
        seen = set()
        while process.alive(identity) and time.monotonic() < until:
            seen.add(beats.read(slot).state)
            time.sleep(0.002)
        assert EngineState.HALTED in seen and not process.alive(identity)
        assert "the supervisor is gone: halted" in (Path(now.paths.logs) / "websocket.log").read_text()
    finally:
        api.down("real", True, home=tmp_path / "home")
    assert process.members(tmp_path / "home" / "real") == []
