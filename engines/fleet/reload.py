"""`reload` in the supervisor: how it takes over what manifests and `nautilus.toml` say now.

Adding, removing and what can change under a running engine happen at once.  An engine that must be restarted for its
change keeps its old manifest until it is asked for by name: the client does that one by one, in rolling order.
"""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from engines.fleet import foreign, policy, ports
from engines.fleet.changes import Diff, diff
from engines.fleet.config import load
from engines.fleet.ground import closure
from engines.fleet.units import EngineUnit
from engines.wire import manifest as manifests
from engines.wire.errors import NautilusError, UnknownName
from engines.wire.manifest import Manifest

if TYPE_CHECKING:
    from engines.fleet.control import Request
    from engines.fleet.supervisor import Supervisor


# ---------------------------------------------------------------------------------------------- in the supervisor
def answer(supervisor: "Supervisor", request: "Request", seen: int) -> Diff:
    """Without engines: take over what needs no restart (or with `dry` nothing); else restart these with what is new.

    Returns:
        the difference before it was taken over, and `seen`, the last event before.

    Raises:
        ManifestErrors, ConfigErrors: with every mistake; nothing is changed then.
        UnknownName: an engine that is not there any more.
        PortInUse: an added or moved engine cannot listen.
    """
    spec, ground = supervisor.spec, supervisor.ground
    new = manifests.discover(spec.root) if spec.root is not None else manifests.discover()
    config = load()
    said = {
        name: value for name in spec.rules.__struct_fields__ if (value := config.given(f"rules.{name}")) is not None
    }
    rules = msgspec.structs.replace(spec.rules, **said)
    found = diff(ground.manifests, new, (spec.rules, rules))
    running = tuple(name for name in found.restarts if _engines(supervisor)[name].record.wanted)
    found = msgspec.structs.replace(found, restarts=running, seen=seen)
    if request.dry:
        return found
    by_name = {m.name: m for m in new}
    _check(supervisor, found, by_name, request.engines)
    for name in request.engines:
        unit = _engines(supervisor)[name]
        unit.renew(by_name[name])
        _know(supervisor, [by_name[name]])
        supervisor.restart(name)
    if not request.engines:
        supervisor.spec = msgspec.structs.replace(spec, rules=rules)
        wanted = spec.engines if spec.engines is None else config.get("fleet.engines") or spec.engines
        _take_over(supervisor, found, by_name, closure(new, wanted))
    return found


def bury(supervisor: "Supervisor") -> None:
    """Forget the units of engines that were removed and have ended."""
    known = {m.name for m in supervisor.ground.manifests}
    for name, unit in _engines(supervisor).items():
        if name not in known and unit.record.over:
            del supervisor.units[name]
            _relate(supervisor)


def _check(supervisor: "Supervisor", found: Diff, by_name: Mapping[str, Manifest], asked: Sequence[str]) -> None:
    """Everything that could fail, before anything is changed."""
    units = _engines(supervisor)
    for name in asked:
        if name not in by_name:
            raise UnknownName("engine", name, by_name)
        if by_name[name].foreign != units[name].manifest.foreign:
            raise NautilusError(
                f"{name} cannot become an engine of the other kind.", "", "nautilus down, then nautilus up"
            )
    names = asked or found.added
    foreign.check([by_name[name] for name in names], names, os.environ)
    moved = [n for n in names if n in found.added or any(c.field == "port" for c in found.changed.get(n, ()))]
    ports.check(supervisor.spec.host, {n: by_name[n].port + supervisor.ground.offset for n in moved})
    leaving = [name for name in found.added if name in units]
    if leaving and not asked:
        raise NautilusError(f"{leaving[0]} is still being stopped.", "It was removed a moment ago.", "Try again.")
    if not asked and found.added and len(found.added) > next(iter(units.values())).spare:
        raise NautilusError(
            "So many engines cannot be added to a running fleet.", "", "nautilus down, then nautilus up"
        )


def _take_over(supervisor: "Supervisor", found: Diff, by_name: Mapping[str, Manifest], wanted: Sequence[str]) -> None:
    units = _engines(supervisor)
    for name in found.removed:
        units[name].record = policy.stop(units[name].record)
    for name in found.changed:
        if name not in found.restarts:
            units[name].renew(by_name[name])
    roots = tuple(name for name in supervisor.units if name not in units)
    example = next(iter(units.values()))
    for name in found.added:
        unit = example.sibling(by_name[name], roots)
        unit.record = policy.start(unit.record) if name in wanted else unit.record
        supervisor.units[name] = unit
    _know(supervisor, [by_name[name] for name in (*found.changed, *found.added) if name not in found.restarts])
    kept = tuple(m for m in supervisor.ground.manifests if m.name not in found.removed)
    supervisor.ground = msgspec.structs.replace(supervisor.ground, manifests=kept)
    _relate(supervisor)


def _know(supervisor: "Supervisor", fresh: Sequence[Manifest]) -> None:
    """These manifests are in force from now on, in place of former ones of their names."""
    names = {m.name for m in fresh}
    old = [m for m in supervisor.ground.manifests if m.name not in names]
    every = tuple(sorted((*old, *fresh), key=lambda m: m.port))
    supervisor.ground = msgspec.structs.replace(supervisor.ground, manifests=every)
    _relate(supervisor)


def _relate(supervisor: "Supervisor") -> None:
    units = supervisor.units
    supervisor.dependents = {n: [m for m, unit in units.items() if n in unit.record.after] for n in units}


def _engines(supervisor: "Supervisor") -> dict[str, EngineUnit]:
    return {name: unit for name, unit in supervisor.units.items() if isinstance(unit, EngineUnit)}
