"""Health over HTTP, against small real servers, good and bad."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import pytest

from engines.fleet.probe import probe
from engines.fleet.status import EngineStatus, summarise
from engines.wire.health import Check, HealthReport

REPORT = HealthReport(
    name="risk", title="Risk", port=1, status="degraded", pid=42, started_at="2026-01-01T00:00:00Z", uptime_s=3.5,
    version="1", features=("VaR",), checks=(Check("bus", "ok"),),
)  # fmt: skip
BODY = msgspec.json.encode(REPORT)


def engine(port: int, name: str = "risk") -> EngineStatus:
    return EngineStatus(
        name=name, title="Risk", state="ready", wanted=True, pid=7, uptime_s=1.0, restarts=2, rss_mb=None,
        cpu_percent=None, port=port, critical=True, boot_s=None, cause="", waits_for=(),
    )  # fmt: skip


@contextmanager
def server(reply: Callable[[socket.socket], None]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            link, _ = listener.accept()
            with link:
                link.recv(4096)
                reply(link)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(5)


def test_a_report_is_read_in_pieces_and_timed() -> None:
    def reply(link: socket.socket) -> None:
        whole = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY
        for at in range(0, len(whole), 40):
            link.sendall(whole[at : at + 40])
            time.sleep(0.002)
        link.recv(1)

    with server(reply) as port:
        (found,) = probe([engine(port)], "127.0.0.1")
    assert (found.status, found.pid, found.restarts, found.features) == ("degraded", 42, 2, ("VaR",))
    assert found.checks == (Check("bus", "ok"),) and found.error == ""
    assert found.response_ms is not None and found.response_ms > 1.0


def test_a_reply_without_length_ends_with_its_connection() -> None:
    with server(lambda link: link.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + BODY)) as port:
        assert probe([engine(port)], "127.0.0.1")[0].status == "degraded"


@pytest.mark.parametrize("said", [b"", b"nonsense", b"HTTP/1.1 500 X\r\nContent-Length: 2\r\n\r\n{}"])
def test_what_is_no_report_is_down(said: bytes) -> None:
    with server(lambda link: link.sendall(said)) as port:
        (found,) = probe([engine(port)], "127.0.0.1")
    assert (found.status, found.response_ms, found.pid) == ("down", None, 7)
    assert "not a health report" in found.error


def test_a_silent_engine_does_not_hold_up_the_others() -> None:
    with (
        server(lambda link: link.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + BODY)) as good,
        socket.create_server(("127.0.0.1", 0)) as mute,
    ):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            gone = closed.getsockname()[1]
        found = probe([engine(mute.getsockname()[1]), engine(gone), engine(good)], "127.0.0.1", timeout_s=0.3)
    assert [each.status for each in found] == ["down", "down", "degraded"]
    assert "no answer within 0.3 s" in found[0].error and "refused" in found[1].error


def test_summary_counts_and_leaves_out_what_was_not_measured() -> None:
    silent = msgspec.structs.replace
    with server(lambda link: link.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + BODY)) as port:
        (one,) = probe([engine(port)], "127.0.0.1")
    healthy = silent(one, status="healthy", response_ms=2.0)
    down = silent(one, status="down", response_ms=None)
    summary = summarise([healthy, down], "now").summary
    assert (summary.total, summary.healthy, summary.availability_percent, summary.average_response_ms) == (
        2,
        1,
        50.0,
        2.0,
    )
    empty = summarise([], "now").summary
    assert empty.availability_percent is None and empty.average_response_ms is None
