"""One incarnation of an engine at the bus: entries in, effects committed once.  No tasks and no timing of its own.

`claim` loads the last commit; `process` steps through a batch and commits state, outputs and cursors together.
After `CommitUnknown`, a poisonous message or a crash, the way on is the same: claim again and read from `positions`.
An observer's snapshot may be older than its outputs: entries up to the committed cursors are then stepped through
again with their outputs suppressed.
"""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec

from engines.kit import codec
from engines.kit.consumer import Poisoned
from engines.kit.engine import Engine
from engines.kit.hops import Hops
from engines.kit.origin import Origin
from engines.wire.bus import START, Bus, Commit, Counts, DeadLetter, Entry, Ledger, Output, parse_id
from engines.wire.errors import MessageError
from engines.wire.messages import Body, Envelope, Header, decode, decode_header, encode_body, encode_header
from engines.wire.trace import of_request

S = TypeVar("S")


class Processor(Generic[S]):
    """The effects-once work of one engine.  `topics` are what it consumes; `mono_ns` is CLOCK_MONOTONIC."""

    def __init__(self, engine: Engine[S], topics: Sequence[str], main: Bus, mono_ns: Callable[[], int]) -> None:
        if engine.hold is not None and engine.snapshot_s:
            raise ValueError(f"{engine.name} sends orders: its state must be in every commit (snapshot_s = 0)")
        self.engine = engine
        self.hops = Hops()
        self._topics = tuple(topics)
        self._main = main
        self._mono_ns = mono_ns
        self._poison: dict[tuple[str, str], str] = {}
        self._snapshot_at = 0
        self.epoch = 0
        self.state: S = engine.initial()
        self.ledger = Ledger()
        self.positions: dict[str, str] = dict.fromkeys(self._topics, START)  # where reading goes on
        self._committed: dict[str, str] = dict(self.positions)  # up to here outputs are out
        self._sent: dict[str, int] = {}

    async def claim(self) -> None:
        """Start an incarnation from the last commit."""
        saved = await self._main.claim(self.engine.name)
        self.epoch = saved.epoch
        self.state = self.engine.initial() if saved.state is None else codec.decode(saved.state, self.engine.state_type)
        self.ledger = msgspec.msgpack.decode(saved.ledger, type=Ledger) if saved.ledger else Ledger()
        self.positions = {topic: saved.state_cursors.get(topic, START) for topic in self._topics}
        self._committed = {topic: saved.cursors.get(topic, START) for topic in self._topics}
        self._sent = {}
        self._snapshot_at = self._mono_ns()

    async def process(self, entries: Sequence[Entry]) -> None:
        """Step through `entries` and commit their effects.

        Raises:
            Poisoned: a step raised; nothing of this batch is committed.
            Fenced, CommitUnknown, BusError: from the commit; nothing more may be done with this incarnation.
        """
        outputs: list[Output] = []
        dead: list[DeadLetter] = []
        done: list[Envelope] = []
        for entry in entries:
            if parse_id(entry.id) <= parse_id(self.positions[entry.topic]):
                self._count(entry.topic, redelivered=True)
                continue
            repeated = parse_id(entry.id) <= parse_id(self._committed[entry.topic])
            self._count(entry.topic, redelivered=repeated)
            letter = self._step(entry, outputs, done, repeated=repeated)
            if letter is not None and not repeated:
                dead.append(letter)
            self.positions[entry.topic] = entry.id
        await self._commit(outputs, dead)
        self.hops.record(done, self._mono_ns())

    async def hold(self, held: bool) -> None:
        """Have the engine hold its orders back, or let them leave again, and commit that.

        Raises:
            Fenced, CommitUnknown, BusError: from the commit.
        """
        if self.engine.hold is None:
            return
        await self._publish(self.engine.hold(self.state, held))

    async def command(self, name: str, origin: Origin | None = None) -> None:
        """Have the engine carry out one of its commands, and commit that.

        What it sends bears the trace of the request that gave the command, and was due when that arrived.

        Raises:
            KeyError: it has no such command.
            Fenced, CommitUnknown, BusError: from the commit.
        """
        await self._publish(self.engine.commands[name](self.state), origin)

    async def _publish(self, bodies: Sequence[Body], origin: Origin | None = None) -> None:
        """Commit the state and what no input has caused."""
        now = self._mono_ns()
        trace, due = ("", now) if origin is None else (of_request(origin.request), origin.arrived_ns)
        cause = Header(self.engine.name, self.epoch, 0, "", 0, trace, 0, due, now)
        outputs = [self._stamp(body, cause, "", n) for n, body in enumerate(bodies)]
        await self._commit(outputs, [])

    def _step(self, entry: Entry, outputs: list[Output], done: list[Envelope], *, repeated: bool) -> DeadLetter | None:
        """One entry: its outputs are appended unless they are out already."""
        counts = self.ledger.topics[entry.topic]
        reason = self._poison.get((entry.topic, entry.id))
        envelope: Envelope | None = None
        try:
            if not repeated:
                self._sequence(entry.topic, decode_header(entry.header))
            envelope = decode(entry.topic, entry.id, entry.header, entry.body) if reason is None else None
        except MessageError as error:
            reason = str(error)
        if envelope is None:
            counts.dead += not repeated
            return DeadLetter(entry, reason or "")
        counts.processed += not repeated
        try:
            self.state, bodies = self.engine.step(self.state, envelope)
        except Exception as error:
            self._poison[entry.topic, entry.id] = f"{type(error).__name__}: {error}"
            raise Poisoned(f"{entry.topic}/{entry.id}") from error
        if not repeated:
            outputs += (self._stamp(body, envelope.header, envelope.id, n) for n, body in enumerate(bodies))
            done.append(envelope)
        return None

    def _stamp(self, body: Body, source: Header, cause: str, ordinal: int) -> Output:
        seq = self._sent[body.TOPIC] = self._sent.get(body.TOPIC, 0) + 1
        header = Header(
            producer=self.engine.name,
            epoch=self.epoch,
            seq=seq,
            cause=cause,
            ordinal=ordinal,
            trace=source.trace,
            ts_event=source.ts_event,
            mono_intended=source.mono_intended,
            mono_sent=self._mono_ns(),
        )
        return Output(body.TOPIC, encode_header(header), encode_body(body))

    async def _commit(self, outputs: Sequence[Output], dead: Sequence[DeadLetter]) -> None:
        now = self._mono_ns()
        due = now - self._snapshot_at >= self.engine.snapshot_s * 1e9
        ahead = {topic: max(self.positions[topic], self._committed[topic], key=parse_id) for topic in self._topics}
        fresh = due and ahead == self.positions  # while it catches up, the state lags behind the outputs
        await self._main.commit(
            Commit(
                owner=self.engine.name,
                epoch=self.epoch,
                cursors=ahead,
                outputs=outputs,
                dead=dead,
                state=codec.encode(self.state) if fresh else None,
                ledger=msgspec.msgpack.encode(self.ledger),
            )
        )
        self._committed = ahead
        if fresh:
            self._snapshot_at = now

    def _count(self, topic: str, *, redelivered: bool) -> None:
        counts = self.ledger.topics.setdefault(topic, Counts())
        counts.deliveries += 1
        counts.redeliveries += redelivered

    def _sequence(self, topic: str, header: Header) -> None:
        """Compare a message's number with its predecessor's."""
        counts = self.ledger.topics[topic]
        key = f"{header.producer}/{header.epoch}/{topic}"
        last = self.ledger.seen.get(key, 0)
        if header.seq > last:
            counts.missing += header.seq - last - 1
            self.ledger.seen[key] = header.seq
        else:
            counts.reordered += 1
