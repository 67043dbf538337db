"""A fleet of a few real engines, as faults meet it; and an operator who dies in the middle of one."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from engines.fleet import api
from engines.fleet.status import Event, FleetStatus
from engines.wire.bus import Commit, Output
from engines.wire.messages import Header, Signal, encode_body, encode_header
from stress.faults.fault import Fault
from stress.faults.kinds import KINDS
from stress.faults.undo import UndoJournal
from stress.fleet import FLEET, NAME, MissionFleet

ENGINES = ("backend",)
REPOSITORY = Path(__file__).parents[3]


class Partial(MissionFleet):
    """A mission's fleet with `ENGINES` only."""

    def up(self, on_event: Callable[[Event], None]) -> FleetStatus:
        spec = api.FleetSpec(name=NAME, port_offset=None, home=self.home, drills=True, engines=ENGINES)
        self.status = api.up(spec, on_event=on_event)
        return self.status


def until(holds: Callable[[], object], limit_s: float = 20.0) -> None:
    """Wait for it; a bound, not a measurement."""
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def publish(fleet: MissionFleet, first: int, count: int) -> None:
    """Signals numbered from `first`, as an engine would send them."""

    async def send() -> None:
        bus = fleet.bus("main")
        try:
            for number in range(first, first + count):
                body = Signal("source", "AAPL", number, "")
                saved = await bus.claim("source")
                header = Header("source", saved.epoch, 1, "", 1, "r1/window", 10**18 + number, number, number)
                output = Output(body.TOPIC, encode_header(header), encode_body(body))
                await bus.commit(Commit(owner="source", epoch=saved.epoch, cursors={}, outputs=[output]))
        finally:
            await bus.close()

    asyncio.run(send())


def recorded(fleet: MissionFleet) -> int:
    """Signals that the recorder holds."""
    topics = fleet.get("backend", "/topics")
    return int(topics["signals"]["rows"]) if "signals" in topics else 0


def die_in(run: Path, fault: Fault) -> None:
    """Inject a fault from an operator of its own, which is killed with SIGKILL as soon as it is proven."""
    asked = {"id": fault.id, "kind": fault.kind, "target": fault.target, "for_s": fault.for_s, **fault.parameters}
    words = [sys.executable, "-m", "tests.stress.faults.partial", str(run), json.dumps(asked)]
    with subprocess.Popen(words, cwd=REPOSITORY, stderr=subprocess.PIPE) as operator:
        _, said = operator.communicate(timeout=60)
    assert operator.returncode == -signal.SIGKILL, said.decode()


if __name__ == "__main__":
    told = json.loads(sys.argv[2])
    own = Fault(told.pop("id"), told.pop("kind"), told.pop("target"), told.pop("for_s"), told)
    done = KINDS[own.kind].inject(own, Partial(Path(sys.argv[1]) / FLEET), UndoJournal(Path(sys.argv[1])))
    assert done.proven, done.proof
    os.kill(os.getpid(), signal.SIGKILL)
