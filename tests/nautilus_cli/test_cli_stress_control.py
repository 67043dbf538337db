"""`nautilus stress status`, `stop`, `heal`, `--attach` and `--notify`: missions are processes, or faked runs."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from engines.fleet import process
from engines.fleet.process import Identity
from nautilus_cli.mission_run import without_targets
from reports import verify
from stress import control, running
from stress.faults.fault import Undo
from stress.faults.heal import Healed
from stress.faults.undo import UndoJournal
from stress.running import STATE, Running

Type = Callable[..., Result]
FLYING = """
import pathlib, signal, sys
state = pathlib.Path(sys.argv[1])
def stop(*_):
    state.unlink()
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
print("up", flush=True)
signal.pause()
"""


def state(root: Path, name: str, who: Identity, begun: str = "2026-01-01T00:00:00+00:00") -> Path:
    """A run folder with the state of a mission of that process."""
    folder = root / name
    folder.mkdir(parents=True)
    running.write(
        folder / STATE,
        Running(
            run_id=name, mission="health", title="Health", process=who, writer=None, boot=process.boot_id(),
            begun=begun, phase="idle", elapsed_s=7.0, planned_s=31.0, home=str(folder / "fleet"), fleet="mission",
            attached=False,
        ),
    )  # fmt: skip
    return folder


def ended() -> Identity:
    """A process that has just ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = process.identify(child.pid)
        child.communicate(b"\n")
    assert found is not None
    return found


@pytest.fixture
def flying(tmp_path: Path) -> Iterator[Path]:
    """The folder of a mission that runs, and ends when it is asked to."""
    folder = tmp_path / "runs" / "r1"
    child = subprocess.Popen([sys.executable, "-c", FLYING, str(folder / STATE)], stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline() == b"up\n"
    found = process.identify(child.pid)
    assert found is not None
    state(tmp_path / "runs", "r1", found)
    yield folder
    child.kill()
    child.wait()
    child.stdout.close()


def test_status_of_a_running_mission(nautilus: Type, flying: Path) -> None:
    shown = nautilus("stress", "status", "--runs", str(flying.parent))
    assert shown.exit_code == 0 and all(word in shown.stdout for word in ("r1", "health", "running", "idle", "UNKNOWN"))
    document = json.loads(nautilus("stress", "status", "--runs", str(flying.parent), "--json").stdout)
    (mission,) = document["missions"]
    assert document["schema"] == "nautilus.stress-status/1"
    assert (mission["state"], mission["elapsed_s"], mission["planned_s"]) == ("running", 7.0, 31.0)
    assert mission["verdict"] == "UNKNOWN" and mission["next"] == f"nautilus stress stop {flying}"


def test_status_without_any(nautilus: Type, tmp_path: Path) -> None:
    shown = nautilus("stress", "status", "--runs", str(tmp_path / "runs"))
    assert shown.exit_code == 3 and shown.stdout == "" and "nautilus stress list" in shown.stderr


def test_a_mission_whose_process_is_gone_is_cut_short(nautilus: Type, tmp_path: Path) -> None:
    folder = state(tmp_path, "r2", ended())
    UndoJournal(folder).begin(Undo(fault="001", kind="pause", target="risk", facts={"pid": 1, "start": 1}))
    shown = nautilus("stress", "status", "--runs", str(tmp_path))
    assert shown.exit_code == 3 and "INTERRUPTED" in shown.stdout
    assert "pause risk" in shown.stderr and f"nautilus stress heal {folder}" in shown.stderr


def test_stop_asks_waits_and_names_the_report(nautilus: Type, flying: Path) -> None:
    shown = nautilus("stress", "stop", "--runs", str(flying.parent))
    assert shown.exit_code == 0 and str(flying / "REPORT.md") in shown.stdout
    assert running.read(flying) is None
    assert nautilus("stress", "stop", "--runs", str(flying.parent)).exit_code == 3


def test_stop_is_bounded(nautilus: Type, tmp_path: Path) -> None:
    text = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE) as deaf:
        assert deaf.stdout is not None and deaf.stdout.readline() == b"up\n"
        found = process.identify(deaf.pid)
        assert found is not None
        state(tmp_path, "r3", found)
        shown = nautilus("stress", "stop", "r3", "--runs", str(tmp_path), "--timeout", "0.2")
        deaf.send_signal(signal.SIGKILL)
    assert shown.exit_code == 124 and "did not end within 0.2 s" in shown.stderr


