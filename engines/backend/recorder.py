"""The recorder: what the backend consumes, in DuckDB exactly once.

Messages and the position in their streams commit in one DuckDB transaction, and that position is the truth: after a
crash reading goes on from it.  The main bus is told afterwards, so that producers may trim and the ledger can be read;
when a crash comes between the two, the next claim tells it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import msgspec
import numpy as np

from engines.backend.config import Grouping
from engines.backend.model import Recorded, restore
from engines.kit.engine import Engine
from engines.kit.processor import Processor
from engines.kit.store import Batch, Position, Row, Store, StoreDamaged, StoreError, TickRows
from engines.wire.bus import START, Bus, Commit, DeadLetter, Entry, Ledger, parse_id
from engines.wire.errors import BusError, MessageError
from engines.wire.messages import Envelope, Trades, decode, decode_header
from engines.wire.ticks import TRADE

T = TypeVar("T")
log = logging.getLogger(__name__)

_INT64_MAX = 2**63 - 1
_TICK_TOPICS = frozenset({"trades", "quotes", "levels"})
_json = msgspec.json.Encoder()


class Pending:
    """What was read and is not committed yet."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.ticks: list[TickRows] = []
        self.dead: list[DeadLetter] = []
        self.envelopes: list[Envelope] = []
        self.bytes = 0
        self.since_ns = 0

    def __len__(self) -> int:
        return len(self.rows) + len(self.dead)


class Commitment(NamedTuple):
    """The last commit: when (CLOCK_MONOTONIC), how long it took, how many messages it held."""

    at_ns: int
    took_ns: int
    messages: int


