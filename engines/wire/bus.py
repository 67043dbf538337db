"""The bus: streams that effects are committed to once.  `Bus` is the one seam for fakes; `MemoryBus` is its twin.

The protocol (design: `docs/architecture.md`, "Effects that happen once"):

1. `claim(owner)` starts an incarnation: it counts the owner's epoch up and returns what the last one committed.
2. `read` delivers entries after the cursors; reading changes nothing.
3. `commit` applies, atomically, the outputs, the dead letters, the new cursors and (when given) the state; it refuses
   (`Fenced`) when a newer incarnation has claimed the owner.  When the connection breaks under way it raises
   `CommitUnknown`: the caller claims again and goes on from what is committed, exactly as after a crash.

So an input's effects are visible together with the cursor that says they happened, or not at all.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from engines.wire.errors import Fenced

START = "0-0"


class Entry(NamedTuple):
    """One entry of a stream, as read."""

    topic: str
    id: str
    header: bytes
    body: bytes


class Output(NamedTuple):
    """One entry to append."""

    topic: str
    header: bytes
    body: bytes


class DeadLetter(NamedTuple):
    """An entry that could not be processed, and why."""

    entry: Entry
    reason: str


class Counts(msgspec.Struct, array_like=True):
    """A consumer's ledger of one topic.

    `deliveries = processed + dead + redeliveries`.  `missing` counts sequence numbers that were skipped, `reordered`
    those that came after a later one; both per (producer, epoch, topic).
    """

    deliveries: int = 0
    processed: int = 0
    dead: int = 0
    redeliveries: int = 0
    missing: int = 0
    reordered: int = 0


class Ledger(msgspec.Struct):
    """Counts per topic, and the last sequence number seen per `producer/epoch/topic`."""

    topics: dict[str, Counts] = {}
    seen: dict[str, int] = {}


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """All effects of a batch of inputs.  `state` is None where no snapshot is taken with this commit."""

    owner: str
    epoch: int
    cursors: Mapping[str, str]
    outputs: Sequence[Output] = ()
    dead: Sequence[DeadLetter] = ()
    state: bytes | None = None
    ledger: bytes = b""


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """What an owner's last commit left.  `state_cursors` belong to `state`, `cursors` to the outputs."""

    epoch: int
    state: bytes | None = None
    state_cursors: dict[str, str] = {}
    cursors: dict[str, str] = {}
    ledger: bytes = b""


class StreamStats(NamedTuple):
    """A stream, counted by its server: entries ever added, entries held, first and last id."""

    added: int
    length: int
    first: str
    last: str


class Bus(Protocol):
    """One Redis-protocol server, or its twin in memory."""

    async def claim(self, owner: str) -> Saved:
        """Start an incarnation of `owner`; every older one is fenced from now on."""

    async def read(self, cursors: Mapping[str, str], count: int, block_ms: int) -> list[Entry]:
        """Up to `count` entries per topic after the cursors; waits up to `block_ms` for the first one, 0 not at all."""

    async def commit(self, commit: Commit) -> None:
        """Apply all effects at once.  Raises Fenced, CommitUnknown, BusError."""

    async def append(self, outputs: Sequence[tuple[Output, str]]) -> int:
        """Append entries with ids of the caller's; those not above their stream's last id are already there.

        Returns how many were new.
        """

    async def last(self, topic: str) -> Entry | None:
        """The newest entry."""

    async def stats(self, topic: str) -> StreamStats:
        """The server's own count of a stream."""

    async def saved(self, owner: str) -> Saved:
        """What `owner` last committed, without starting an incarnation."""

    async def cursor(self, owner: str, topic: str) -> str | None:
        """Where `owner` may be replayed from: nothing above it may be trimmed.  None: it never claimed anything."""

    async def trim(self, topic: str, below: str) -> int:
        """Drop entries with ids below `below`; returns how many."""

    async def ping(self) -> float:
        """Round trip in seconds."""

    async def close(self) -> None:
        """Let go of all connections."""


