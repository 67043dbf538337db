"""Publishers and subscribers as child processes: start them, give them the word, take their counts."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

import stress
from stress.busbench.errors import BenchError
from stress.busbench.plan import Plan, Publish, Published, Seen, Subscribe

START_S = 30.0
DRAIN_S = 60.0
T = TypeVar("T")


def measure(publishers: Sequence[Publish], subscribers: Sequence[Subscribe]) -> tuple[list[Published], list[Seen]]:
    """Run them all; the subscribers end when all is published and read.  Raises BenchError."""
    with contextlib.ExitStack() as running:
        readers = [running.enter_context(_worker(plan)) for plan in subscribers]
        writers = [running.enter_context(_worker(plan)) for plan in publishers]
        for each in (*readers, *writers):
            _line(each, START_S, str)
        for each in writers:
            _tell(each)
        seconds = max(plan.seconds for plan in publishers)
        published = [_line(each, seconds + DRAIN_S, Published) for each in writers]
        for each in readers:
            _tell(each)
        return published, [_line(each, DRAIN_S, Seen) for each in readers]


@contextlib.contextmanager
def _worker(plan: Plan) -> "Iterator[subprocess.Popen[bytes]]":
    root = str(Path(stress.__file__).parents[1])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "stress.busbench"]
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, env={**os.environ, "PYTHONPATH": path}
    ) as worker:
        assert worker.stdin is not None  # noqa: S101 - asked for as a pipe
        worker.stdin.write(msgspec.json.encode(plan) + b"\n")
        worker.stdin.flush()
        try:
            yield worker
        finally:
            worker.kill()  # it has told its count, or nobody will ask for it


def _tell(worker: "subprocess.Popen[bytes]") -> None:
    assert worker.stdin is not None  # noqa: S101 - asked for as a pipe
    with contextlib.suppress(BrokenPipeError):  # it is gone, which its missing count will tell
        worker.stdin.write(b"\n")
        worker.stdin.flush()


def _line(worker: "subprocess.Popen[bytes]", limit_s: float, kind: type[T]) -> T:
    """Its next line.  Raises BenchError when there is none in time."""
    assert worker.stdout is not None and worker.stderr is not None  # noqa: S101 - asked for as pipes
    alarm = threading.Timer(limit_s, worker.kill)
    alarm.start()
    try:
        line = worker.stdout.readline()
    finally:
        alarm.cancel()
    if not line:
        said = worker.stderr.read().decode("utf-8", "replace").strip()
        raise BenchError("A process of the bus benchmark ended without its count.", said[-500:])
    return msgspec.json.decode(line, type=kind)
