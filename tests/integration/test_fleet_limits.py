"""Limits, budgets and bundles: what an engine may take, what it leaves when it crashes, what is told of its boot."""

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from toyfleet import ToyFleet
from toykit import FAT_BYTES

from engines.fleet import api, journal, process
from engines.fleet.boot import critical_chain
from engines.fleet.crash import KEEP
from engines.fleet.logs import KEEP as KEPT_LOGS
from engines.fleet.logs import SIZE
from engines.fleet.policy import Rules

QUICK = Rules(grace_s=0.6, base_s=0.02)
pytestmark = pytest.mark.skipif(not process.LINUX, reason="reads /proc")


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ToyFleet]:
    monkeypatch.setenv("PYTHONPATH", "")
    toys = ToyFleet(tmp_path, "spawn", {"a": {"boot_budget_s": 0.2}, "b": {"after": ["a"]}})
    toys.spec = replace(toys.spec, rules=QUICK)
    yield toys
    toys.close()


def declare(fleet: ToyFleet, name: str, text: str) -> None:
    """Add a table to a toy's manifest."""
    path = fleet.root / name / "engine.toml"
    path.write_text(f"{path.read_text()}\n{text}\n")


def test_one_over_its_memory_limit_is_ended_for_it(fleet: ToyFleet) -> None:
    limit = FAT_BYTES // 1_000_000 // 2
    declare(fleet, "b", f"[restart]\ncrashes = 1\n[limits]\nmemory_mb = {limit}")
    fleet.habit("b", "fat")
    fleet.up()
    fleet.until(lambda: fleet.engine("b").state == "failed", "b is over its limit")
    b = fleet.engine("b")
    assert f"of {limit} MB" in b.cause and "over its memory limit" in b.cause and "1 crashes in 60 s" in b.cause
    assert b.memory_limit_mb == limit and fleet.engine("a").state == "ready"


def test_a_restart_table_is_obeyed(fleet: ToyFleet) -> None:
    declare(fleet, "b", "[restart]\npolicy = 'on-failure'\ncrashes = 2\nwindow_s = 30")
    fleet.habit("b", "clean")
    fleet.up()
    assert fleet.engine("b").state == "stopped", "it ended well"
    fleet.habit("b", "crash")
    fleet.spec = replace(fleet.spec, engines=("b",))
    api.restart("toy", "b", home=fleet.home)
    fleet.until(lambda: fleet.engine("b").state == "failed", "two crashes are too many")
    assert "2 crashes in 30 s" in fleet.engine("b").cause


def test_a_boot_over_its_budget_is_told(fleet: ToyFleet) -> None:
    fleet.habit("a", "slow-boot")
    now = fleet.up()
    a = next(engine for engine in now.engines if engine.name == "a")
    assert a.state == "ready" and a.boot_s is not None and a.boot_budget_s == 0.2 and a.boot_s > 0.2
    (warning,) = [event for event in fleet.events if event.kind == "warning"]
    assert warning.name == "a" and "its budget is 0.2 s" in warning.detail
    entries = journal.read(fleet.where.journal)
    assert [entry.unit for entry in entries if entry.what == "warning"] == ["a"]
    (booted,) = [entry for entry in entries if entry.what == "booted"]
    assert {step.name for step in booted.steps} >= {"bus-main", "a", "b"} and booted.steps == now.boot
    chain = critical_chain(now.boot)
    assert [step.name for step in chain][-2:] == ["a", "b"] and chain[-2].late and not chain[-1].late


def test_a_crash_leaves_a_bundle_with_its_stack(fleet: ToyFleet) -> None:
    declare(fleet, "b", "[restart]\ncrashes = 1")
    fleet.habit("b", "segfault")
    fleet.up()
    fleet.until(lambda: fleet.engine("b").state == "failed", "b crashes")
    folder = Path(fleet.engine("b").crash)
    assert folder.parent == fleet.state / "crashes" and folder.name.endswith("_b")
    fleet.until(folder.exists, "the bundle is written")
    about = json.loads((folder / "crash.json").read_text())
    assert about["cause"].endswith("killed by SIGSEGV") and about["exit"]["signal"] == 11
    assert about["manifest"]["name"] == "b"
    stack = (folder / "stack.txt").read_text()
    assert stack.startswith("Fatal Python error: Segmentation fault") and "in run" in stack
    (entry,) = [entry for entry in journal.read(fleet.where.journal) if entry.what == "crash"]
    assert (entry.unit, entry.path) == ("b", str(folder))