class Recorder(Processor[Recorded]):
    """The backend's unit.  Commits in groups: `process` returns before its entries are committed.

    A failed commit is raised by the next `process`, which makes the consumer claim again: nothing that was read after
    the failure is committed, and all of it is read again.
    """

    def __init__(
        self,
        engine: Engine[Recorded],
        topics: Sequence[str],
        main: Bus,
        mono_ns: Callable[[], int],
        store: Store,
        grouping: Grouping = Grouping(),  # noqa: B008 # frozen
    ) -> None:
        super().__init__(engine, topics, main, mono_ns)
        self.store = store
        self.pending = Pending()
        self.last: Commitment | None = None
        self.failure: Exception | None = None
        self._grouping = grouping
        self._lock = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recorder")
        self._timer: asyncio.Task[None] | None = None
        self._pictured: dict[str, str] | None = None  # the store's position that `state` is the picture of
        self._at_once = False

    async def claim(self) -> None:
        """Start an incarnation from what DuckDB holds, and tell the bus what it missed.

        Raises:
            BusError: the bus or the store does not answer, or another process still holds the store.
        """
        async with self._lock:
            saved = await self._main.claim(self.engine.name)
            self.epoch = saved.epoch
            position = await self._in_thread(self._claim_store)
            self.pending, self.failure = Pending(), None
            self.ledger = msgspec.msgpack.decode(position.ledger, type=Ledger) if position.ledger else Ledger()
            self.positions = {topic: position.cursors.get(topic, START) for topic in self._topics}
            if any(saved.cursors.get(topic, START) != at for topic, at in self.positions.items()):
                dead = await self._in_thread(lambda: self.store.dead_after(saved.cursors))
                await self._tell(self._position(), dead)

    async def process(self, entries: Sequence[Entry]) -> None:
        """Take entries in; they are committed within `Grouping.wait_s`, or at once when many wait.

        Raises:
            Fenced, CommitUnknown, BusError: an earlier or this commit failed; claim again (Fenced: end).
        """
        if self.failure is not None:
            raise self.failure
        for entry in entries:
            fresh = parse_id(entry.id) > parse_id(self.positions[entry.topic])
            self._count(entry.topic, redelivered=not fresh)
            if fresh:
                self._take(entry)
                self.positions[entry.topic] = entry.id
        full = len(self.pending) >= self._grouping.entries or self.pending.bytes >= self._grouping.bytes
        if full or self._at_once:
            await self.flush()
        elif len(self.pending) and (self._timer is None or self._timer.done()):
            self._timer = asyncio.create_task(self._later())

    async def flush(self) -> None:
        """Commit what waits."""
        async with self._lock:
            if self.failure is not None:
                raise self.failure
            if not len(self.pending):
                return
            pending, self.pending = self.pending, Pending()
            position = self._position()
            try:
                await self._commit_pending(pending, position)
            except Exception as error:
                self.failure = error
                raise

    async def finish(self) -> None:
        """From now on every `process` commits before it returns; commit what waits."""
        self._at_once = True
        await self.flush()

    def lag_s(self) -> float:
        """Age of the oldest message that is not committed."""
        return (self._mono_ns() - self.pending.since_ns) / 1e9 if len(self.pending) else 0.0

    def close(self) -> None:
        """Let go of the file and the thread."""
        self._thread.submit(self.store.close).result()
        self._thread.shutdown()

    # -------------------------------------------------------------------------------------------- reading
    def _take(self, entry: Entry) -> None:
        """One entry: a row, or a dead letter with its reason."""
        pending, counts = self.pending, self.ledger.topics[entry.topic]
        if not len(pending):
            pending.since_ns = self._mono_ns()
        pending.bytes += len(entry.body)
        try:
            self._sequence(entry.topic, decode_header(entry.header))
            envelope = decode(entry.topic, entry.id, entry.header, entry.body)
            row, ticks = stored(envelope, entry.body)
        except MessageError as error:
            counts.dead += 1
            pending.dead.append(DeadLetter(entry, str(error)))
            return
        counts.processed += 1
        pending.rows.append(row)
        pending.envelopes.append(envelope)
        if ticks is not None:
            pending.ticks.append(ticks)

    # ------------------------------------------------------------------------------------------ committing
    async def _later(self) -> None:
        """Commit after a while, and again for what came in the meantime."""
        try:
            while len(self.pending):
                await asyncio.sleep(self._grouping.wait_s)
                await self.flush()
        except Exception as error:
            log.warning("a group of messages is not committed: %s", error)  # the next `process` raises it

    async def _commit_pending(self, pending: Pending, position: Position) -> None:
        began = self._mono_ns()
        batch = Batch(pending.rows, pending.ticks, pending.dead)
        await self._in_thread(lambda: self.store.write(self.epoch, batch, position, began))
        self._pictured = position.cursors
        now = self._mono_ns()
        self.last = Commitment(now, now - began, len(pending))
        for envelope in pending.envelopes:
            self.state, _ = self.engine.step(self.state, envelope)
        self.hops.record(pending.envelopes, now)
        await self._tell(position, pending.dead)

    async def _tell(self, position: Position, dead: Sequence[DeadLetter]) -> None:
        """The position as a commit on the bus; its empty state moves the cursor below which producers may trim."""
        await self._main.commit(
            Commit(
                owner=self.engine.name,
                epoch=self.epoch,
                cursors=position.cursors,
                dead=dead,
                state=b"",
                ledger=position.ledger,
            )
        )

    def _position(self) -> Position:
        """Where everything taken in ends."""
        return Position(dict(self.positions), msgspec.msgpack.encode(self.ledger))

    def _claim_store(self) -> Position:
        if isinstance(self.failure, BusError):
            self.store.close()  # after a failed write DuckDB may refuse everything until the file is opened again
        try:
            return self._opened()
        except StoreDamaged as error:
            aside = self.store.set_aside()
            log.error("%s  It is set aside as %s; what the streams still hold is recorded anew.", error, aside.name)
            self._pictured = None
            return self._opened()

    def _opened(self) -> Position:
        """The store's position.  The picture is made anew where it is not that position's: at first, and after a commit
        that stands although it was answered with an error.
        """
        self.store.open()
        position = self.store.claim(self.epoch)
        if position.cursors != self._pictured:
            self.state = restore(self.store.counts(), self.store.messages("sessions"))
            self._pictured = position.cursors
        return position

    async def _in_thread(self, function: Callable[[], T]) -> T:
        """Run on the recorder's thread.  StoreError becomes a plain BusError, which consumers try again."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, function)
        except StoreError as error:
            raise BusError(error.what, error.why) from error


def stored(envelope: Envelope, body: bytes) -> tuple[Row, TickRows | None]:
    """A message as the store holds it, and its trades when it is a batch of them.

    Raises:
        MessageError: a number of the header exceeds 64 bits, or tick rows do not fit their type or symbols.
    """
    header, message = envelope.header, envelope.body
    numbers = (header.epoch, header.seq, header.ordinal, header.ts_event, header.mono_intended, header.mono_sent)
    if max(numbers) > _INT64_MAX:
        raise MessageError("A message header holds a number of more than 63 bits.")
    row = Row(
        envelope.topic,
        envelope.entry_id,
        header.producer,
        header.epoch,
        header.seq,
        header.cause,
        header.ordinal,
        header.trace,
        header.ts_event,
        header.mono_intended,
        header.mono_sent,
        type(message).__name__,
        body,
        None if envelope.topic in _TICK_TOPICS else _json.encode(message).decode(),
    )
    return row, _ticks(header.trace, message) if isinstance(message, Trades) else None


def _ticks(trace: str, trades: Trades) -> TickRows:
    if len(trades.rows) % TRADE.itemsize:
        raise MessageError("A batch of trades is torn.", f"{len(trades.rows)} bytes are no whole number of rows.")
    rows = np.frombuffer(trades.rows, TRADE)
    if rows.size and int(rows["symbol"].max()) >= len(trades.symbols):
        raise MessageError("A batch of trades names a symbol that it does not list.")
    return TickRows(trace, trades.symbols, rows)
