"""Telling others of a run: commands and loopback servers, those that take it and those that do not."""

import json
import shlex
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from reports.errors import ReportError
from reports.notify import notify

DOCUMENT = {"schema": "nautilus.run/1", "verdict": "MISSED"}


class Server(HTTPServer):
    """Answers by path: /ok, /moved, /slow, anything else 500."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.taken: list[tuple[str, str, bytes]] = []
        self.release = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((self.path, self.headers["Content-Type"], body))
        path = self.path.partition("?")[0]
        if path == "/slow":
            self.server.release.wait(10)
        self.send_response({"/ok": 204, "/moved": 302, "/slow": 204}.get(path, 500))
        self.send_header("Location", "/ok")
        self.end_headers()

    do_GET = do_POST  # noqa: N815 - the base class names it

    def log_message(self, *_: object) -> None:  # the test's output stays clean
        return


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever, daemon=True)
        thread.start()
        yield found
        found.release.set()
        found.shutdown()
        thread.join()


def test_a_url_is_sent_the_document(server: Server) -> None:
    notify(server.url("/ok"), DOCUMENT)
    (path, kind, body), *more = server.taken
    assert (path, kind, json.loads(body), more) == ("/ok", "application/json", DOCUMENT, [])


@pytest.mark.parametrize(("path", "why"), [("/no", "500"), ("/moved", "302"), ("/slow", "timed out")])
def test_a_server_that_does_not_take_it_is_told_without_the_urls_secret(server: Server, path: str, why: str) -> None:
    with pytest.raises(ReportError) as raised:
        notify(server.url(path) if path == "/slow" else server.url(path) + "?token=secret", DOCUMENT, timeout_s=0.3)
    assert why in raised.value.why.lower() and "secret" not in str(raised.value) and "127.0.0.1" in raised.value.what
    assert [taken[0].partition("?")[0] for taken in server.taken] in ([path], ["/no"], ["/moved"])


def test_nobody_there() -> None:
    with Server() as gone:
        url = gone.url("/ok")
    with pytest.raises(ReportError) as raised:
        notify(url, DOCUMENT)
    assert "refused" in raised.value.why.lower()


def test_a_command_reads_the_document(tmp_path: Path) -> None:
    target = tmp_path / "got; not a shell.json"
    program = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_bytes(sys.stdin.buffer.read())"
    notify(shlex.join([sys.executable, "-c", program, str(target)]), DOCUMENT)
    assert json.loads(target.read_bytes()) == DOCUMENT


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (shlex.join([sys.executable, "-c", "import sys; sys.exit('no room')"]), "It ended with 1: no room."),
        ("no-such-program --token secret", "No such file or directory."),
        ("an 'unclosed quote", "cannot be read"),
        ("", "empty"),
    ],
)  # fmt: skip
def test_a_command_that_fails_is_told(line: str, why: str) -> None:
    with pytest.raises(ReportError) as raised:
        notify(line, DOCUMENT)
    assert why in raised.value.why and "secret" not in str(raised.value)


def test_a_command_that_hangs_is_stopped(tmp_path: Path) -> None:
    mark = tmp_path / "late"
    program = "import pathlib, sys, time; time.sleep(1.5); pathlib.Path(sys.argv[1]).touch()"
    with pytest.raises(ReportError, match="Could not tell"):
        notify(shlex.join([sys.executable, "-c", program, str(mark)]), DOCUMENT, timeout_s=0.2)
    time.sleep(1.6)
    assert not mark.exists()
