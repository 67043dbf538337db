"""The two kinds of supervised processes: an engine and a bus.  Each turns actions into system calls."""

import os
import signal
import time
from collections.abc import Mapping
from typing import Protocol

import msgspec

from engines.fleet import buses, ports, process, resp
from engines.fleet.child import single_threaded
from engines.fleet.facts import Starvation
from engines.fleet.folders import Folders
from engines.fleet.ground import Ground
from engines.fleet.launch import Job, Launcher
from engines.fleet.policy import Record
from engines.fleet.process import Identity
from engines.fleet.spec import FleetSpec
from engines.wire.beat import Beats, Pulse
from engines.wire.leash import GATE
from engines.wire.manifest import Manifest
from engines.wire.settings import Settings
from engines.wire.state import EngineState

SPARE_SLOTS = 256  # heartbeats of engines that `reload` adds
# Fields of a record that its manifest gives.
DECLARED = ("after", "restart", "crash_limit", "window_s", "boot_s", "grace_s")
_SUSPECT_S = 0.3  # from then on a silent engine's waits for a core are measured
BUS_STALL_S = 5.0
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

    def signal(self, number: int, /) -> None:
        """Send SIGTERM, SIGUSR1 or SIGKILL the way that is its own."""

    def say(self, word: bytes, /) -> None:
        """One of the words of `engines.wire.leash`, to those that listen."""

    def pulse(self) -> Pulse | None:
        """What its process last wrote into its heartbeat slot; None for one that has none, or has not yet."""

    def ended(self) -> None:
        """Its process is gone: let go of what belonged to it."""


class Plan:
    """What all engines of a fleet are told."""

    def __init__(self, settings: Settings, folders: Folders, prefix: str, names: tuple[str, ...]) -> None:
        self.settings = settings
        self.folders = folders
        self.prefix = prefix
        self.slots = {name: slot for slot, name in enumerate(names)}
        marks = {process.MEMBER: str(folders.state), process.OWNER: str(os.getpid())}
        self._base = single_threaded({**os.environ, **marks})

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
        self._starved: Starvation | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.manifest.port + self._plan.settings.port_offset

    @property
    def spare(self) -> int:
        """How many engines can still be added to this fleet."""
        return self._beats.slots - len(self._plan.slots)

    def sibling(self, manifest: Manifest, roots: tuple[str, ...]) -> "EngineUnit":
        """A unit for an engine that was declared later; its heartbeat gets the next free slot."""
        self._plan.slots.setdefault(manifest.name, len(self._plan.slots))
        return engine_unit(manifest, roots, self.launcher, self._beats, self._plan)

    def renew(self, manifest: Manifest) -> None:
        """Take over a changed manifest; what needs a restart counts from the next start on."""
        roots = tuple(name for name in self.record.after if name not in self.manifest.after)
        fresh = engine_unit(manifest, roots, self.launcher, self._beats, self._plan).record
        self.manifest = manifest
        self.record = msgspec.structs.replace(self.record, **{name: getattr(fresh, name) for name in DECLARED})

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
                module=self.manifest.package or f"{self._plan.prefix}.{name}",
                env=self._plan.env(name),
                log=self._plan.folders.log(name),
                files=self.manifest.limits.files,
                nice=self.manifest.limits.nice,
                preload=self.manifest.preload,
                control=read,
            )
        )

    def release(self) -> None:
        """One byte on its control pipe."""
        self.say(GATE)

    def say(self, word: bytes) -> None:
        """A word on its control pipe."""
        if self._gate < 0:
            return
        try:
            os.write(self._gate, word)
        except BrokenPipeError:
            return  # it has just ended; its exit is on the way

    def pulse(self) -> Pulse | None:
        """Its slot, if this very process wrote it."""
        pulse = self._beats.read(self._slot)
        return pulse if pulse.pid and pulse.pid == self.record.pid else None

    def observe(self, now: float, since: float) -> tuple[EngineState | None, float]:
        """Its slot.  It counts as ready for the first time when its port answers as well."""
        pulse = self.pulse()
        starting = self.record.state is EngineState.STARTING
        if starting and process.stopped(self.record.pid):
            return None, now - max(pulse.beat_ns / 1e9 if pulse is not None else 0.0, self.started_at, since)
        claims = pulse is not None and pulse.state is not EngineState.STARTING
        if pulse is None or (starting and claims and not ports.answers(self._plan.settings.host, self.port)):
            return None, 0.0
        return pulse.state, 0.0 if starting else self._silence(pulse, now, since)

    def _silence(self, pulse: Pulse, now: float, since: float) -> float:
        """Seconds without a beat, less those in which it had no core to run on: a full host is not its fault."""
        silent = now - max(pulse.beat_ns / 1e9, since) if pulse.beat_ns else 0.0
        if silent < _SUSPECT_S:
            self._starved = None
            return max(0.0, silent)
        if self._starved is None or self._starved.beat_ns != pulse.beat_ns:
            self._starved = Starvation(pulse.pid, pulse.beat_ns)
        return silent - self._starved.seconds()

    def signal(self, number: int) -> None:
        """SIGTERM and SIGUSR1 to the process itself, SIGKILL to its whole group."""
        _signal(self.identity, number)

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
        self._pulse = resp.Pulse(bus.address)

    def launch(self) -> int:
        """Start its server."""
        self._pulse.close()
        self.started_at = time.monotonic()
        return buses.launch(self.bus, buses.find_server(self._env), self._folders)

    def release(self) -> None:
        """A bus has no gate."""

    def observe(self, now: float, since: float) -> tuple[EngineState | None, float]:
        """Ready once an entry made the round trip; its end is seen by its process.

        One that does not answer PING is silent from BUS_STALL_S on: a long pipeline or a slow disk is no stall.
        """
        if self.record.state is EngineState.STARTING:
            return (EngineState.READY, 0.0) if buses.working(self.bus) else (None, 0.0)
        silent = self._pulse.silent_s(now, since)
        return EngineState.READY, silent if silent >= BUS_STALL_S else 0.0

    def signal(self, number: int) -> None:
        """SIGTERM to the server itself, SIGKILL to its whole group; a server writes no dump of its stacks."""
        if number != signal.SIGUSR1:
            _signal(self.identity, number)

    def say(self, _word: bytes) -> None:
        """A bus does not listen."""

    def pulse(self) -> None:
        """A bus has no heartbeat."""

    def ended(self) -> None:
        """Hang up."""
        self._pulse.close()
        self.identity = None


