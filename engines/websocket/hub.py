"""The hub: every message to every client that wants it, without ever waiting for one.

Each client has a queue of its own.  When a slow client's queue is full its oldest message is dropped and counted, and
the client is told how many it missed; nobody else notices.
"""

import asyncio
from collections import deque
from collections.abc import Callable

import msgspec

from engines.websocket.config import Config
from engines.websocket.frames import Dropped, frame, notice
from engines.wire.bus import START, parse_id
from engines.wire.messages import Envelope


class ClientInfo(msgspec.Struct, frozen=True):
    """One client as people see it; `age_s` since it came, `waiting` messages in its queue."""

    number: int
    topics: tuple[str, ...]
    sent: int
    dropped: int
    waiting: int
    age_s: float


class Client:
    """One client's subscription and queue."""

    def __init__(self, number: int, topics: frozenset[str], queue: int, now_ns: int) -> None:
        self.number = number
        self.topics = topics
        self.sent = 0
        self.dropped = 0
        self.since_ns = now_ns
        self.waiting: deque[bytes] = deque()
        self._most = queue
        self._missed = 0
        self._ready = asyncio.Event()

    def offer(self, data: bytes) -> None:
        """Queue a frame; the oldest one gives way when the queue is full."""
        if len(self.waiting) >= self._most:
            self.waiting.popleft()
            self.dropped += 1
            self._missed += 1
        self.waiting.append(data)
        self._ready.set()

    async def next(self) -> bytes:
        """The next frame; a notice comes before the first one after a gap."""
        while not self.waiting:
            self._ready.clear()
            await self._ready.wait()
        if self._missed:
            missed, self._missed = self._missed, 0
            return notice(Dropped(missed))
        self.sent += 1
        return self.waiting.popleft()

    def info(self, now_ns: int) -> ClientInfo:
        """What people see of it."""
        age = round((now_ns - self.since_ns) / 1e9, 3)
        return ClientInfo(self.number, tuple(sorted(self.topics)), self.sent, self.dropped, len(self.waiting), age)


class Rates:
    """Messages per second and topic, of the last `seconds` whole seconds, by the caller's clock."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._slots: deque[tuple[int, dict[str, int]]] = deque()

    def count(self, topic: str, second: int) -> None:
        """One message in `second`; seconds never go back."""
        if not self._slots or self._slots[-1][0] != second:
            self._slots.append((second, {}))
            while self._slots[0][0] < second - self._seconds:
                self._slots.popleft()
        slot = self._slots[-1][1]
        slot[topic] = slot.get(topic, 0) + 1

    def mean(self, second: int, window: int) -> dict[str, float]:
        """Messages per second and topic over the `window` whole seconds before `second`."""
        total: dict[str, int] = {}
        for at, topics in self._slots:
            if second - window <= at < second:
                for topic, count in topics.items():
                    total[topic] = total.get(topic, 0) + count
        return {topic: count / window for topic, count in total.items()}


class Hub:
    """All clients.  Made once a process; it holds nothing that must survive it."""

    def __init__(self, config: Config, mono_ns: Callable[[], int]) -> None:
        self.config = config
        self.rates = Rates(config.rate_s)
        self.clients: dict[int, Client] = {}
        self.refused = 0
        self.fanned_out = 0
        self._mono_ns = mono_ns
        self._numbers = 0
        self._last: dict[str, tuple[int, int]] = {}

    def join(self, topics: frozenset[str]) -> Client | None:
        """A new client, or None when there are as many as there may be."""
        if len(self.clients) >= self.config.clients:
            self.refused += 1
            return None
        self._numbers += 1
        client = Client(self._numbers, topics, self.config.queue, self._mono_ns())
        self.clients[client.number] = client
        return client

    def leave(self, client: Client) -> None:
        """Forget a client."""
        self.clients.pop(client.number, None)

    def offer(self, envelope: Envelope) -> None:
        """Hand a message to whoever wants it.  One that was handed out already (a replay after a crash) is not."""
        at = parse_id(envelope.entry_id)
        if at <= self._last.get(envelope.topic, parse_id(START)):
            return
        self._last[envelope.topic] = at
        self.rates.count(envelope.topic, self._mono_ns() // 1_000_000_000)
        wanting = [client for client in self.clients.values() if envelope.topic in client.topics]
        if wanting:
            data = frame(envelope)  # once, however many clients
            self.fanned_out += len(wanting)
            for client in wanting:
                client.offer(data)

    def rate(self, window: int) -> dict[str, float]:
        """Messages per second and topic over the last `window` whole seconds."""
        return self.rates.mean(self._mono_ns() // 1_000_000_000, window)

    def infos(self) -> list[ClientInfo]:
        """All clients as people see them."""
        return [client.info(self._mono_ns()) for client in self.clients.values()]
