"""Injection and healing on real processes, each proven by what the system says afterwards."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engines.wire.errors import UsageError
from stress.faults import heal, processes, store
from stress.faults.fault import Fault, Undo, identify, touched
from stress.faults.undo import UndoJournal


@pytest.fixture
def victim() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing, and a reaper for it."""
    child = subprocess.Popen([sys.executable, "-c", "print(flush=True); import time; time.sleep(60)"], stdout=-1)
    assert child.stdout is not None
    child.stdout.readline()
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


@pytest.mark.parametrize(("kind", "number"), [("kill", signal.SIGKILL), ("term", signal.SIGTERM)])
def test_an_end_is_proven_by_its_absence(
    victim: subprocess.Popen[bytes], tmp_path: Path, kind: str, number: int
) -> None:
    done = processes.inject(Fault("f", kind, "risk"), victim.pid, UndoJournal(tmp_path))
    assert done.proven, done.proof
    assert done.undo is None
    assert victim.wait(5) == -number
    assert f"process {victim.pid} ended" in done.proof
    assert UndoJournal(tmp_path).pending() == ()


def test_a_pause_is_seen_written_down_and_healed(victim: subprocess.Popen[bytes], tmp_path: Path) -> None:
    journal = UndoJournal(tmp_path)
    done = processes.inject(Fault("f", "pause", "risk"), victim.pid, journal)
    assert done.proven and done.undo is not None
    assert psutil.Process(victim.pid).status() == psutil.STATUS_STOPPED
    assert journal.pending() == (done.undo,)
    back = processes.heal(done.undo, journal)
    assert back.proven, back.proof
    assert psutil.Process(victim.pid).status() != psutil.STATUS_STOPPED
    assert journal.pending() == ()
    assert back.at_ns > done.at_ns


def test_the_undo_is_on_disk_before_the_signal(
    victim: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = UndoJournal(tmp_path)
    seen: list[int] = []
    monkeypatch.setattr("engines.fleet.process.send", lambda *_: seen.append(len(journal.pending())) or True)
    monkeypatch.setattr(processes, "_PROOF_S", 0.05)
    done = processes.inject(Fault("f", "pause", "risk"), victim.pid, journal)
    assert seen == [1]
    assert not done.proven and "was not seen stopped" in done.proof


def test_a_term_that_is_ignored_is_not_proven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        monkeypatch.setattr(processes, "_PROOF_S", 0.2)
        done = processes.inject(Fault("f", "term", "risk"), child.pid, UndoJournal(tmp_path))
        child.kill()
    assert not done.proven and "still runs" in done.proof


def test_healing_one_that_ended_meanwhile_is_done(victim: subprocess.Popen[bytes], tmp_path: Path) -> None:
    journal = UndoJournal(tmp_path)
    done = processes.inject(Fault("f", "pause", "risk"), victim.pid, journal)
    victim.kill()
    victim.wait()
    assert done.undo is not None
    back = processes.heal(done.undo, journal)
    assert back.proven and "had ended" in back.proof
    assert journal.pending() == ()


def test_nobody_elses_process_is_ever_signalled(victim: subprocess.Popen[bytes]) -> None:
    own = identify(victim.pid)
    victim.kill()
    victim.wait()
    time.sleep(0.01)
    with pytest.raises(UsageError, match="is gone"):
        identify(own.pid)


def test_a_bus_touches_everyone_and_an_engine_itself() -> None:
    engines = ["risk", "vpin"]
    assert touched("risk", engines) == ["risk"]
    assert touched("bus-main", engines) == touched("supervisor", engines) == engines


def test_a_recorder_that_was_left_stopped_before_its_store_was_damaged_is_ended(
    victim: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    own = identify(victim.pid)
    victim.send_signal(signal.SIGSTOP)
    facts = {"pid": own.pid, "start": own.start}
    undo = Undo(fault="f", kind="corrupt-store", target="backend", facts=facts)
    UndoJournal(tmp_path).begin(undo)
    (healed,) = heal.heal_pending(tmp_path)
    assert healed.proven and "ended" in healed.proof
    assert victim.wait(5) == -signal.SIGKILL
    assert UndoJournal(tmp_path).pending() == ()


def test_the_head_of_a_file_is_changed_byte_for_byte_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "store"
    file.write_bytes(bytes(range(256)))
    store.damage(file, 16)
    found = file.read_bytes()
    assert all(a != b for a, b in zip(found[:16], range(16), strict=True)) and found[16:] == bytes(range(16, 256))
