"""kill -9 of a mission's own process: the record is whole, nothing of its fleet is left, and `stop` seals the run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from toyfleet import ToyFleet

from engines.fleet import api, folders, process
from engines.fleet.process import Identity
from reports.history import read
from reports.records import HISTORY
from reports.verify import verify
from stress import control, orphans, running
from stress.fleet import FLEET, NAME
from stress.running import STATE

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not process.LINUX, reason="processes are recognised by /proc")
MISSION = """
import sys, time
from pathlib import Path
from engines.fleet import process
from stress import running
from stress.history import History, stamp
from stress.progress import Progress
from tests.reports.conftest import small_history

folder = Path(sys.argv[1])
history = History.open(folder)
running.Beacon(folder, running.Running(
    run_id=folder.name, mission="health", title="Health", process=running.me(),
    writer=process.identify(history.writer_pid), boot=process.boot_id(), begun=running.utc_now(), phase="idle",
    elapsed_s=1.0, planned_s=30.0, home=str(folder / "fleet"), fleet="mission", attached=False,
), lambda _: None)
for record in small_history()[:-1]:
    history.append(record)
print(history.writer_pid, flush=True)
time.sleep(120)
"""


class Crash:
    """A mission's process, its history's writer, and a fleet of toys in the place of its own."""

    def __init__(self, tmp: Path) -> None:
        self.toys = ToyFleet(tmp, "spawn", {"feed": {"boot_s": 5.0}, "risk": {"after": ["feed"], "boot_s": 5.0}})
        self.folder = tmp / "20260304_100000_health"
        self.folder.mkdir()
        self.home = self.folder / FLEET
        self.toys.spec = replace(self.toys.spec, name=NAME, home=self.home)
        self.toys.where = folders.of(NAME, self.home)
        self.status = api.up(self.toys.spec)
        self.mission = subprocess.Popen(
            [sys.executable, "-c", MISSION, str(self.folder)], stdout=subprocess.PIPE, cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert self.mission.stdout is not None
        self.writer = process.identify(int(self.mission.stdout.readline()))
        self.mission.stdout.close()

    def everyone(self) -> list[Identity]:
        """Every process of the fleet, by what the supervisor says."""
        pids = [self.status.supervisor.pid, *(e.pid for e in self.status.engines), *(b.pid for b in self.status.buses)]
        found = [process.identify(pid) for pid in pids if pid is not None]
        return [each for each in found if each is not None]

    def kill(self) -> None:
        self.mission.kill()
        self.mission.wait()

    def until_written(self) -> None:
        assert self.writer is not None
        assert process.wait_gone([self.writer], 30.0) == []


@pytest.fixture
def crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crash]:
    monkeypatch.setenv("PYTHONPATH", "")
    made = Crash(tmp_path)
    yield made
    made.mission.kill()
    made.mission.wait()
    for each in [*made.everyone(), *orphans.left(made.home)]:
        process.send(each, signal.SIGKILL)


def test_nothing_of_a_killed_missions_fleet_is_left_and_its_run_is_sealed(crash: Crash) -> None:
    everyone = crash.everyone()
    before = running.read(crash.folder)
    assert len(everyone) == 5 and {*everyone} <= {*orphans.left(crash.home)}
    assert before is not None and before.alive
    crash.kill()
    assert process.wait_gone(everyone, 15.0) == [] and orphans.left(crash.home) == []
    crash.until_written()
    assert (crash.folder / "writer.log").read_text().startswith("The mission left without a farewell; ended ")
    history = read(crash.folder)
    assert history.broken is None and history.end is None and len(history.records) > 10
    state = running.read(crash.folder)
    assert state is not None and not state.alive and control.left(crash.folder, state).processes == ()
    control.bury(crash.folder, state)
    assert not (crash.folder / STATE).exists() and not crash.home.exists()
    assert (crash.folder / "logs" / "feed.log").is_file()
    assert "INTERRUPTED" in (crash.folder / "REPORT.md").read_text().splitlines()[0]
    assert verify(crash.folder).ok


def test_a_supervisor_that_a_fault_had_stopped_ends_as_well(crash: Crash) -> None:
    everyone = crash.everyone()
    os.kill(crash.status.supervisor.pid, signal.SIGSTOP)
    crash.kill()
    assert process.wait_gone(everyone, 15.0) == []


def test_a_fleet_whose_supervisor_and_writer_died_too_is_found_and_buried(crash: Crash) -> None:
    assert crash.writer is not None
    while not (crash.folder / HISTORY).exists():
        time.sleep(0.01)
    everyone = crash.everyone()
    buses = {bus.pid for bus in crash.status.buses}
    process.send(crash.writer, signal.SIGKILL)
    os.kill(crash.status.supervisor.pid, signal.SIGKILL)
    crash.kill()
    crash.until_written()
    state = running.read(crash.folder)
    assert state is not None
    assert {each.pid for each in control.left(crash.folder, state).processes} >= buses  # they hold the streams
    control.bury(crash.folder, state)
    assert process.wait_gone(everyone, 0.0) == []
    assert not crash.home.exists() and (crash.folder / "REPORT.md").is_file()


def test_a_mission_that_says_goodbye_keeps_its_fleet(tmp_path: Path) -> None:
    """The writer touches nothing while the mission closes its history itself."""
    text = "import sys; from pathlib import Path; from stress.history import History; History.open(Path(sys.argv[1]))"
    ways = (("well", ".close()"), ("killed", "; import os; os._exit(1)"), ("failed", ".__exit__(OSError)"))
    for name, goodbye in ways:
        (tmp_path / name / FLEET).mkdir(parents=True)
        subprocess.run([sys.executable, "-c", text + goodbye, str(tmp_path / name)], cwd=ROOT, check=False, timeout=60)
    until = time.monotonic() + 15.0
    while not all((tmp_path / name / "writer.log").exists() for name in ("killed", "failed")):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert not (tmp_path / "well" / "writer.log").exists()