def _signal(identity: Identity | None, number: int) -> None:
    if identity is not None:
        if number == signal.SIGKILL:
            process.send_group(identity, number)
        else:
            process.send(identity, number)


def declare(spec: FleetSpec, ground: Ground, launcher: Launcher) -> dict[str, Unit]:
    """Every unit of a fleet, buses first; engines start after the fleet's own buses and what their manifests say."""
    folders = ground.folders
    beats = Beats(folders.beats, len(ground.manifests) + SPARE_SLOTS, create=True)
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
        drills=spec.drills,
    )
    plan = Plan(settings, folders, spec.prefix, tuple(m.name for m in ground.manifests))
    units: dict[str, Unit] = {}
    for bus in ground.buses:
        if not bus.external:
            units[bus.unit] = BusUnit(bus, Record(name=bus.unit, boot_s=BUS_BOOT_S), folders, os.environ)
    roots = tuple(units)
    for manifest in ground.manifests:
        units[manifest.name] = engine_unit(manifest, roots, launcher, beats, plan)
    return units


def engine_unit(manifest: Manifest, roots: tuple[str, ...], launcher: Launcher, beats: Beats, plan: Plan) -> EngineUnit:
    """The unit of one engine, ours or foreign, that starts after `roots` and what its manifest says."""
    from engines.fleet.foreign_unit import ForeignUnit  # it is an EngineUnit

    record = Record(
        name=manifest.name,
        after=(*roots, *manifest.after),
        restart=manifest.restarting.policy,
        crash_limit=manifest.restarting.crashes,
        window_s=manifest.restarting.window_s,
        boot_s=manifest.boot_s,
        gated=launcher.gated and not manifest.foreign,
        grace_s=manifest.stop.grace_s,
    )
    if not manifest.foreign:
        return EngineUnit(manifest, record, launcher, beats, plan)
    record = msgspec.structs.replace(record, silence="its health path failed")
    return ForeignUnit(manifest, record, launcher, beats, plan)
