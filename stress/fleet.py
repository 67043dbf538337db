"""The disposable fleet of a mission: its own state, streams, store and ports."""

import http.client
import itertools
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from engines.fleet import api, buses, folders
from engines.fleet.probe import probe
from engines.fleet.status import EngineHealth, Event, FleetStatus
from engines.wire.errors import NautilusError, NotRunning
from engines.wire.redis_bus import RedisBus
from stress.load.ids import HEADER
from stress.place import FLEET, NAME

__all__ = ["FLEET", "NAME", "NICE", "EngineRefused", "MissionFleet"]
NICE = 10  # below the load generator, which must be on time on the same cores; engines compete among themselves
_TIMEOUT_S = 10.0
_LONGEST = 48  # of an id's 64 characters, those of the run


class EngineRefused(NautilusError):
    """An engine answered a request of the harness with an error."""


class MissionFleet:
    """One mission's fleet under `folder`.  Its ports are the first free block.

    `run_id` begins the ids of the harness's own requests; a process that names no run has an own one.
    """

    attached = False  # it was there before the mission, and stays

    def __init__(self, folder: Path, name: str = NAME) -> None:
        self.home = folder
        self.name = name
        self.status: FleetStatus | None = None
        self.run_id = f"{name}-{os.getpid()}"
        self._operations = itertools.count(1)

    def operation(self) -> str:
        """A new id for a request that changes something: `<run>-op-<n>`."""
        return f"{self.run_id[:_LONGEST]}-op-{next(self._operations)}"

    def up(self, on_event: Callable[[Event], None]) -> FleetStatus:
        """Start everything and wait until it is ready or given up."""
        spec = api.FleetSpec(name=self.name, port_offset=None, home=self.home, nice=NICE, drills=True)
        self.status = api.up(spec, on_event=on_event)
        return self.status

    def down(self, *, now: bool = False) -> None:
        """Stop everything; nothing runs afterwards."""
        try:
            api.down(self.name, now, home=self.home)
        except NotRunning:
            return  # it never came up, or is gone already

    def refresh(self) -> FleetStatus:
        """The supervisor's view now."""
        self.status = api.status(self.name, home=self.home)
        return self.status

    def known(self) -> FleetStatus:
        """The supervisor's view when it was last asked."""
        return self.status if self.status is not None else self.refresh()

    def health(self, timeout_s: float = 2.0) -> list[EngineHealth]:
        """Every engine's own report."""
        known = self.known()
        return probe(known.wanted, known.host, timeout_s)

    def pids(self) -> Mapping[str, int]:
        """Every process of the fleet, by name."""
        known = self.known()
        found = {engine.name: engine.pid for engine in known.wanted if engine.pid is not None}
        found |= {f"bus-{bus.name}": bus.pid for bus in known.buses if bus.pid is not None}
        return found | {"supervisor": known.supervisor.pid}

    def events(self) -> Iterator[Event]:
        """The supervisor's events from its first on, until it ends.  Raises NotRunning."""
        return api.events(self.name, home=self.home)

    def announce(self, engine: str, reason: str) -> None:
        """The next end of an engine is on purpose."""
        api.announce(self.name, engine, reason=reason, home=self.home)

    def bus(self, name: str) -> RedisBus:
        """A connection of our own to a bus."""
        where = folders.of(self.name, self.home)
        declared = buses.declare(where, buses.load_secrets(where.secrets), os.environ)
        return RedisBus(next(bus.url for bus in declared if bus.name == name))

    def get(self, engine: str, path: str) -> Any:
        """JSON of a GET.  Raises EngineRefused."""
        return self._request(engine, "GET", path, None)

    def post(self, engine: str, path: str, body: dict[str, object], request: str = "") -> Any:
        """JSON of a POST with the fleet's token; `request` is an id that `operation` gave.  Raises EngineRefused."""
        return self._request(engine, "POST", path, body, request)

    def exchange(
        self,
        engine: str,
        method: str,
        path: str,
        body: dict[str, object] | None,
        timeout_s: float = _TIMEOUT_S,
        request: str = "",
    ) -> tuple[int, bytes]:
        """Status and body of a request; with the fleet's token and an id unless it is a GET.

        Raises:
            EngineRefused: no answer.
        """
        known = self.known()
        port = next(item.port for item in known.engines if item.name == engine)
        headers = {"Content-Type": "application/json"}
        if method != "GET":
            headers["X-Nautilus-Token"] = api.token(self.name, home=self.home)
            headers[HEADER] = request or self.operation()
        link = http.client.HTTPConnection(known.host, port, timeout=timeout_s)
        try:
            link.request(method, path, None if body is None else msgspec.json.encode(body), headers)
            reply = link.getresponse()
            return reply.status, reply.read()
        except (OSError, http.client.HTTPException) as error:
            raise EngineRefused(f"{engine} does not answer {path}.", str(error), f"Read {self.home}.") from error
        finally:
            link.close()

    def _request(self, engine: str, method: str, path: str, body: dict[str, object] | None, request: str = "") -> Any:
        status, data = self.exchange(engine, method, path, body, request=request)
        if status >= http.client.BAD_REQUEST:
            raise EngineRefused(f"{engine} refuses {path}.", data.decode("utf-8", "replace")[:500])
        return msgspec.json.decode(data)

    def keep_logs(self, target: Path) -> None:
        """Move the fleet's logs and journal beside the records, and remove the rest of its state."""
        where = folders.of(self.name, self.home)
        if where.logs.is_dir():
            shutil.copytree(where.logs, target, dirs_exist_ok=True)
        if where.journal.is_file():
            target.mkdir(exist_ok=True)
            shutil.copy2(where.journal, target / where.journal.name)
        shutil.rmtree(self.home, ignore_errors=True)
