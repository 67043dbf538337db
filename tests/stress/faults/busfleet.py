"""A fleet without engines for the tests of bus faults: real buses in a folder of their own, and clients of them.

Run as a program it is an operator that injects one fault, says what it saw, and waits to be killed.
"""

import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from engines.fleet import buses, folders, process
from stress.faults.fault import Done, Fault, Undo
from stress.faults.undo import UndoJournal

FLEET = "faults"
CLIENT = """
import sys, time
from engines.fleet import child, resp
child.set_name(sys.argv[2])
where = resp.parse(sys.argv[1])
count = 0
while True:
    try:
        with resp.Connection(where, 1.0) as link:
            while True:
                link.ask("PING")
                count += 1
                open(sys.argv[3], "w").write(str(count))
                time.sleep(0.01)
    except Exception:
        time.sleep(0.02)
"""


class BusFleet:
    """What the kinds need of a mission's fleet.  `engines`: (name, pid, port)."""

    def __init__(self, home: Path, engines: tuple[tuple[str, int, int], ...] = ()) -> None:
        self.home, self.name = home, FLEET
        self.engines = engines
        self.where = folders.of(FLEET, home)
        self._servers: dict[str, int] = {}

    def up(self, *names: str) -> "BusFleet":
        """Start these buses."""
        folders.make(self.where)
        for bus in buses.declare(self.where, buses.load_secrets(self.where.secrets), {}):
            if bus.name in names:
                self.launch(bus)
        return self

    def launch(self, bus: buses.Bus) -> int:
        """Start a bus, or another one in its place, as the supervisor does."""
        self._servers[bus.name] = buses.launch(bus, buses.find_server(os.environ), self.where)
        until(lambda: buses.working(bus), f"{bus.unit} does not work")
        return self._servers[bus.name]

    def url_of(self, name: str) -> buses.Bus:
        """A bus, with its password."""
        known = buses.declare(self.where, buses.load_secrets(self.where.secrets), {})
        return next(bus for bus in known if bus.name == name)

    def kill(self, name: str) -> None:
        """kill -9 of a bus."""
        pid = self._servers.pop(name)
        os.kill(pid, 9)
        os.waitpid(pid, 0)

    def down(self) -> None:
        """End all of it."""
        for name in list(self._servers):
            self.kill(name)
        for path in self.where.runtime.glob("*"):
            path.unlink()
        self.where.runtime.rmdir()

    def pids(self) -> dict[str, int]:
        found = {name: pid for name, pid, _ in self.engines} | {f"bus-{k}": pid for k, pid in self._servers.items()}
        return {**found, "supervisor": os.getppid()}

    def refresh(self) -> SimpleNamespace:
        engines = [SimpleNamespace(name=n, pid=pid, port=port, state="ready") for n, pid, port in self.engines]
        listed = [SimpleNamespace(name=name, pid=pid) for name, pid in self._servers.items()]
        own = SimpleNamespace(pid=os.getppid())
        return SimpleNamespace(wanted=engines, engines=engines, buses=listed, supervisor=own, host="127.0.0.1")

    known = refresh


class Client:
    """A process that PINGs a bus all the time, under an engine's name."""

    def __init__(self, url: str, name: str, notes: Path) -> None:
        self._notes = notes / f"{name}.count"
        self.process = subprocess.Popen([sys.executable, "-c", CLIENT, url, name, str(self._notes)])
        until(lambda: self.count() > 0, f"client {name} was never answered")

    def count(self) -> int:
        """Its answered PINGs."""
        text = self._notes.read_text() if self._notes.exists() else ""
        return int(text or 0)

    def answered(self, for_s: float = 5.0) -> bool:
        """Whether it is answered from now on."""
        before, end = self.count(), time.monotonic() + for_s
        while time.monotonic() < end:
            if self.count() > before + 2:  # one may have been under way, and a file is empty while it is written
                return True
            time.sleep(0.01)
        return False

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def until(holds, what: str, limit_s: float = 10.0) -> None:  # type: ignore[no-untyped-def]
    """Wait for it; a bound, not a measurement."""
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def inject_and_die(kind: str, fault: Fault, fleet: BusFleet) -> Undo:
    """Inject from another process and kill -9 it; what a fresh one finds to undo.  `kind`: module:attribute."""
    facts = {"kind": kind, "home": str(fleet.home), "engines": fleet.engines, "fault": [fault.id, fault.kind,
             fault.target, fault.parameters], "servers": fleet._servers}  # fmt: skip
    operator = subprocess.Popen([sys.executable, __file__, json.dumps(facts)], stdout=subprocess.PIPE)
    assert operator.stdout is not None
    said = operator.stdout.readline()
    operator.kill()
    operator.wait()
    operator.stdout.close()
    assert said.startswith(b"True"), said
    (undo,) = UndoJournal(fleet.home).pending()
    return undo


def kind_of(where: str):  # type: ignore[no-untyped-def]
    module, _, attribute = where.partition(":")
    return getattr(importlib.import_module(module), attribute)


def gone(undo: Undo, pid: str = "pid", start: str = "start") -> bool:
    """Whether the process of an undo has ended."""
    return not process.alive(process.Identity(int(undo.facts[pid]), int(undo.facts[start])))


def _operate() -> None:
    facts = json.loads(sys.argv[1])
    fleet = BusFleet(Path(facts["home"]), tuple(tuple(engine) for engine in facts["engines"]))
    fleet._servers = facts["servers"]
    name, kind, target, parameters = facts["fault"]
    fault = Fault(name, kind, target, None, parameters)
    done: Done = kind_of(facts["kind"]).inject(fault, fleet, UndoJournal(fleet.home))
    sys.stdout.write(f"{done.proven} {done.proof}\n")
    sys.stdout.flush()
    time.sleep(60)


if __name__ == "__main__":
    _operate()