def test_stop_buries_a_dead_mission(nautilus: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = state(tmp_path, "r4", ended())
    buried: list[Path] = []

    def bury(which: Path, _state: Running) -> verify.Verification:
        buried.append(which)
        return verify.Verification(True, "ok", 0, (), "unsigned")

    monkeypatch.setattr(control, "bury", bury)
    assert nautilus("stress", "stop", str(folder)).exit_code == 0 and buried == [folder]


def test_stop_asks_which_of_several_and_prefers_what_runs(nautilus: Type, flying: Path) -> None:
    state(flying.parent, "dead", ended())
    assert nautilus("stress", "stop", "--runs", str(flying.parent)).exit_code == 0  # the one that runs
    state(flying.parent, "dead2", ended())
    shown = nautilus("stress", "stop", "--runs", str(flying.parent))
    assert shown.exit_code == 2 and "dead2" in shown.stderr
    assert nautilus("stress", "stop", "nowhere", "--runs", str(flying.parent)).exit_code == 2


@pytest.mark.parametrize(("proven", "code"), [(True, 0), (False, 1)])
def test_heal_prints_each_with_its_proof(
    nautilus: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proven: bool, code: int
) -> None:
    from stress.faults import heal as healing

    folder = state(tmp_path, "r5", ended())
    UndoJournal(folder).begin(Undo(fault="001", kind="pause", target="risk"))
    asked: list[Path] = []

    def heal_pending(which: Path) -> tuple[Healed, ...]:
        asked.append(which)
        return (Healed("001", "pause", "risk", proven, "process 7 runs"),)

    monkeypatch.setattr(healing, "heal_pending", heal_pending)
    shown = nautilus("stress", "heal", "--runs", str(tmp_path))
    assert shown.exit_code == code and asked == [folder] and "process 7 runs" in shown.stdout
    document = json.loads(nautilus("stress", "heal", "r5", "--runs", str(tmp_path), "--json").stdout)
    assert document["healed"][0]["proven"] is proven and document["healed"][0]["run"] == "r5"


def test_heal_with_nothing_to_do_and_of_a_running_mission(nautilus: Type, flying: Path) -> None:
    UndoJournal(flying).begin(Undo(fault="001", kind="pause", target="risk"))
    shown = nautilus("stress", "heal", "--runs", str(flying.parent))
    assert shown.exit_code == 0 and "No fault is left" in shown.stderr  # a living mission takes its own back
    assert nautilus("stress", "heal", "r1", "--runs", str(flying.parent)).exit_code == 2
    assert nautilus("stress", "heal", "nowhere", "--runs", str(flying.parent)).exit_code == 2


def test_attach_without_a_fleet(nautilus: Type, tmp_path: Path) -> None:
    shown = nautilus("stress", "health", "--attach", "--runs", str(tmp_path / "runs"))
    assert shown.exit_code == 3 and "nautilus up" in shown.stderr
    assert list((tmp_path / "runs").iterdir()) == []  # not even an empty run


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (["n", "--notify", "https://h/secret", "-q"], ("n", "--notify", "...", "-q")),
        (["n", "--notify=https://h/secret"], ("n", "--notify=...")),
        (["n", "-q"], ("n", "-q")),
    ],
)
def test_a_record_keeps_no_target(typed: list[str], kept: tuple[str, ...]) -> None:
    assert without_targets(typed) == kept


@pytest.mark.skipif(not process.LINUX, reason="whether a process is stopped is seen in /proc")
def test_heal_lets_a_process_go_on_that_a_dead_mission_had_stopped(nautilus: Type, tmp_path: Path) -> None:
    folder = state(tmp_path, "r6", ended())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as victim:
        who = process.identify(victim.pid)
        assert who is not None
        UndoJournal(folder).begin(
            Undo(fault="001", kind="pause", target="risk", facts={"pid": who.pid, "start": who.start})
        )
        victim.send_signal(signal.SIGSTOP)
        while not process.stopped(victim.pid):
            time.sleep(0.01)
        shown = nautilus("stress", "heal", "--runs", str(tmp_path))
        assert shown.exit_code == 0 and "pause" in shown.stdout and not process.stopped(victim.pid)
        assert UndoJournal(folder).pending() == ()
        assert "No fault is left" in nautilus("stress", "heal", "--runs", str(tmp_path)).stderr
        victim.communicate(b"\n")
