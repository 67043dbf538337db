"""Drills: faults that an engine of a mission's fleet plays on itself, since nothing outside its process could.

They exist only where the fleet was started for them (`FleetSpec.drills`); anywhere else the routes are not there.  Each
ends by itself after its time, whether or not whoever asked for it is still alive.
"""

import asyncio
import errno
import mmap
import os
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler

from engines.kit.wallclock import WallClock
from engines.wire.errors import UsageError

DrillKind = Literal["clock-step", "disk-full", "memory", "busy-loop"]
PERIOD_S = 0.1  # of a busy loop
MOST_CPU_MS = 95.0
MOST_CLOCK_S = 86_400.0
_MB = 1 << 20
_SHARE = 0.9  # of the engine's memory limit, which a drill does not exceed


class DrillRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`amount`: seconds that the clock is stepped by, MB that are held, ms of each 100 ms that the loop is busy."""

    kind: DrillKind
    for_s: Annotated[float, msgspec.Meta(gt=0, le=3_600)]
    amount: float = 0.0


class DrillEnd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which drill is to end now."""

    kind: DrillKind


class DrillState(msgspec.Struct, frozen=True):
    """A drill in force.  `seen`: what it did so far, measured: seconds of the clock's offset, writes refused, MB held,
    ms of the loop's time.
    """

    kind: DrillKind
    amount: float
    left_s: float
    seen: float


class _Force:
    def __init__(self, request: DrillRequest) -> None:
        self.request = request
        self.until = time.monotonic() + request.for_s
        self.seen = 0.0
        self.held: mmap.mmap | None = None  # a mapping of its own: closing it gives the pages back for certain
        self.ending: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None] | None = None


def resident() -> int:
    """Bytes of memory that this process has."""
    import psutil  # here: no engine but one that drills needs it

    return int(psutil.Process().memory_info().rss)


class Drills:
    """What is in force in this process.

    `limit_mb`: the engine's memory limit; `wall`: its wall clock; `rss`: bytes it has now.
    """

    def __init__(self, limit_mb: int, wall: WallClock, rss: Callable[[], int] = resident) -> None:
        self._limit = limit_mb * _MB
        self._wall = wall
        self._rss = rss
        self._force: dict[DrillKind, _Force] = {}

    def write(self) -> None:
        """Called before the store writes.

        Raises:
            OSError: ENOSPC, while the disk is said to be full.
        """
        force = self._live("disk-full")
        if force is not None:
            force.seen += 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def start(self, request: DrillRequest) -> DrillState:
        """Begin a drill; it ends by itself.

        Raises:
            UsageError: it is in force already, or asks for too much.
        """
        if self._live(request.kind) is not None:
            raise UsageError(f"A drill of {request.kind} is in force.", "One of a kind at a time.", "POST /drill/end")
        force = _Force(request)
        self._check(request)
        if request.kind == "memory":
            force.held = mmap.mmap(-1, round(request.amount) * _MB)
            force.held[:: mmap.PAGESIZE] = b"\1" * -(-len(force.held) // mmap.PAGESIZE)
        elif request.kind == "clock-step":
            self._wall.step(request.amount)
        elif request.kind == "busy-loop":
            force.task = asyncio.get_running_loop().create_task(_stall(force))
        self._force[request.kind] = force
        force.ending = asyncio.get_running_loop().call_later(request.for_s, self.end, request.kind)
        return self._state(force)

    def end(self, kind: DrillKind) -> None:
        """End a drill now; nothing happens when it is over."""
        force = self._force.pop(kind, None)
        if force is None:
            return
        if force.ending is not None:
            force.ending.cancel()
        if force.task is not None:
            force.task.cancel()
        if kind == "clock-step":
            self._wall.step(0)
        if force.held is not None:
            force.held.close()

    def in_force(self) -> list[DrillState]:
        """All that are in force now."""
        return [self._state(force) for force in self._force.values() if force.until > time.monotonic()]

    def _live(self, kind: DrillKind) -> _Force | None:
        force = self._force.get(kind)
        return force if force is not None and force.until > time.monotonic() else None

    def _check(self, request: DrillRequest) -> None:
        amount = request.amount
        if request.kind == "clock-step" and not 0 < abs(amount) <= MOST_CLOCK_S:
            raise UsageError(f"A clock is not stepped by {amount:g} s.", f"At most by {MOST_CLOCK_S:g} s, and by some.")
        if request.kind == "busy-loop" and not 0 < amount <= MOST_CPU_MS:
            raise UsageError(f"A loop is not busy for {amount:g} ms of 100.", f"At most for {MOST_CPU_MS:g}.")
        left = self._limit * _SHARE - self._rss()
        if request.kind == "memory" and not 1 <= amount <= left / _MB:
            raise UsageError(
                f"{amount:g} MB cannot be held.", f"{max(0.0, left) / _MB:.0f} MB are left below 90 % of its limit."
            )

    def _state(self, force: _Force) -> DrillState:
        request = force.request
        seen = force.seen
        if request.kind == "clock-step":
            seen = round((self._wall.ns() - time.time_ns()) / 1e9, 3)
        elif request.kind == "memory":
            seen = len(force.held) / _MB if force.held is not None else 0.0
        return DrillState(request.kind, request.amount, max(0.0, force.until - time.monotonic()), seen)


async def _stall(force: _Force) -> None:
    """Keep the loop busy for a part of each period."""
    share = force.request.amount / 1e3
    while time.monotonic() < force.until:
        began = time.monotonic()
        while time.monotonic() - began < share:
            pass
        force.seen += (time.monotonic() - began) * 1e3
        await asyncio.sleep(PERIOD_S - share)


def routes(drills: Drills) -> Sequence[HTTPRouteHandler]:
    """Where drills are asked for."""

    @get("/drill", sync_to_thread=False, summary="Drills in force")
    def in_force() -> list[DrillState]:
        return drills.in_force()

    @post("/drill", status_code=200, sync_to_thread=False, summary="Begin a drill, which ends by itself")
    def start(data: DrillRequest) -> DrillState:
        return drills.start(data)

    @post("/drill/end", status_code=200, sync_to_thread=False, summary="End a drill now")
    def end(data: DrillEnd) -> list[DrillState]:
        drills.end(data.kind)
        return drills.in_force()

    return [in_force, start, end]