def parse_id(entry_id: str) -> tuple[int, int]:
    """An entry id as a sortable pair."""
    head, _, tail = entry_id.partition("-")
    return int(head), int(tail or 0)


def dead_topic(owner: str) -> str:
    """The stream of what `owner` could not process."""
    return f"dead:{owner}"


class MemoryBus:
    """The twin in memory: the same protocol, one process, no sockets."""

    def __init__(self) -> None:
        self._streams: dict[str, list[Entry]] = {}
        self._added: dict[str, int] = {}
        self._top: dict[str, str] = {}
        self._epochs: dict[str, int] = {}
        self._saved: dict[str, Saved] = {}

    async def claim(self, owner: str) -> Saved:
        self._epochs[owner] = self._epochs.get(owner, 0) + 1
        return await self.saved(owner)

    async def saved(self, owner: str) -> Saved:
        last = self._saved.get(owner, Saved(epoch=0))
        return msgspec.structs.replace(last, epoch=self._epochs.get(owner, 0))

    async def read(self, cursors: Mapping[str, str], count: int, block_ms: int) -> list[Entry]:  # noqa: ARG002
        found: list[Entry] = []
        for topic, cursor in cursors.items():
            after = parse_id(cursor)
            newer = [entry for entry in self._streams.get(topic, ()) if parse_id(entry.id) > after]
            found += newer[:count]
        return found

    async def commit(self, commit: Commit) -> None:
        if self._epochs.get(commit.owner) != commit.epoch:
            raise Fenced(f"{commit.owner} epoch {commit.epoch} is over.")
        for output in commit.outputs:
            head, tail = parse_id(self._top.get(output.topic, START))
            self._add(output, f"{head}-{tail + 1}")
        for letter in commit.dead:
            topic = dead_topic(commit.owner)
            head, tail = parse_id(self._top.get(topic, START))
            self._add(Output(topic, letter.entry.header, letter.entry.body), f"{head}-{tail + 1}")
        before = self._saved.get(commit.owner, Saved(epoch=0))
        cursors = dict(commit.cursors)
        fresh = commit.state is not None
        self._saved[commit.owner] = Saved(
            epoch=commit.epoch,
            state=commit.state if fresh else before.state,
            state_cursors=cursors if fresh else before.state_cursors,
            cursors=cursors,
            ledger=commit.ledger,
        )

    async def append(self, outputs: Sequence[tuple[Output, str]]) -> int:
        fresh = 0
        for output, entry_id in outputs:
            if parse_id(entry_id) > parse_id(self._top.get(output.topic, START)):
                self._add(output, entry_id)
                fresh += 1
        return fresh

    async def last(self, topic: str) -> Entry | None:
        stream = self._streams.get(topic)
        return stream[-1] if stream else None

    async def stats(self, topic: str) -> StreamStats:
        stream = self._streams.get(topic, [])
        first = stream[0].id if stream else START
        return StreamStats(self._added.get(topic, 0), len(stream), first, self._top.get(topic, START))

    async def cursor(self, owner: str, topic: str) -> str | None:
        if owner not in self._epochs:
            return None
        return (await self.saved(owner)).state_cursors.get(topic, START)

    async def trim(self, topic: str, below: str) -> int:
        stream = self._streams.get(topic, [])
        kept = [entry for entry in stream if parse_id(entry.id) >= parse_id(below)]
        self._streams[topic] = kept
        return len(stream) - len(kept)

    async def ping(self) -> float:
        return 0.0

    async def close(self) -> None:
        """Nothing is held."""

    def _add(self, output: Output, entry_id: str) -> None:
        self._streams.setdefault(output.topic, []).append(Entry(output.topic, entry_id, output.header, output.body))
        self._added[output.topic] = self._added.get(output.topic, 0) + 1
        self._top[output.topic] = entry_id
