"""The state of a running mission: replaced as a whole, alive only while its very process is."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from engines.fleet import process
from engines.fleet.process import Identity
from stress import running
from stress.progress import Progress
from stress.running import STATE, Beacon, Running


def state(**changes: object) -> Running:
    told = Running(
        run_id="r", mission="health", title="Health", process=running.me(), writer=None, boot=process.boot_id(),
        begun="2026-01-01T00:00:00+00:00", phase="boot", elapsed_s=0.0, planned_s=30.0, home="/nowhere",
        fleet="mission", attached=False,
    )  # fmt: skip
    return msgspec.structs.replace(told, **changes)


def ended() -> Identity:
    """A process that has just ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = process.identify(child.pid)
        child.communicate(b"\n")
    assert found is not None
    return found


def test_a_beacon_hands_on_and_writes_at_each_phase_and_each_second(tmp_path: Path) -> None:
    now = [0.0]
    heard: list[Progress] = []
    beacon = Beacon(tmp_path, state(), heard.append, lambda: now[0])
    said = [("boot", 0.1), ("boot", 0.9), ("boot", 1.1), ("idle", 1.2), ("idle", 1.3)]
    written = []
    for phase, at in said:
        now[0] = at
        beacon(Progress(phase, "", at, 30.0))
        found = running.read(tmp_path)
        assert found is not None
        written.append((found.phase, found.elapsed_s))
    assert len(heard) == len(said)
    assert written == [("boot", 0.0), ("boot", 0.0), ("boot", 1.1), ("idle", 1.2), ("idle", 1.2)]
    assert [path.name for path in tmp_path.iterdir()] == [STATE]
    beacon.close()
    assert running.read(tmp_path) is None


def test_a_state_that_cannot_be_written_does_not_end_the_mission(tmp_path: Path) -> None:
    heard: list[Progress] = []
    beacon = Beacon(tmp_path, state(), heard.append)
    (tmp_path / STATE).with_suffix(".tmp").mkdir()  # in the way of every draft
    beacon(Progress("idle", "", 1.0, 2.0))
    found = running.read(tmp_path)
    assert len(heard) == 1 and found is not None and found.phase == "boot"


def test_alive_means_this_very_process() -> None:
    me = running.me()
    assert state().alive
    assert not state(process=Identity(me.pid, me.start + 1)).alive
    assert not state(boot="another boot").alive
    assert not state(process=ended()).alive


def test_missions_are_found_oldest_first_and_strange_files_are_passed_over(tmp_path: Path) -> None:
    for name, begun in (("b", "2026-01-02"), ("a", "2026-01-03"), ("c", "2026-01-01")):
        (tmp_path / name).mkdir()
        running.write(tmp_path / name / STATE, state(run_id=name, begun=begun))
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / STATE).write_text('{"run_id": 1}')
    (tmp_path / "file").write_text("")
    assert [folder.name for folder, _ in running.find(tmp_path)] == ["c", "b", "a"]
    assert running.find(tmp_path / "nowhere") == []


@pytest.mark.parametrize(("writer", "written"), [(None, True), ("me", False), ("ended", True)])
def test_a_history_is_written_as_long_as_its_writer_lives(writer: str | None, written: bool) -> None:
    who = {"me": running.me(), "ended": ended(), None: None}[writer]
    assert state(writer=who).written is written
    assert os.getpid() == running.me().pid
