"""The consumer loop: one blocking reader a bus, one unit that turns entries into effects."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from engines.kit.feed import Feed
from engines.kit.origin import Origin
from engines.wire.bus import Bus, Entry
from engines.wire.errors import BusError, CommitUnknown

log = logging.getLogger(__name__)

READ_COUNT = 128
BLOCK_MS = 200
_QUEUE = 4
_PAUSE_S = 0.2


class Poisoned(Exception):
    """A step raised: claim again, and the entry goes to the dead letters."""


class Unit(Protocol):
    """What a consumer drives: a processor, or the backend's recorder."""

    @property
    def positions(self) -> Mapping[str, str]:
        """Where reading goes on, per topic."""

    async def claim(self) -> None:
        """Start an incarnation from the last commit."""

    async def process(self, entries: Sequence[Entry]) -> None:
        """Commit the effects of a batch."""


Hold = Callable[[bool], Awaitable[None]]
Do = Callable[[str, Origin | None], Awaitable[None]]


class Consumer:
    """Reads what a unit consumes from both buses and lets it commit, until `stop` is set.

    `Fenced` ends it: a newer incarnation owns the engine's effects.  `hold`, where an engine sends orders, is what is
    to be done when they are held back (True) and when they may leave again (False); `do`: what at a command, by its
    name and the request that gave it.
    """

    def __init__(
        self,
        unit: Unit,
        buses: Mapping[Bus, Sequence[str]],
        stop: asyncio.Event,
        hold: Hold | None = None,
        stale_s: float = 30.0,
        do: Do | None = None,
    ) -> None:
        self.feed = Feed([topic for topics in buses.values() for topic in topics], stale_s)
        self._unit = unit
        self._buses = buses
        self._stop = stop
        self._queue: asyncio.Queue[tuple[int, list[Entry]] | None] = asyncio.Queue(_QUEUE)
        self._generation = 0
        self._hold = hold
        self._held = False
        self._obeyed = False
        self._settled = asyncio.Event()
        self._do = do
        self._told: list[tuple[str, Origin | None, asyncio.Future[None]]] = []
        self._busy = False
        self._more: set[Bus] = set()  # the last read of these was full: they hold more
        self.cut = False  # from now on nothing is committed
        self.connected = False
        self.refused = ""  # why the bus did not take the last commit; empty once it took one
        self.claimed = asyncio.Event()

    @property
    def lag(self) -> int:
        """Batches that were read and are not committed, and one for each bus that holds more."""
        return self._queue.qsize() + self._busy + len(self._more)

    async def run(self) -> None:
        """Consume until stopped; what was queued by then is still processed."""
        await self._claim()
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(self._read(bus, topics)) for bus, topics in self._buses.items() if topics]
            group.create_task(self._work())
            await self._stop.wait()
            for reader in readers:  # reading changes nothing: what it would have brought is read again
                reader.cancel()
            await self._queue.put(None)

    async def hold(self, held: bool) -> None:
        """Hold orders back before the next batch, or let them leave again; returns when that is committed."""
        self._held = held
        if self._hold is None or self._obeyed == held:
            return
        self._settled.clear()
        if not self._queue.full():  # else a batch is about to wake the worker
            self._queue.put_nowait((-1, []))
        await self._settled.wait()

    async def command(self, name: str, origin: Origin | None = None) -> None:
        """Carry a command out before the next batch; returns when that is committed.  At least once: so it must be one
        that may be carried out again.  `origin`: the request whose command it is.
        """
        if self._do is None:
            return
        done = asyncio.get_running_loop().create_future()
        self._told.append((name, origin, done))
        if not self._queue.full():  # else a batch is about to wake the worker
            self._queue.put_nowait((-1, []))
        await done

    async def _claim(self) -> None:
        """Claim until the bus answers; from then on only what this claim reads is processed."""
        why = ""
        while not self._stop.is_set():
            try:
                await self._unit.claim()
                await self._obey(again=True)
                await self._carry_out()
            except BusError as error:
                self.connected = False
                self.refused = why = str(error)
                log.warning("cannot claim: %s", error)
                await asyncio.sleep(_PAUSE_S)
                continue
            self._generation += 1
            self.connected = True
            if self.refused == why:  # else a commit was refused: what it held is read again and will tell
                self.refused = ""
            self.claimed.set()
            return

    async def _read(self, bus: Bus, topics: Sequence[str]) -> None:
        generation = -1
        cursors: dict[str, str] = {}
        while not self._stop.is_set():
            if generation != self._generation:
                generation = self._generation
                cursors = {topic: self._unit.positions[topic] for topic in topics}
            try:
                entries = await bus.read(cursors, READ_COUNT, BLOCK_MS)
            except BusError as error:
                self.connected = False
                log.warning("cannot read: %s", error)
                await asyncio.sleep(_PAUSE_S)
                continue
            self.connected = True
            (self._more.add if len(entries) >= READ_COUNT else self._more.discard)(bus)
            if entries and generation == self._generation:
                self.feed.saw(entries, time.monotonic_ns())
                for entry in entries:
                    cursors[entry.topic] = entry.id
                await self._queue.put((generation, entries))

    async def _work(self) -> None:
        while (batch := await self._queue.get()) is not None:
            generation, entries = batch
            if self.cut or (generation != self._generation and generation >= 0):
                continue
            self._busy = True
            try:
                await self._obey()
                await self._carry_out()
                if entries:
                    await self._unit.process(entries)
                    self.refused = ""
            except (Poisoned, CommitUnknown) as error:
                log.warning("starting again from the last commit: %s", error)
                await self._claim()
            except BusError as error:
                if type(error) is not BusError:
                    raise
                log.warning("cannot commit: %s", error)
                self.refused = str(error)
                await asyncio.sleep(_PAUSE_S)
                await self._claim()
            finally:
                self._busy = False

    async def _carry_out(self) -> None:
        """The commands that wait; one whose commit fails waits on."""
        while self._told and self._do is not None:
            name, origin, done = self._told[0]
            await self._do(name, origin)
            self._told.pop(0)
            if not done.done():  # who asked may have gone
                done.set_result(None)

    async def _obey(self, *, again: bool = False) -> None:
        """Do what was last asked for; `again`: a claim brought back a state from before."""
        if self._hold is None or (self._obeyed == self._held and not again):
            return
        held = self._held
        await self._hold(held)
        self._obeyed = held
        if held == self._held:
            self._settled.set()