def test_a_stall_leaves_its_stack_and_what_proc_said(fleet: ToyFleet) -> None:
    fleet.spec = replace(fleet.spec, rules=replace(QUICK, stall_s=2.6))  # /proc is sampled every two seconds
    fleet.habit("b", "stall")
    fleet.up()
    fleet.until(lambda: fleet.engine("b").crash != "", "the stall is seen")
    folder = Path(fleet.engine("b").crash)
    fleet.until(folder.exists, "the bundle is written")
    assert "in loop" in (folder / "stack.txt").read_text()
    facts = json.loads((folder / "crash.json").read_text())["facts"]
    assert facts["rss_kb"] > 1000 and facts["threads"] >= 1 and facts["files"] > 3


def test_an_announced_end_leaves_no_bundle_and_bundles_are_bounded(fleet: ToyFleet) -> None:
    fleet.up()
    api.announce("toy", "b", reason="exercise", home=fleet.home)
    fleet.kill(fleet.engine("b").pid)
    fleet.until(lambda: fleet.engine("b").restarts == 1 and fleet.engine("b").state == "ready", "b is back")
    assert fleet.engine("b").crash == "" and not (fleet.state / "crashes").exists()
    for number in range(KEEP + 3):
        (fleet.state / "crashes" / f"20200101T0000{number:02d}.000Z_b").mkdir(parents=True)
    fleet.kill(fleet.engine("b").pid)
    fleet.until(lambda: len(list((fleet.state / "crashes").glob("2*"))) == KEEP, "the oldest are removed")


def test_a_torrent_of_output_leaves_the_disk_bounded(fleet: ToyFleet) -> None:
    """As fast as it can write, which is more than 100 MB a second on most machines."""
    fleet.habit("b", "torrent")
    fleet.up()
    most, rounds = 0, set()
    oldest = fleet.where.log("b").with_name(f"b.log.{KEPT_LOGS}")

    def filled() -> bool:
        nonlocal most
        files = list(fleet.where.logs.glob("b.log*"))
        most = max(most, sum(path.stat().st_size for path in files if path.exists()))
        rounds.add(oldest.stat().st_mtime_ns if oldest.exists() else 0)
        return len(rounds) > 4

    fleet.until(filled, "it was rotated many times")
    assert most < (KEPT_LOGS + 1) * SIZE + 1024**3, "what comes between two looks, and no more"
    assert oldest.stat().st_size <= SIZE
    assert fleet.engine("b").state == "ready"


def test_a_stale_socket_is_no_supervisor(fleet: ToyFleet) -> None:
    fleet.where.runtime.mkdir(parents=True, mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(fleet.where.control))
    assert fleet.where.control.exists()
    assert not fleet.up().already


def test_no_end_leaves_a_zombie(fleet: ToyFleet) -> None:
    supervisor = fleet.up().supervisor.pid
    for number in range(1, 4):
        fleet.kill(fleet.engine("b").pid)
        fleet.until(lambda n=number: fleet.engine("b").restarts == n and fleet.engine("b").state == "ready", "b")
    fleet.until(lambda: zombies(supervisor) == [], "the writers of bundles are reaped as well")


def zombies(parent: int) -> list[int]:
    """Dead children that nobody has asked after."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] == "Z" and int(fields[1]) == parent:
            found.append(int(path.parent.name))
    return found


def test_one_that_is_stopped_while_it_starts_is_not_waited_for(fleet: ToyFleet) -> None:
    """A long boot is one thing, a process that does not run at all another."""
    fleet.habit("b", "never-ready")
    fleet.spec = replace(fleet.spec, rules=replace(QUICK, stall_s=0.3))
    api.up(fleet.spec, wait=False)
    fleet.until(lambda: len(fleet.diary("b")) == 1, "it starts")
    fleet.habit("b")
    fleet.kill(fleet.engine("b").pid, signal.SIGSTOP)
    fleet.until(lambda: fleet.engine("b").state == "ready", "it was started again")
    assert "stalled while it started" in fleet.engine("b").cause
