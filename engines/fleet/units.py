"""The two kinds of supervised processes: an engine and a bus.  Each turns actions into system calls."""

import os
import signal
import time
from collections.abc import Mapping
from typing import Protocol

from engines.fleet import buses, ports, process
from engines.fleet.child import single_threaded
from engines.fleet.folders import Folders
from engines.fleet.ground import Ground
from engines.fleet.launch import Job, Launcher
from engines.fleet.policy import Record
from engines.fleet.process import Identity
from engines.fleet.spec import FleetSpec
from engines.fleet.zygote import GATE
from engines.wire.beat import Beats
from engines.wire.manifest import Manifest
from engines.wire.settings import Settings
from engines.wire.state import EngineState

BUS_BOOT_S = 60.0  # an append-only file of gigabytes takes its time


class Unit(Protocol):
    """A supervised process, as the supervisor's loop drives it."""

    record: Record
    identity: Identity | None
    started_at: float  # CLOCK_MONOTONIC of the last launch

    def launch(self) -> int:
        """Start it; its pid, or 0 when the launcher says later."""

    def release(self) -> None:
        """Open its gate."""

    def observe(self, now: float, since: float, /) -> tuple[EngineState | None, float]:
        """Its reported state, and seconds of silence counted from `since` at the earliest."""

    def ended(self) -> None:
        """Its process is gone: let go of what belonged to it."""


class Plan:
    """What all engines of a fleet are told."""

    def __init__(self, settings: Settings, folders: Folders, prefix: str, names: tuple[str, ...]) -> None:
        self.settings = settings
        self.folders = folders
        self.prefix = prefix
        self.slots = {name: slot for slot, name in enumerate(names)}
        self._base = single_threaded({**os.environ, process.MEMBER: str(folders.state)})

    def env(self, name: str) -> dict[str, str]:
        """The complete environment of one engine; its control descriptor is the launcher's to add."""
        told = self.settings.to_env()
        return {**self._base, **told, "NAUTILUS_BEAT_SLOT": str(self.slots[name])}


class EngineUnit:
    """One engine: a control pipe, a heartbeat slot, a port."""

    def __init__(self, manifest: Manifest, record: Record, launcher: Launcher, beats: Beats, plan: Plan) -> None:
        self.manifest = manifest
        self.record = record
        self.launcher = launcher
        self.identity: Identity | None = None
        self.started_at = 0.0
        self._beats = beats
        self._plan = plan
        self._slot = plan.slots[manifest.name]
        self._gate = -1

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.manifest.port + self._plan.settings.port_offset

    def launch(self) -> int:
        """Fork or spawn it."""
        self.ended()
        self._beats.clear(self._slot)
        read, self._gate = os.pipe()
        self.started_at = time.monotonic()
        name = self.manifest.name
        return self.launcher.launch(
            Job(
                engine=name,
                module=f"{self._plan.prefix}.{name}",
                env=self._plan.env(name),
                log=self._plan.folders.log(name),
                files=self.manifest.limits.files,
                preload=self.manifest.preload,
                control=read,
            )
        )

    def release(self) -> None:
        """One byte on its control pipe."""
        try:
            os.write(self._gate, GATE)
        except BrokenPipeError:
            return  # it has just ended; its exit is on the way

    def observe(self, now: float, since: float) -> tuple[EngineState | None, float]:
        """Its slot.  It counts as ready for the first time when its port answers as well."""
        pulse = self._beats.read(self._slot)
        if pulse.pid != self.record.pid or not pulse.pid:
            return None, 0.0
        starting = self.record.state is EngineState.STARTING
        if (
            starting
            and pulse.state is not EngineState.STARTING
            and not ports.answers(self._plan.settings.host, self.port)
        ):
            return None, 0.0
        return pulse.state, max(0.0, now - max(pulse.beat_ns / 1e9, since)) if pulse.beat_ns else 0.0

    def ended(self) -> None:
        """Close its control pipe."""
        if self._gate >= 0:
            os.close(self._gate)
            self._gate = -1
        self.identity = None


class BusUnit:
    """One embedded bus server."""

    def __init__(self, bus: buses.Bus, record: Record, folders: Folders, env: Mapping[str, str]) -> None:
        self.bus = bus
        self.record = record
        self.identity: Identity | None = None
        self.started_at = 0.0
        self._folders = folders
        self._env = env

    def launch(self) -> int:
        """Start its server."""
        self.started_at = time.monotonic()
        return buses.launch(self.bus, buses.find_server(self._env), self._folders)

    def release(self) -> None:
        """A bus has no gate."""

    def observe(self, _now: float, _since: float) -> tuple[EngineState | None, float]:
        """Ready once an entry made the round trip; its end is seen by its process."""
        if self.record.state is EngineState.STARTING and not buses.working(self.bus):
            return None, 0.0
        return EngineState.READY, 0.0

    def ended(self) -> None:
        """Nothing is held."""
        self.identity = None


def signal_unit(unit: Unit, number: int) -> None:
    """SIGTERM and SIGUSR1 to the process itself, SIGKILL to its whole group."""
    if unit.identity is not None:
        if number == signal.SIGKILL:
            process.send_group(unit.identity, number)
        else:
            process.send(unit.identity, number)


def declare(spec: FleetSpec, ground: Ground, launcher: Launcher) -> dict[str, Unit]:
    """Every unit of a fleet, buses first; engines start after the fleet's own buses and what their manifests say."""
    folders = ground.folders
    beats = Beats(folders.beats, len(ground.manifests), create=True)
    urls = {bus.name: bus.url for bus in ground.buses}
    settings = Settings(
        fleet=spec.name,
        state=folders.state,
        host=spec.host,
        port_offset=ground.offset,
        bus_main_url=urls["main"],
        bus_market_url=urls["market"],
        token=ground.keys.token,
        beat_file=folders.beats,
        supervisor_pid=os.getpid(),
    )
    plan = Plan(settings, folders, spec.prefix, tuple(m.name for m in ground.manifests))
    units: dict[str, Unit] = {}
    for bus in ground.buses:
        if not bus.external:
            units[bus.unit] = BusUnit(bus, Record(name=bus.unit, boot_s=BUS_BOOT_S), folders, os.environ)
    roots = tuple(units)
    for manifest in ground.manifests:
        record = Record(
            name=manifest.name,
            after=(*roots, *manifest.after),
            restart=manifest.restart,
            boot_s=manifest.boot_s,
            gated=launcher.gated,
        )
        units[manifest.name] = EngineUnit(manifest, record, launcher, beats, plan)
    return units
