"""A subscriber: what the product's consumers do (read, decode, check the numbers, commit the cursor), and nothing else.

A message counts as processed when the commit that moves the cursor past it has been answered.
"""

import asyncio
import time
from array import array
from collections.abc import Callable

import msgspec
import numpy as np

from engines.wire.bus import START, Bus, Commit, Entry, Ledger
from engines.wire.errors import MessageError
from engines.wire.messages import KEPT, Envelope, Header, Trades, decode
from engines.wire.ticks import TRADE
from stress.busbench import bodies
from stress.busbench.plan import WARM_UP, Seen, Subscribe
from stress.busbench.sequences import Sequence
from stress.load import fold

READ_COUNT = 128  # the engines' own
BLOCK_MS = 200
_TRIM_S = 1.0
MonoNs = Callable[[], int]


class Subscriber:
    """One subscriber's numbers.  `bus` is read, `main` takes the commits; both may be the same."""

    def __init__(self, plan: Subscribe, bus: Bus, main: Bus, mono_ns: MonoNs = time.monotonic_ns) -> None:
        self._plan = plan
        self._bus = bus
        self._main = main
        self._mono_ns = mono_ns
        self._epoch = 0
        self._numbers = {topic: Sequence() for topic in plan.topics}
        self._ticks = Sequence()
        self._undecodable = 0
        self._changed = 0
        self._sent, self._intended = array("q"), array("q")
        self._last_ns = 0

    async def run(self, done: asyncio.Event) -> Seen:
        """Consume until `done` is set and a read finds nothing more.  Raises BusError."""
        self._epoch = (await self._main.claim(self._plan.owner)).epoch
        cursors = dict.fromkeys(self._plan.topics, START)
        cpu, trimmed = time.process_time(), time.monotonic()
        while True:
            final = done.is_set()  # before the read: what was published until then is in it or in a later one
            entries = await self._bus.read(cursors, READ_COUNT, BLOCK_MS)
            if entries:
                await self._take(entries, cursors)
            elif final:
                break
            if time.monotonic() - trimmed > _TRIM_S:
                trimmed = time.monotonic()
                for topic in cursors.keys() - KEPT:
                    await self._bus.trim(topic, cursors[topic])
        return Seen(
            numbers=self._numbers,
            ticks=self._ticks,
            undecodable=self._undecodable,
            changed=self._changed,
            last_ns=self._last_ns,
            sent_hdr=_histogram(self._sent),
            intended_hdr=_histogram(self._intended),
            cpu_s=time.process_time() - cpu,
        )

    async def _take(self, entries: list[Entry], cursors: dict[str, str]) -> None:
        """Process a batch as an engine does; the stamps are taken after its commit."""
        headers: list[Header] = []
        for entry in entries:
            cursors[entry.topic] = entry.id
            try:
                message = decode(*entry)
            except MessageError:
                self._undecodable += 1
                continue
            headers.append(message.header)
            self._count(message)
        book = msgspec.msgpack.encode(Ledger(seen={topic: each.top for topic, each in self._numbers.items()}))
        await self._main.commit(Commit(owner=self._plan.owner, epoch=self._epoch, cursors=cursors, ledger=book))
        now = self._last_ns = self._mono_ns()
        measured = [header for header in headers if header.trace != WARM_UP]
        self._sent.extend([now - header.mono_sent for header in measured])
        self._intended.extend([now - header.mono_intended for header in measured])

    def _count(self, message: Envelope) -> None:
        body = message.body
        self._numbers[message.topic].see(message.header.seq)
        if self._plan.work == "channels":
            self._changed += body != bodies.sample(type(body))
        elif self._plan.work == "ticks" and isinstance(body, Trades):
            self._ticks.see_all(np.frombuffer(body.rows, TRADE)["size"])


def _histogram(took_ns: "array[int]") -> str:
    histogram = fold.empty_histogram()
    if took_ns:
        fold.record(histogram, np.frombuffer(took_ns, np.int64) // 1000)
    encoded: bytes = histogram.encode()
    return encoded.decode()
