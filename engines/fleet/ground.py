"""What a supervisor makes sure of before it starts anything: one lock, no leftovers, free ports, known engines."""

import fcntl
import os
from collections.abc import Mapping, Sequence

import msgspec

from engines.fleet import buses, folders, foreign, journal, migrate, ports, process, resp
from engines.fleet.errors import AlreadyRunning
from engines.fleet.folders import Folders
from engines.fleet.journal import Entry, Journal
from engines.fleet.process import Identity
from engines.fleet.spec import FleetSpec
from engines.wire import manifest as manifests
from engines.wire.errors import NautilusError
from engines.wire.manifest import Manifest

LEFTOVER_GRACE_S = 2.0


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a supervisor stands on."""

    folders: Folders
    lock: int  # open file
    claim: int  # open file that keeps the port offset; -1 when none was chosen
    journal: Journal
    keys: buses.Secrets
    buses: tuple[buses.Bus, ...]
    adopted: dict[str, Identity]  # buses of a supervisor that was killed, still working
    manifests: tuple[Manifest, ...]
    wanted: tuple[str, ...]
    offset: int


def prepare(spec: FleetSpec, where: Folders, env: Mapping[str, str]) -> Ground:
    """Take the lock, clear what a killed supervisor left, check engines and ports.

    Raises:
        AlreadyRunning: another supervisor has the lock.
        UsageError: unknown engines, wrong manifests.
        PortInUse: naming who holds the port.
        BusError: an external bus does not work.
    """
    declared = manifests.discover(spec.root) if spec.root is not None else manifests.discover()
    wanted = closure(declared, spec.engines)
    foreign.check(declared, wanted, env)
    lock = take_lock(where)
    folders.make(where)  # again: a supervisor that was just ending may have removed its runtime folder
    migrate.carry_over(where)
    keys = buses.load_secrets(where.secrets)
    pair = buses.declare(where, keys, env)
    for bus in pair:
        if bus.external:
            resp.round_trip(bus.address, 5.0)
    adopted = clear(where, pair)
    numbers = [m.port for m in declared]
    claim, offset = -1, spec.port_offset
    if offset is None:
        offset, claim = ports.choose(spec.host, numbers, folders.runtime_base())
    ports.check(spec.host, {m.name: m.port + offset for m in declared if m.name in wanted})
    return Ground(
        folders=where,
        lock=lock,
        claim=claim,
        journal=Journal(where.journal),
        keys=keys,
        buses=pair,
        adopted=adopted,
        manifests=declared,
        wanted=wanted,
        offset=offset,
    )


def take_lock(where: Folders) -> int:
    """The fleet's lock, held as long as the returned file is open.

    Raises:
        AlreadyRunning: another process has it.
    """
    lock = os.open(where.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise AlreadyRunning(
            f"Fleet {where.state.name!r} is already up.",
            "Another supervisor holds its lock.",
            "See it: nautilus status",
        ) from None
    return lock


def clear(where: Folders, keep: Sequence[buses.Bus] = ()) -> dict[str, Identity]:
    """End what a killed supervisor left behind; the caller holds the lock.

    Returns:
        the buses of `keep` that still work, by unit name: they hold the fleet's streams and are adopted.

    Raises:
        NautilusError: a process cannot be ended.
    """
    left = journal.unended(journal.read(where.journal))
    found = {identity: unit for identity, unit in left.items() if process.alive(identity)}
    for identity in process.members(where.state):
        if identity.pid != os.getpid():
            found.setdefault(identity, "")
    spared = {bus.unit for bus in keep if not bus.external and buses.working(bus)}
    adopted = {unit: identity for identity, unit in found.items() if unit in spared}
    doomed = [identity for identity in found if identity not in adopted.values()]
    doomed = [identity for identity in doomed if not _is_ours(identity)]
    stuck = process.end(doomed, LEFTOVER_GRACE_S)
    if stuck:
        pids = ", ".join(str(identity.pid) for identity in stuck)
        raise NautilusError(f"Processes of a former fleet do not end: {pids}.", "They ignore SIGKILL.", "Reboot.")
    where.control.unlink(missing_ok=True)
    return adopted


def closure(declared: Sequence[Manifest], names: Sequence[str] | None) -> tuple[str, ...]:
    """These engines and all that they start after, in order of port; all of them for None.

    Raises:
        UnknownName: with the nearest known engine.
    """
    if names is None:
        return tuple(m.name for m in declared)
    left = list(names)
    found: set[str] = set()
    while left:
        name = left.pop()
        chosen = manifests.pick(declared, name)
        if name not in found:
            found.add(name)
            left += chosen.after
    return tuple(m.name for m in declared if m.name in found)


def journal_boot(ground: Ground, launch: str) -> None:
    """Say in the journal who supervises now, and which buses it took over."""
    me = process.identify(os.getpid())
    ground.journal.write(Entry(what="boot", boot=process.boot_id(), detail=launch, identity=me))
    for unit, identity in ground.adopted.items():
        ground.journal.write(Entry(what="started", unit=unit, identity=identity, detail="adopted"))


def _is_ours(identity: Identity) -> bool:
    """This supervisor's own new children (its zygote)."""
    return process.parent(identity.pid) == os.getpid()
