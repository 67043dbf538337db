"""A stranger that listens on an engine's port and says that all is well is not taken for the engine."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from engines.fleet.probe import probe
from engines.fleet.status import EngineStatus
from engines.wire.health import HealthReport
from reports import records, runs, verify
from reports.criteria import Verdict
from tests.reports.conftest import PIDS, PORTS, build, finish

STRANGER = 4711


@pytest.fixture
def port() -> Iterator[int]:
    """Of one that answers a single question as a healthy risk engine would, in its own process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.getsockname()[1]
        body = msgspec.json.encode(
            HealthReport(
                name="risk", title="Risk", port=number, status="healthy", pid=STRANGER, uptime_s=9.5, version="1",
                started_at="2026-03-04T10:00:00Z",
            )
        )  # fmt: skip

        def serve() -> None:
            link, _ = listener.accept()
            with link:
                link.recv(4096)
                link.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)

        thread = threading.Thread(target=serve)
        thread.start()
        yield number
        thread.join(5)


def test_a_stranger_at_an_engines_port_costs_the_run_that_engine(port: int, tmp_path: Path) -> None:
    engine = EngineStatus(
        name="risk", title="Risk", state="ready", wanted=True, pid=PIDS["risk"], uptime_s=9.5, restarts=0, rss_mb=None,
        cpu_percent=None, port=port, critical=True, boot_s=None, cause="", waits_for=(),
    )  # fmt: skip
    (found,) = probe([engine], "127.0.0.1")
    assert found.status == "healthy", "it is believed at its word so far"
    assert (found.pid, found.error) == (STRANGER, "")

    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        return [
            msgspec.structs.replace(line, pid=found.pid, status=found.status, port=PORTS["risk"])
            if isinstance(line, records.Health) and (line.engine, line.phase) == ("risk", "recovery")
            else line
            for line in lines
        ]

    folder = finish(build(tmp_path / "20260304_100000_flash-crash", edit))
    (alive,) = (item for item in runs.load(folder).criteria if item.id == "engines-alive")
    assert (alive.verdict, alive.measured) == (Verdict.MISSED, len(PIDS) - 1)
    assert verify.verify(folder).ok, "the second path says the same"
