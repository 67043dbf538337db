"""A supervisor of another version: every command says so, and `down` still ends it."""

import json
import shutil
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from engines.fleet import folders
from engines.wire.version import VERSION

Type = Callable[..., Result]


class Supervisor:
    """A fake on the real socket: its status has other fields, its events other kinds, and it stops when asked to."""

    def __init__(self, protocol: int, version: str) -> None:
        where = folders.of("default")
        folders.make(where)
        where.journal.write_text('{"what":"boot"}\n')
        self.process = subprocess.Popen(["sleep", "60"])
        self.asked: list[str] = []
        told = {"pid": self.process.pid, "protocol": protocol, "version": version}
        fake = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                for line in self.rfile:
                    self.wfile.write(json.dumps(fake.answer(json.loads(line)["op"], told)).encode() + b"\n")

        self.runtime = where.runtime
        self._server = socketserver.ThreadingUnixStreamServer(str(where.control), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, op: str, told: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(op)
        if op == "status":
            return {"ok": True, "result": {"supervisor": told, "units": {}}}
        if op == "stop":
            self.process.terminate()
            self.process.wait()
            return {"ok": True, "result": 7}
        if op == "events":
            return {"seq": "eight", "kind": "sunrise"}
        return {"ok": False, "error": {"kind": "NautilusError", "what": "The versions differ."}}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.runtime)


@pytest.fixture
def other(home: Path) -> Iterator[Supervisor]:
    fake = Supervisor(99, "9.9.9")
    yield fake
    fake.close()


@pytest.mark.parametrize(
    "words",
    [
        ("status",), ("status", "--watch"), ("health",), ("health", "risk"), ("up",), ("up", "--no-wait"),
        ("restart", "risk"), ("why", "risk"), ("wait", "--for", "ready"), ("wait", "risk", "--for", "stopped"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_every_command_says_so(nautilus: Type, other: Supervisor, words: tuple[str, ...]) -> None:
    shown = nautilus(*words)
    assert shown.exit_code == 1 and shown.stdout == ""
    assert "This command and the running supervisor are of different versions." in shown.stderr or (
        words[0] == "restart" and "The versions differ." in shown.stderr
    )
    assert other.process.poll() is None


def test_down_ends_it_all_the_same(nautilus: Type, other: Supervisor) -> None:
    shown = nautilus("down")
    assert shown.exit_code == 0 and "is down" in shown.stderr and other.process.poll() is not None
    assert other.asked == ["status", "stop", "events"]


def test_version_names_both_and_ends_1_when_they_do_not_fit(nautilus: Type, other: Supervisor) -> None:
    shown = nautilus("--version")
    pid = other.process.pid
    assert shown.stdout == f"nautilus {VERSION}\nsupervisor 9.9.9, protocol 99, pid {pid}\n" and shown.exit_code == 1
    assert "they do not fit" in shown.stderr and "Next: nautilus down && nautilus up" in shown.stderr


def test_another_version_of_the_same_protocol_fits(nautilus: Type, home: Path) -> None:
    from engines.fleet.control import PROTOCOL

    fake = Supervisor(PROTOCOL, "0.0.1")
    try:
        shown = nautilus("--version")
    finally:
        fake.close()
    assert shown.exit_code == 0 and "another version that still fits" in shown.stderr
