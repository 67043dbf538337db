"""Streams whose readers go away, of processes of their own."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nautilus_cli.console import Console
from nautilus_cli.streams import Drain, Unread

ROOT = Path(__file__).resolve().parents[2]
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}


@contextlib.contextmanager
def unread() -> Iterator[int]:
    """A pipe that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    try:
        yield write
    finally:
        os.close(write)


def nautilus(*words: str, stdout: int, stderr: int = subprocess.PIPE) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "nautilus_cli", *words]
    return subprocess.run(command, stdout=stdout, stderr=stderr, env=ENV, text=True, timeout=60, check=False)


def test_a_drain_writes_all_and_then_drops_all(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with path.open("wb") as file:
        assert Drain(file.fileno()).write(b"x" * 3_000_000) == 3_000_000
    assert path.stat().st_size == 3_000_000
    with unread() as pipe:
        drain = Drain(pipe)
        assert (drain.write(b"one"), drain.write(b"two")) == (3, 3)
        assert isinstance(drain.lost, BrokenPipeError)


@pytest.mark.parametrize("flag", [(), ("--json",)])
def test_data_without_a_reader_end_the_command_as_any_filter(flag: tuple[str, ...]) -> None:
    with unread() as pipe:
        ended = nautilus("config", "show", *flag, stdout=pipe)
    assert ended.returncode == 141 and ended.stderr == ""


def test_words_without_a_reader_are_dropped() -> None:
    with unread() as pipe:
        ended = nautilus("config", "show", stdout=subprocess.PIPE, stderr=pipe)
    assert ended.returncode == 0 and "home" in ended.stdout
    with unread() as pipe:
        assert nautilus("confg", stdout=pipe, stderr=pipe).returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux")
def test_a_full_disk_is_said() -> None:
    with Path("/dev/full").open("wb") as full:
        ended = nautilus("config", "show", stdout=full.fileno())
    assert ended.returncode == 1 and "Standard output cannot be written." in ended.stderr
    assert "No space left" in ended.stderr and "Traceback" not in ended.stderr


def test_a_failure_is_said_to_whoever_still_listens() -> None:
    with unread() as pipe:
        ended = nautilus("status", "--fleet", "nobody", "--json", stdout=pipe)
    assert ended.returncode == 3 and ended.stderr.startswith("Error: ") and "Traceback" not in ended.stderr


def test_a_closed_stream_is_no_trouble() -> None:
    command = f"{sys.executable} -m nautilus_cli config show >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], env=ENV, timeout=60, check=False).returncode == 0


def test_any_other_stream_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Console().show("data")
    assert capsys.readouterr().out == "data\n"
    assert Unread(OSError(28, "No space left on device")).closed is False
