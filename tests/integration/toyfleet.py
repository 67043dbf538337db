"""A fleet of toys for one test: started, watched, and shown to leave nothing behind."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import toykit

from engines.fleet import api, folders, process
from engines.fleet.process import Identity
from engines.fleet.status import EngineStatus, Event, FleetStatus
from engines.wire.errors import NotRunning

CHAIN: dict[str, dict[str, object]] = {
    "feed": {"boot_s": 5.0},
    "risk": {"after": ["feed"], "boot_s": 5.0},
    "plan": {"after": ["risk"], "boot_s": 5.0},
    "lone": {"boot_s": 5.0},
}


class ToyFleet:
    """`launch` is "zygote" or "spawn"."""

    def __init__(self, tmp: Path, launch: str, engines: dict[str, dict[str, object]] | None = None) -> None:
        self.root = toykit.write_package(tmp / "pkg", engines or CHAIN)
        self.home = tmp / "home"
        self.where = folders.of("toy", self.home)
        self.state = self.where.state
        self.spec = api.FleetSpec(name="toy", home=self.home, prefix="toys", root=self.root, launch=launch)  # type: ignore[arg-type]
        self.events: list[Event] = []
        os.environ["PYTHONPATH"] = os.pathsep.join((str(tmp / "pkg"), str(Path(toykit.__file__).parent)))

    def habit(self, name: str, *habits: str) -> None:
        """What an engine does from its next start on."""
        (self.state / "habits").mkdir(parents=True, exist_ok=True)
        (self.state / "habits" / name).write_text(" ".join(habits))

    def up(self, *engines: str, timeout: float = 30.0) -> FleetStatus:
        """Start, and keep the events."""
        return api.up(self.spec, engines or None, self.events.append, timeout)

    def status(self) -> FleetStatus:
        """Now."""
        return api.status("toy", home=self.home)

    def engine(self, name: str) -> EngineStatus:
        """One engine now."""
        return next(engine for engine in self.status().engines if engine.name == name)

    def until(self, holds: Callable[[], bool], what: str, limit_s: float = 15.0) -> None:
        """Wait for it; a bound, not a measurement."""
        end = time.monotonic() + limit_s
        while not holds():
            assert time.monotonic() < end, f"{what}: {self.status()}\n{self.log('supervisor')}"
            time.sleep(0.01)

    def diary(self, name: str) -> list[str]:
        """What a toy noted."""
        path = self.state / f"diary-{name}"
        return path.read_text().splitlines() if path.exists() else []

    def log(self, name: str) -> str:
        """A whole log."""
        path = self.where.log(name)
        return path.read_text() if path.exists() else ""

    def kill(self, pid: int | None, number: int = signal.SIGKILL) -> None:
        """kill -9 of one process by its pid."""
        assert pid
        os.kill(pid, number)

    def members(self) -> list[Identity]:
        """Every process of this fleet but its supervisor."""
        return process.members(self.state)

    def close(self) -> None:
        """Down, whatever the test left; then nothing may be left."""
        with contextlib.suppress(NotRunning):
            api.down("toy", True, home=self.home)
        left = process.wait_gone(self.members(), 5.0)
        assert left == [], f"orphans: {left}"
        assert not self.where.control.exists()
        for path in self.where.runtime.glob("*"):
            path.unlink()
        with contextlib.suppress(FileNotFoundError):
            self.where.runtime.rmdir()
        sys.modules.pop("toys", None)
