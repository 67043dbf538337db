"""The history with its real writer process: durable on close, told when the writer dies, whole after a kill."""

import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from reports.history import read
from reports.records import HISTORY, End, FleetBoot, Unavailable
from stress.history import History, HistoryError, stamp

PARENT = """
import sys, time
from pathlib import Path
from reports.records import FleetBoot
from stress.history import History, stamp
history = History.open(Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    history.append(FleetBoot(seconds=float(number), engines=number, **stamp()))
print(history.writer_pid, flush=True)
time.sleep(60)
"""
ROOT = Path(__file__).resolve().parents[3]


def wait_for_end(pid: int) -> None:
    """Until the process is gone (a zombie counts as gone), at most ten seconds."""
    for _ in range(1000):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        time.sleep(0.01)
    pytest.fail(f"process {pid} lives on")


def test_what_was_appended_is_read_back_in_order(tmp_path: Path) -> None:
    with History.open(tmp_path / "run") as history:
        for number in range(500):
            history.append(FleetBoot(seconds=0.5, engines=number, **stamp()))
        history.append(End(status="complete", **stamp()))
    found = read(tmp_path / "run")
    assert [record.engines for record in found.of(FleetBoot)] == list(range(500))
    assert found.broken is None
    assert found.end is not None
    history.close()


def test_threads_do_not_tear_each_others_lines(tmp_path: Path) -> None:
    with History.open(tmp_path / "run") as history:
        big = "x" * 300_000  # several fill the pipe, so that a write alone is not atomic

        def work() -> None:
            for _ in range(10):
                history.append(Unavailable(criterion="hardware", why=big, **stamp()))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = read(tmp_path / "run")
    assert (len(found.records), found.broken, found.problems) == (40, None, ())


def test_a_record_that_cannot_be_encoded_leaves_the_history_whole(tmp_path: Path) -> None:
    with History.open(tmp_path / "run") as history:
        with pytest.raises(ValueError, match="finite"):
            history.append(FleetBoot(seconds=math.nan, engines=1, **stamp()))
        history.append(FleetBoot(seconds=1.0, engines=1, **stamp()))
    assert len(read(tmp_path / "run").records) == 1


def test_a_history_is_never_written_over(tmp_path: Path) -> None:
    History.open(tmp_path / "run").close()
    with pytest.raises(HistoryError) as caught:
        History.open(tmp_path / "run")
    assert "new run folder" in caught.value.next_step


def test_an_append_after_the_end_is_refused(tmp_path: Path) -> None:
    history = History.open(tmp_path / "run")
    history.close()
    with pytest.raises(HistoryError, match="closed"):
        history.append(End(status="complete", **stamp()))


def test_a_dead_writer_is_learnt_on_the_next_append_and_on_close(tmp_path: Path) -> None:
    history = History.open(tmp_path / "run")
    history.append(FleetBoot(seconds=1.0, engines=1, **stamp()))
    os.kill(history.writer_pid, signal.SIGKILL)
    os.waitid(os.P_PID, history.writer_pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(HistoryError, match="cut short"):
        history.append(FleetBoot(seconds=1.0, engines=1, **stamp()))
    with pytest.raises(HistoryError):
        history.close()


def test_a_writer_that_cannot_write_is_told_in_its_own_words(tmp_path: Path) -> None:
    """A dangling link is in the place of the file, so that creating it anew fails."""
    (tmp_path / HISTORY).symlink_to(tmp_path / "nowhere")
    with pytest.raises(HistoryError, match="FileExistsError"):
        History.open(tmp_path).close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_to_the_whole_group_do_not_stop_the_writer(tmp_path: Path, number: signal.Signals) -> None:
    history = History.open(tmp_path / "run")
    history.append(FleetBoot(seconds=1.0, engines=1, **stamp()))
    while not (tmp_path / "run" / HISTORY).exists():
        time.sleep(0.01)
    os.kill(history.writer_pid, number)
    history.append(FleetBoot(seconds=2.0, engines=1, **stamp()))
    history.close()
    assert len(read(tmp_path / "run").records) == 2


def test_kill_9_of_the_parent_loses_nothing_that_was_appended(tmp_path: Path) -> None:
    """The parent dies with lines still in the pipe: the writer drains it, syncs and ends by itself."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "run"), "3000"], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert parent.stdout is not None
    with parent.stdout:
        writer = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    wait_for_end(writer)
    found = read(tmp_path / "run")
    assert (len(found.records), found.broken) == (3000, None)
    assert found.gap is not None
