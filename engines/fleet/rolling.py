"""Rolling restarts: one engine after the other, and never two of a dependency chain down at the same time.

The plan is a pure function of what the fleet says of itself.  Whoever asked drives it, and it stops where it fails.
"""

import time
from collections.abc import Callable, Sequence

import msgspec

from engines.fleet.errors import TimedOut
from engines.fleet.status import EngineStatus, FleetStatus
from engines.wire.errors import NautilusError, UnknownName

_LOOK_S = 0.1


class Rolled(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.rolling/1` document.  `failed`: the engine at which it stopped, `why`; `left`: not reached."""

    schema: str = "nautilus.rolling/1"
    fleet: str
    planned: tuple[str, ...]
    done: tuple[str, ...] = ()
    failed: str = ""
    why: str = ""

    @property
    def left(self) -> tuple[str, ...]:
        """What was not begun."""
        return tuple(name for name in self.planned if name not in self.done and name != self.failed)


def plan(engines: Sequence[EngineStatus], names: Sequence[str]) -> tuple[str, ...]:
    """These engines, or all that were asked for, each after those that it starts after.

    Raises:
        UnknownName: there is no such engine.
    """
    by_name = {engine.name: engine for engine in engines}
    for name in names:
        if name not in by_name:
            raise UnknownName("engine", name, by_name)
    chosen = set(names) or {engine.name for engine in engines if engine.wanted}
    return tuple(name for name in _order(by_name) if name in chosen)


def chain(engines: Sequence[EngineStatus], name: str) -> frozenset[str]:
    """All that an engine starts after, and all that start after it, near and far, without itself."""
    below = {engine.name: set(engine.after) for engine in engines}
    above = {one: {other for other, needs in below.items() if one in needs} for one in below}
    return frozenset(_reach(below, name) | _reach(above, name)) - {name}


def blocker(engines: Sequence[EngineStatus], name: str) -> str:
    """Why an engine may not be taken down now: another one of its chain is not up.  Empty when it may."""
    linked = chain(engines, name)
    down = [e for e in engines if e.name in linked and e.wanted and e.state != "ready"]
    return "; ".join(
        f"{engine.name} is {engine.state}" + (f": {engine.cause}" if engine.cause else "") for engine in down
    )


def roll(
    names: Sequence[str],
    look: Callable[[], FleetStatus],
    restart: Callable[[str], FleetStatus],
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Rolled:
    """Restart one after the other; each waits until its whole chain is up, at most `timeout` seconds."""
    done: list[str] = []
    now = look()
    for name in names:
        until = clock() + timeout
        while why := blocker(now.engines, name):
            if clock() >= until:
                return Rolled(fleet=now.fleet, planned=tuple(names), done=tuple(done), failed=name, why=why)
            pause(_LOOK_S)
            now = look()
        try:
            now = restart(name)
        except (TimedOut, NautilusError) as error:
            why = str(error)
        else:
            engine = next(each for each in now.engines if each.name == name)
            why = "" if engine.state == "ready" else f"{name} is {engine.state}: {engine.cause}"
        if why:
            return Rolled(fleet=now.fleet, planned=tuple(names), done=tuple(done), failed=name, why=why)
        done.append(name)
    return Rolled(fleet=now.fleet, planned=tuple(names), done=tuple(done))


def _order(engines: dict[str, EngineStatus]) -> list[str]:
    """Dependencies first; equals in the order in which they are given."""
    order: list[str] = []
    left = list(engines)
    while left:
        free = [name for name in left if not set(engines[name].after) & set(left)]
        if not free:
            raise NautilusError(f"Engines wait for each other: {', '.join(left)}.")
        order += free
        left = [name for name in left if name not in free]
    return order


def _reach(steps: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    left = [start]
    while left:
        for name in steps.get(left.pop(), ()):
            if name not in found:
                found.add(name)
                left.append(name)
    return found
