"""Whose process is whose: what is taken over, what is left alone, and what needs no terminal."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from toyfleet import ToyFleet

from engines.fleet import api, buses, journal, process
from engines.fleet.journal import Entry, Journal
from engines.fleet.process import Identity


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ToyFleet]:
    monkeypatch.setenv("PYTHONPATH", "")
    toys = ToyFleet(tmp_path, "spawn", {"lone": {"boot_s": 5.0}})
    yield toys
    toys.close()


def test_a_pid_that_went_to_another_process_is_left_alone(fleet: ToyFleet) -> None:
    """After `kill -9` the journal names pids; one that was used again is nobody's leftover."""
    now = fleet.up()
    left = {bus.unit: process.identify(pid) for bus, pid in zip(_pair(fleet), _pids(now), strict=True)}
    fleet.kill(now.supervisor.pid)
    fleet.until(lambda: process.identify(now.supervisor.pid) is None, "the supervisor is gone")
    with subprocess.Popen(["sleep", "60"]) as stranger:
        try:
            mine = process.identify(stranger.pid)
            assert mine is not None
            ended = Journal(fleet.where.journal)
            for unit in ("lone", "bus-main"):
                ended.write(Entry(what="started", unit=unit, identity=Identity(mine.pid, mine.start - 100)))
            ended.commit()
            ended.close()
            again = fleet.up()
            assert again.healthy and not again.already
            assert process.alive(mine), "it has the pid, and another start"
            assert _pids(again) == [identity.pid for identity in left.values() if identity], "the real ones were"
            adopted = [e.unit for e in journal.read(fleet.where.journal) if e.detail == "adopted"]
            assert sorted(adopted) == ["bus-main", "bus-market"]
        finally:
            stranger.kill()


def _pair(fleet: ToyFleet) -> tuple[buses.Bus, ...]:
    return tuple(buses.declare(fleet.where, buses.load_secrets(fleet.where.secrets), {}))


def _pids(now: api.FleetStatus) -> list[int]:
    return [bus.pid or 0 for bus in now.buses]


def test_a_fleet_needs_neither_its_client_nor_its_terminal(fleet: ToyFleet, tmp_path: Path) -> None:
    """The whole session that typed `up` is killed; another client goes on with the fleet."""
    script = tmp_path / "client.py"
    script.write_text(f"""
import sys
from pathlib import Path
from engines.fleet import api
api.up(api.FleetSpec(name="toy", home=Path({str(fleet.home)!r}), prefix="toys", root=Path({str(fleet.root)!r}),
                     launch="spawn"))
print("up", flush=True)
sys.stdin.read()
""")
    env = {**os.environ, "PYTHONPATH": f"{os.environ['PYTHONPATH']}:{Path(__file__).parents[2]}"}
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=-1, stdout=-1, env=env, start_new_session=True
    ) as client:
        assert client.stdout is not None and client.stdout.readline() == b"up\n"
        before = fleet.status()
        assert os.getsid(before.supervisor.pid) not in (client.pid, os.getsid(0)), "a session of its own"
        os.killpg(client.pid, signal.SIGHUP)
        os.killpg(client.pid, signal.SIGKILL)
    now = fleet.status()
    assert now.healthy and now.supervisor.pid == before.supervisor.pid
    lone = fleet.engine("lone").pid
    assert {e.state for e in api.restart("toy", "lone", home=fleet.home).wanted} == {"ready"}
    assert fleet.engine("lone").pid != lone
