"""Identity, signals and ends, on real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.fleet import process
from engines.fleet.process import Exit, Identity

SLEEP = [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)",
]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    yield from _process(SLEEP)


@pytest.fixture
def deaf() -> Iterator[subprocess.Popen[bytes]]:
    yield from _process(DEAF)


def _process(argv: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child
        child.kill()


def test_identity_of_this_process() -> None:
    me = process.identify(os.getpid())
    assert me is not None and process.alive(me)
    assert process.parent(os.getpid()) == os.getppid()


def test_another_start_time_is_another_process(sleeper: subprocess.Popen[bytes]) -> None:
    other = Identity(sleeper.pid, 1)
    assert not process.alive(other)
    assert not process.send(other, signal.SIGKILL)
    assert not process.send_group(other, signal.SIGKILL)
    assert sleeper.poll() is None


def test_a_zombie_is_not_alive(sleeper: subprocess.Popen[bytes]) -> None:
    identity = process.identify(sleeper.pid)
    assert identity is not None
    assert process.send(identity, signal.SIGKILL)
    assert process.wait_gone([identity], 5.0) == []
    assert not process.send(identity, signal.SIGKILL)
    assert process.identify(sleeper.pid) is None, "it was not reaped yet"


def test_end_escalates_to_kill(deaf: subprocess.Popen[bytes], sleeper: subprocess.Popen[bytes]) -> None:
    identities = [process.identify(child.pid) for child in (deaf, sleeper)]
    assert process.end([identity for identity in identities if identity], 0.2) == []
    assert (deaf.wait(5), sleeper.wait(5)) == (-signal.SIGKILL, -signal.SIGTERM)


def test_usage_is_measured() -> None:
    before = process.usage(os.getpid())
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    after = process.usage(os.getpid())
    assert before and after and after.cpu_s >= before.cpu_s + 0.03 and after.rss > 5_000_000
    assert process.usage(2**22 - 1) is None


def test_reap_tells_ends_and_kills_what_is_left_in_the_group(tmp_path: Path) -> None:
    """In a process of its own: `reap` takes every child of its caller."""
    script = f"""
import os, signal, subprocess, sys, time
from engines.fleet import process
leader = os.fork()
if leader == 0:
    os.setsid()
    left = os.fork()
    if left == 0:
        time.sleep(60); os._exit(0)
    open({str(tmp_path / "left")!r}, "w").write(str(left))
    os._exit(3)
ended = {{}}
for _ in range(500):
    ended.update(process.reap())
    if leader in ended: break
    time.sleep(0.01)
print(ended[leader].code)
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=True)
    assert said.stdout.strip() == "3"
    left = int((tmp_path / "left").read_text())
    until = time.monotonic() + 5
    while process.identify(left) is not None and time.monotonic() < until:
        time.sleep(0.01)
    assert process.identify(left) is None


def test_members_are_found_by_their_first_environment(tmp_path: Path) -> None:
    env = {**os.environ, process.MEMBER: str(tmp_path)}
    with subprocess.Popen(SLEEP, stdout=subprocess.PIPE, env=env) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert [identity.pid for identity in process.members(tmp_path)] == [child.pid]
        assert process.members(tmp_path / "other") == []
        child.kill()


@pytest.mark.parametrize(
    ("how", "text"),
    [(Exit(3), "exit code 3"), (Exit(None, 9), "killed by SIGKILL"), (Exit(None), "ended unobserved")],
)
def test_cause_in_words(how: Exit, text: str) -> None:
    assert how.text == text
