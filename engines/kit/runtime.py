"""What an engine's handlers and sources may reach of the process they run in."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from engines.kit.drill import Drills
from engines.kit.wallclock import WallClock
from engines.wire.bus import Bus
from engines.wire.manifest import Manifest
from engines.wire.settings import Settings

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)
T = TypeVar("T")


class Holder(Protocol[S_co]):
    """Whoever owns the live state."""

    @property
    def state(self) -> S_co:
        """The state after the last step."""

    @property
    def epoch(self) -> int:
        """The incarnation."""


@dataclass
class Runtime(Generic[S]):
    """One engine's process, as its own code sees it."""

    manifest: Manifest
    settings: Settings
    main: Bus
    market: Bus
    holder: Holder[S]
    workers: Executor
    stop: asyncio.Event
    halted: asyncio.Event
    mono_ns: Callable[[], int] = time.monotonic_ns
    started_ns: int = field(default_factory=time.monotonic_ns)
    command: Callable[[str], Awaitable[None]] | None = None  # one of the engine's `commands`, as the request that is
    # being answered gave it; returns once committed
    wall: WallClock = field(default_factory=WallClock)  # what wall times are taken from
    drills: Drills | None = None  # of a fleet that was started for them

    @property
    def state(self) -> S:
        """The live state; read it, never change it."""
        return self.holder.state

    async def compute(self, function: Callable[[], T]) -> T:
        """Run `function` on the bounded workers: for handlers that need more than 5 ms of CPU."""
        return await asyncio.get_running_loop().run_in_executor(self.workers, function)
