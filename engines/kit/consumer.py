"""The consumer loop: one blocking reader a bus, one unit that turns entries into effects."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from engines.wire.bus import Bus, Entry
from engines.wire.errors import BusError, CommitUnknown

log = logging.getLogger(__name__)

READ_COUNT = 128
BLOCK_MS = 200  # also the longest wait for a reader when the engine stops
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


class Consumer:
    """Reads what a unit consumes from both buses and lets it commit, until `stop` is set.

    `Fenced` ends it: a newer incarnation owns the engine's effects.
    """

    def __init__(self, unit: Unit, buses: Mapping[Bus, Sequence[str]], stop: asyncio.Event) -> None:
        self._unit = unit
        self._buses = buses
        self._stop = stop
        self._queue: asyncio.Queue[tuple[int, list[Entry]] | None] = asyncio.Queue(_QUEUE)
        self._generation = 0
        self.connected = False
        self.claimed = asyncio.Event()

    @property
    def lag(self) -> int:
        """Batches that were read and wait."""
        return self._queue.qsize()

    async def run(self) -> None:
        """Consume until stopped; what was read by then is still processed."""
        await self._claim()
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(self._read(bus, topics)) for bus, topics in self._buses.items() if topics]
            group.create_task(self._work())
            await asyncio.wait(readers) if readers else await self._stop.wait()
            await self._queue.put(None)

    async def _claim(self) -> None:
        """Claim until the bus answers; from then on only what this claim reads is processed."""
        while not self._stop.is_set():
            try:
                await self._unit.claim()
            except BusError as error:
                self.connected = False
                log.warning("cannot claim: %s", error)
                await asyncio.sleep(_PAUSE_S)
                continue
            self._generation += 1
            self.connected = True
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
            if entries and generation == self._generation:
                for entry in entries:
                    cursors[entry.topic] = entry.id
                await self._queue.put((generation, entries))

    async def _work(self) -> None:
        while (batch := await self._queue.get()) is not None:
            generation, entries = batch
            if generation != self._generation:
                continue
            try:
                await self._unit.process(entries)
            except (Poisoned, CommitUnknown) as error:
                log.warning("starting again from the last commit: %s", error)
                await self._claim()
            except BusError as error:
                if type(error) is not BusError:
                    raise
                log.warning("cannot commit: %s", error)
                await asyncio.sleep(_PAUSE_S)
                await self._claim()
