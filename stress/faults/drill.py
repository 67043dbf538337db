"""Faults that an engine plays on itself (`engines.kit.drill`): its clock, its disk, its memory, its event loop.

Nothing outside a process can do these to it without harming the host.  Each ends by itself after its time; healing ends
it at once.
"""

import http.client
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from engines.fleet import api, process
from engines.wire import manifest as manifests
from engines.wire.errors import NautilusError, UsageError
from stress.faults.fault import RECORDER, Done, Fault, Undo, Value, identify, identity_of, pid_of
from stress.faults.parameter import Parameter, mistaken, unlike
from stress.faults.undo import UndoJournal

if TYPE_CHECKING:
    from stress.fleet import MissionFleet

GRACE_S = 5.0  # by which a drill outlives its time when nobody heals it
_TIMEOUT_S = 5.0
_SEEN_S = 3.0  # the longest wait until a drill has had an effect


class Door(NamedTuple):
    """Where an engine's drills are asked for."""

    host: str
    port: int
    token: str

    def ask(self, method: str, path: str, body: dict[str, object] | None = None) -> Any:
        """JSON of a reply.

        Raises:
            UsageError: the engine refuses, or takes no drills.
            OSError: it does not answer.
        """
        link = http.client.HTTPConnection(self.host, self.port, timeout=_TIMEOUT_S)
        headers = {"Content-Type": "application/json", "X-Nautilus-Token": self.token}
        try:
            link.request(method, path, None if body is None else msgspec.json.encode(body), headers)
            reply = link.getresponse()
            data = reply.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            link.close()
        if reply.status == http.client.NOT_FOUND:
            raise UsageError("The engine takes no drills.", "Its fleet was not started by a mission.", "")
        if reply.status >= http.client.BAD_REQUEST:
            raise UsageError("The engine refuses a drill.", data.decode("utf-8", "replace")[:300], "")
        return msgspec.json.decode(data)


class Drill(NamedTuple):
    """One kind of drill.  `amount`: its parameter, which the engine gets; `unit` that of what it reports to have seen.

    `targets`: the engines that it can be at; none given: all.
    """

    name: str
    amount: Parameter | None
    unit: str
    targets: tuple[str, ...] = ()
    lasting: bool = True

    def mistakes(self, target: str, parameters: Mapping[str, Value]) -> Iterator[str]:
        """An engine of ours, and an amount within bounds."""
        yield from unlike(target, self.targets or tuple(each.name for each in manifests.discover() if not each.foreign))
        yield from mistaken(parameters, () if self.amount is None else (self.amount,))

    def inject(self, fault: Fault, fleet: "MissionFleet", journal: UndoJournal) -> Done:
        """Ask the engine for it, and look at what it says of it."""
        status = fleet.refresh()
        identity = identify(pid_of(status, fault.target))
        port = next(engine.port for engine in status.wanted if engine.name == fault.target)
        undo = Undo(
            fault=fault.id,
            kind=self.name,
            target=fault.target,
            facts={
                "pid": identity.pid,
                "start": identity.start,
                "host": status.host,
                "port": port,
                "home": str(fleet.home),
                "fleet": fleet.name,
            },
        )
        door = _door(undo)
        amount = 0.0 if self.amount is None else self.amount.of(fault.parameters)
        journal.begin(undo)
        at = time.monotonic_ns()
        try:
            lasts = (fault.for_s or 0.0) + GRACE_S
            door.ask("POST", "/drill", {"kind": self.name, "for_s": lasts, "amount": amount})
        except UsageError:
            journal.done(undo)  # refused: nothing is in force
            raise
        except OSError as error:
            return Done(at, False, f"{fault.target}: {error}", undo)
        seen = self._seen(door)
        return Done(at, seen is not None, self._words(fault.target, seen), undo)

    def heal(self, undo: Undo, journal: UndoJournal) -> Done:
        """End it; a process that is gone took its drill along."""
        at = time.monotonic_ns()
        identity = identity_of(undo)
        if not process.alive(identity):
            journal.done(undo)
            return Done(at, True, f"process {identity.pid} of {undo.target} had ended, and its drill with it")
        try:
            left = _door(undo).ask("POST", "/drill/end", {"kind": self.name})
        except (NautilusError, OSError) as error:
            return Done(at, False, f"{undo.target}: {error}")
        over = all(each["kind"] != self.name for each in left)
        if over:
            journal.done(undo)
        return Done(at, over, f"{undo.target} says that {self.name} is {'over' if over else 'still in force'}")

    def _seen(self, door: Door) -> float | None:
        """What the engine measured of it; None while nothing is in force or nothing came of it."""
        until = time.monotonic() + _SEEN_S
        while time.monotonic() < until:
            own = [each for each in door.ask("GET", "/drill") if each["kind"] == self.name]
            if own and own[0]["seen"]:
                return float(own[0]["seen"])
            time.sleep(0.05)
        return None

    def _words(self, target: str, seen: float | None) -> str:
        return f"{target} has seen nothing of it" if seen is None else f"{target} reports {seen:g} {self.unit}"


def _door(undo: Undo) -> Door:
    facts = undo.facts
    token = api.token(str(facts["fleet"]), home=Path(str(facts["home"])))
    return Door(str(facts["host"]), int(facts["port"]), token)


CLOCK = Drill("clock-step", Parameter("step_s", -86_400, 86_400, -3_600, "s"), "s between its clock and the host's")
DISK = Drill("disk-full", None, "writes refused (ENOSPC)", (RECORDER,))
MEMORY = Drill("memory", Parameter("mb", 1, 65_536, 128, "MB"), "MB held and touched")
BUSY = Drill("busy-loop", Parameter("busy_ms", 1, 95, 60, "ms of each 100 ms"), "ms of its event loop taken")
