"""A mission in a pipeline of its own process group: whoever is told to end, and whoever reads, its run is sealed."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import toykit

from engines.fleet import process
from engines.fleet.process import Identity
from reports.history import read
from reports.verify import verify
from stress import orphans, running
from stress.place import FLEET

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not process.LINUX, reason="processes are recognised by /proc")
MISSION = """
name = "toys"
title = "Toys"
summary = "At rest."
seed = 1
[[phases]]
role = "idle"
seconds = {seconds}
[[criteria]]
id = "engines-alive"
"""


class Pipeline:
    """`nautilus stress run FILE 2>&1 | cat > said`, both in one process group."""

    def __init__(self, tmp: Path, seconds: float) -> None:
        toys = {"feed": {"boot_s": 5.0}, "risk": {"after": ["feed"], "boot_s": 5.0}}
        package = toykit.write_package(tmp / "pkg", toys)
        (tmp / "m.toml").write_text(MISSION.format(seconds=seconds))
        self.runs, self.said = tmp / "runs", tmp / "said"
        path = os.pathsep.join(map(str, (tmp / "pkg", Path(toykit.__file__).parent, ROOT)))
        words = ("stress", "run", str(tmp / "m.toml"), "--no-plots", "--runs", str(self.runs))
        self.cli = subprocess.Popen(
            [sys.executable, str(Path(toykit.__file__).with_name("toymission.py")), str(package), *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=tmp, process_group=0,
            env={**os.environ, "PYTHONPATH": path, "NAUTILUS_HOME": str(tmp / "home")},
        )  # fmt: skip
        assert self.cli.stdout is not None
        with self.cli.stdout, self.said.open("wb") as said:
            self.reader = subprocess.Popen(["cat"], stdin=self.cli.stdout, stdout=said, process_group=self.cli.pid)

    def until(self, holds: Callable[[], object]) -> None:
        """A bound, not a measurement."""
        end = time.monotonic() + 60.0
        while not holds():
            assert time.monotonic() < end and self.cli.poll() is None, self.said.read_text()
            time.sleep(0.02)

    def phase(self) -> str:
        """Where the mission is; empty before it is anywhere."""
        return next((state.phase for _, state in running.find(self.runs)), "")

    @property
    def folder(self) -> Path:
        """The run."""
        (only,) = self.runs.iterdir()
        return only

    def fleet(self) -> list[Identity]:
        """Every process of it."""
        return orphans.left(self.folder / FLEET)

    def unread(self) -> None:
        """Its reader dies."""
        self.reader.kill()
        self.reader.wait()

    def tell(self, number: signal.Signals) -> None:
        """A signal to the whole group, as a terminal sends it."""
        os.killpg(self.cli.pid, number)

    def close(self) -> None:
        """Nothing of a failed test stays."""
        for each in (self.cli, self.reader):
            each.kill()
            each.wait()
        for folder in self.runs.glob("*"):
            for left in orphans.left(folder / FLEET):
                process.send(left, signal.SIGKILL)


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Callable[[float], Pipeline]]:
    with contextlib.ExitStack() as ends:

        def start(seconds: float) -> Pipeline:
            made = Pipeline(tmp_path, seconds)
            ends.callback(made.close)
            return made

        yield start


def sealed(pipe: Pipeline, status: str, everyone: list[Identity]) -> None:
    """Nothing runs, nothing is pending, and the record says how it ended."""
    assert process.wait_gone(everyone, 0.0) == [] == pipe.fleet()
    history = read(pipe.folder)
    assert history.broken is None and history.end is not None and history.end.status == status
    assert verify(pipe.folder).ok and not (pipe.folder / running.STATE).exists()
    assert "Traceback" not in pipe.said.read_text()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=str
)
def test_the_whole_group_is_told_to_end(
    pipeline: Callable[[float], Pipeline], number: signal.Signals, code: int
) -> None:
    """The reader ends of the same signal, so that every later word meets a broken pipe."""
    pipe = pipeline(600.0)
    pipe.until(lambda: pipe.phase() == "idle")
    everyone = pipe.fleet()
    assert len(everyone) == 5
    pipe.tell(number)
    assert pipe.cli.wait(60.0) == code
    sealed(pipe, "interrupted", everyone)
    assert f"({number.name})" in (pipe.folder / "history.jsonl").read_text()


def test_told_again_and_again_without_a_reader(pipeline: Callable[[float], Pipeline]) -> None:
    """Impatience costs the engines their grace, and nothing of the seal."""
    pipe = pipeline(600.0)
    pipe.until(lambda: pipe.phase() == "idle")
    everyone = pipe.fleet()
    pipe.unread()
    end = time.monotonic() + 60.0
    while pipe.cli.poll() is None and time.monotonic() < end:
        for number in (signal.SIGINT, signal.SIGTERM):
            if running.find(pipe.runs):  # sealed: from there on a signal kills, as it should
                pipe.tell(number)
            time.sleep(0.05)
    assert pipe.cli.wait(0.0) == 130
    sealed(pipe, "interrupted", everyone)


def test_told_while_the_fleet_is_being_started(pipeline: Callable[[float], Pipeline]) -> None:
    pipe = pipeline(600.0)
    pipe.until(lambda: running.find(pipe.runs))
    pipe.tell(signal.SIGINT)
    assert pipe.cli.wait(60.0) == 130
    sealed(pipe, "interrupted", [])


def test_nobody_reads_any_more(pipeline: Callable[[float], Pipeline]) -> None:
    """The mission is flown to its end, and its verdict is the exit code (toys do not tell their uptime: INVALID, 6)."""
    pipe = pipeline(1.0)
    pipe.until(lambda: pipe.phase() == "boot")
    pipe.unread()
    pipe.until(lambda: len(pipe.fleet()) == 5)
    everyone = pipe.fleet()
    assert pipe.cli.wait(60.0) == 6
    sealed(pipe, "complete", everyone)
