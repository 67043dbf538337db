"""Publishes each message of a replay exactly once: its id is `<replay>-<batch>`, and the bus refuses an id twice."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from engines.wire.bus import Bus, Output, parse_id
from engines.wire.errors import BusError
from engines.wire.messages import Body, Header, encode_body, encode_header

log = logging.getLogger(__name__)
Sleep = Callable[[float], Awaitable[None]]
TOPICS = ("sessions", "trades", "quotes", "levels", "depths", "busts")


_HALT_POLL_S = 0.02


class Item(NamedTuple):
    """One message before it is stamped."""

    replay: int
    number: int
    trace: str
    ts_event: int
    mono_intended: int
    body: Body

    @property
    def entry_id(self) -> str:
        """Its place in the stream."""
        return f"{self.replay}-{self.number}"


class Publisher:
    """The only writer of the replayed topics.

    `epoch` is the engine's incarnation: when it changes, `seq` begins again at 1, as consumers expect.  While `halted`
    nothing leaves, so that what is out can be drained; the next incarnation goes on from there.
    """

    def __init__(
        self,
        bus: Bus,
        producer: str,
        epoch: Callable[[], int],
        mono_ns: Callable[[], int],
        retry: "Retry",
        halted: Callable[[], bool] = lambda: False,
    ) -> None:
        self._halted = halted
        self._bus = bus
        self._producer = producer
        self._epoch_now = epoch
        self._mono_ns = mono_ns
        self._retry = retry
        self._epoch = 0
        self._sent: dict[str, int] = {}
        self.last: dict[str, str] = {}  # topic -> id of the last entry that this publisher added

    async def positions(self) -> Mapping[str, str]:
        """The last id of every replayed topic."""
        while True:
            try:
                return {topic: (await self._bus.stats(topic)).last for topic in TOPICS}
            except BusError as error:
                await self._retry.wait(error)

    async def publish(self, items: Sequence[Item]) -> None:
        """Append what is not there yet; a bus that fails is tried until it answers."""
        left = list(items)
        while self._halted():
            await self._retry.sleep(_HALT_POLL_S)
        while left:
            outputs = self._stamp(left)
            try:
                fresh = await self._bus.append(outputs)
            except BusError as error:
                await self._retry.wait(error)
                positions = await self.positions()
                there = [item for item in left if parse_id(item.entry_id) <= parse_id(positions[item.body.TOPIC])]
                self._count(there)
                left = [item for item in left if item not in there]
                continue
            if fresh != len(outputs):
                log.error("%d of %d entries of batch %s were there already", fresh, len(outputs), left[0].entry_id)
            self._count(left)
            return

    def _stamp(self, items: Sequence[Item]) -> list[tuple[Output, str]]:
        if self._epoch != self._epoch_now():
            self._epoch = self._epoch_now()
            self._sent = {}
        sent = dict(self._sent)
        stamped = []
        for item in items:
            topic = item.body.TOPIC
            sent[topic] = sent.get(topic, 0) + 1
            header = Header(
                producer=self._producer,
                epoch=self._epoch,
                seq=sent[topic],
                cause="",
                ordinal=item.number,
                trace=item.trace,
                ts_event=item.ts_event,
                mono_intended=item.mono_intended,
                mono_sent=self._mono_ns(),
            )
            stamped.append((Output(topic, encode_header(header), encode_body(item.body)), item.entry_id))
        return stamped

    def _count(self, items: Sequence[Item]) -> None:
        for item in items:
            self._sent[item.body.TOPIC] = self._sent.get(item.body.TOPIC, 0) + 1
            self.last[item.body.TOPIC] = item.entry_id


class Retry(NamedTuple):
    """How a bus that failed is tried again."""

    sleep: Sleep = asyncio.sleep
    pause_s: float = 0.2

    async def wait(self, error: BusError) -> None:
        """Say why, and pause."""
        log.warning("the market bus: %s", error)
        await self.sleep(self.pause_s)
