"""The bus over a Redis-protocol server (Valkey 9), by redis-py with hiredis.

Three connections: one blocks in XREAD, one commits, a small pool asks questions.  Each is used raw: hiredis packs a
batch and parses its replies, one time-out bounds the exchange (redis-py's own packing and its time-out a reply cost
twice as much again).  The time-out exceeds every BLOCK.

Fencing costs no round trip: each commit ends with `WATCH epoch:<owner>; GET epoch:<owner>` in the same pipeline, so
that the next EXEC fails when a newer incarnation has claimed the owner in the meantime.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, TypeVar

import hiredis
import msgspec
import redis.asyncio as aioredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from engines.wire.bus import START, Commit, Entry, Output, Saved, StreamStats, dead_topic
from engines.wire.errors import BusError, CommitUnknown, Fenced

T = TypeVar("T")
Command = tuple[bytes | str | int, ...]
_BROKEN = (RedisConnectionError, RedisTimeoutError, OSError)
_TIMEOUT_S = 10.0
_cursors = msgspec.msgpack.Decoder(dict[str, str])


class RedisBus:
    """One server, by URL (`unix://:password@/path?db=0` or `redis://…`)."""

    def __init__(self, url: str) -> None:
        self._client: aioredis.Redis = aioredis.Redis.from_url(
            url, protocol=2, socket_timeout=None, socket_connect_timeout=_TIMEOUT_S, max_connections=16
        )
        self._reader: AbstractConnection | None = None
        self._writer: AbstractConnection | None = None
        self._write_lock = asyncio.Lock()
        self._watched: tuple[str, int] | None = None  # owner and epoch that the writer connection watches

    async def claim(self, owner: str) -> Saved:
        """Start an incarnation of `owner`."""
        async with self._write_lock:
            self._watched = None
            await self._ask([("INCR", f"epoch:{owner}")])
        return await self.saved(owner)

    async def saved(self, owner: str) -> Saved:
        """What `owner` last committed."""
        epoch, fields = await self._ask([("GET", f"epoch:{owner}"), ("HGETALL", f"commit:{owner}")])
        record = dict(zip(fields[::2], fields[1::2], strict=True))
        return Saved(
            epoch=int(epoch or 0),
            state=record.get(b"state"),
            state_cursors=_cursors.decode(record[b"state_cursors"]) if b"state_cursors" in record else {},
            cursors=_cursors.decode(record[b"cursors"]) if b"cursors" in record else {},
            ledger=record.get(b"ledger", b""),
        )

    async def read(self, cursors: Mapping[str, str], count: int, block_ms: int) -> list[Entry]:
        """Entries after the cursors; one caller at a time."""
        if not cursors:
            await asyncio.sleep(block_ms / 1000)
            return []
        wait: Command = ("BLOCK", block_ms) if block_ms else ()
        command: Command = ("XREAD", "COUNT", count, *wait, "STREAMS", *cursors, *cursors.values())
        try:
            if self._reader is None:
                self._reader = await self._connect()
            (reply,) = await _exchange(self._reader, [command])
        except _BROKEN as error:
            await _drop(self._reader)
            self._reader = None
            raise BusError("The bus does not answer a read.", str(error)) from error
        except RedisError as error:
            raise BusError("The bus refuses a read.", str(error)) from error
        if isinstance(reply, ResponseError):
            raise BusError("The bus refuses a read.", str(reply))
        return [
            Entry(topic.decode(), entry_id.decode(), fields[1], fields[3])
            for topic, entries in reply or ()
            for entry_id, fields in entries
        ]

    async def commit(self, commit: Commit) -> None:
        """Outputs, dead letters, cursors and state in one MULTI, fenced by the epoch."""
        async with self._write_lock:
            if self._watched != (commit.owner, commit.epoch):
                replies = await self._write([("UNWATCH",), *_watch(commit.owner)])  # an older watch may be broken
                self._check_epoch(commit, replies[-1])
            batch: list[Command] = [("MULTI",), *_effects(commit), ("EXEC",), *_watch(commit.owner)]
            self._watched = None
            replies = await self._write(batch)
            _, epoch = replies[-2:]
            executed = replies[-3]
            if isinstance(executed, ResponseError):
                reason = next((str(r) for r in replies if isinstance(r, ResponseError)), str(executed))
                self._check_epoch(commit, epoch)
                raise BusError("The bus refuses a commit.", reason)
            if executed is None:
                raise Fenced(f"{commit.owner} epoch {commit.epoch} is over.")
            self._check_epoch(commit, epoch, committed=True)

    def _check_epoch(self, commit: Commit, epoch: bytes | None, *, committed: bool = False) -> None:
        if int(epoch or 0) == commit.epoch:
            self._watched = (commit.owner, commit.epoch)
        elif not committed:
            raise Fenced(f"{commit.owner} epoch {commit.epoch} is over.")

    async def append(self, outputs: Sequence[tuple[Output, str]]) -> int:
        """Entries with the caller's ids; an id at or below the stream's last is already there."""
        if not outputs:
            return 0
        batch = [("XADD", out.topic, entry_id, b"h", out.header, b"b", out.body) for out, entry_id in outputs]
        async with self._write_lock:
            replies = await self._write(batch)
        fresh = 0
        for reply in replies:
            if not isinstance(reply, ResponseError):
                fresh += 1
            elif "equal or smaller" not in str(reply):
                raise BusError("The bus refuses an entry.", str(reply))
        return fresh

    async def last(self, topic: str) -> Entry | None:
        """The newest entry."""
        (reply,) = await self._ask([("XREVRANGE", topic, "+", "-", "COUNT", 1)])
        if not reply:
            return None
        entry_id, fields = reply[0]
        return Entry(topic, entry_id.decode(), fields[1], fields[3])

    async def stats(self, topic: str) -> StreamStats:
        """The server's own count of a stream (`XINFO STREAM`)."""
        exists, info = await self._ask([("EXISTS", topic), ("XINFO", "STREAM", topic)], lenient=True)
        if not exists:
            return StreamStats(0, 0, START, START)
        if isinstance(info, ResponseError):
            raise BusError(f"The bus cannot count {topic!r}.", str(info))
        facts = dict(zip(info[::2], info[1::2], strict=True))
        first = facts[b"first-entry"]
        return StreamStats(
            facts[b"entries-added"],
            facts[b"length"],
            first[0].decode() if first else START,
            facts[b"last-generated-id"].decode(),
        )

    async def cursor(self, owner: str, topic: str) -> str | None:
        """Where `owner` may be replayed from."""
        epoch, data = await self._ask([("GET", f"epoch:{owner}"), ("HGET", f"commit:{owner}", "state_cursors")])
        if epoch is None:
            return None
        return _cursors.decode(data).get(topic, START) if data else START

    async def trim(self, topic: str, below: str) -> int:
        """Drop whole nodes of entries below an id (approximate: never more than asked)."""
        (dropped,) = await self._ask([("XTRIM", topic, "MINID", "~", below)])
        return int(dropped)

    async def ping(self) -> float:
        """Round trip in seconds."""
        start = time.perf_counter()
        await self._ask([("PING",)])
        return time.perf_counter() - start

    async def close(self) -> None:
        """Drop all connections."""
        await _drop(self._reader)
        self._reader = None
        await _drop(self._writer)
        self._writer = None
        await self._client.aclose()

    async def _connect(self) -> AbstractConnection:
        pool = self._client.connection_pool
        connection: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call] # redis-py leaves it untyped
        await _in_time(connection.connect())  # type: ignore[no-untyped-call] # same
        return connection

    async def _write(self, batch: Sequence[Command]) -> list[Any]:
        """Send a batch on the commit connection.  Once it is under way, a break means that its fate is unknown."""
        try:
            if self._writer is None:
                self._writer = await self._connect()
        except (*_BROKEN, RedisError) as error:
            self._writer = None
            raise BusError("The bus cannot be reached.", str(error)) from error
        try:
            return await _exchange(self._writer, batch)
        except _BROKEN as error:
            self._watched = None
            await _drop(self._writer)
            self._writer = None
            raise CommitUnknown("The bus connection broke during a commit.", str(error)) from error

    async def _ask(self, batch: Sequence[Command], *, lenient: bool = False) -> list[Any]:
        """Send questions on a pooled connection."""
        try:
            pool = self._client.connection_pool
            connection = await _in_time(pool.get_connection())  # type: ignore[no-untyped-call] # same
            try:
                replies = await _exchange(connection, batch)
            finally:
                await pool.release(connection)
        except (*_BROKEN, RedisError) as error:
            raise BusError("The bus cannot be reached.", str(error)) from error
        for reply in replies:
            if isinstance(reply, ResponseError) and not lenient:
                raise BusError("The bus refuses a command.", str(reply))
        return replies


def _watch(owner: str) -> list[Command]:
    return [("WATCH", f"epoch:{owner}"), ("GET", f"epoch:{owner}")]


def _effects(commit: Commit) -> list[Command]:
    commands: list[Command] = [("XADD", out.topic, "*", b"h", out.header, b"b", out.body) for out in commit.outputs]
    for letter in commit.dead:
        source = f"{letter.entry.topic}/{letter.entry.id}"
        entry = (b"h", letter.entry.header, b"b", letter.entry.body)
        commands.append(
            ("XADD", dead_topic(commit.owner), "*", *entry, "source", source, "reason", letter.reason[:500])
        )
    cursors = msgspec.msgpack.encode(dict(commit.cursors))
    fields: tuple[bytes | str, ...] = ("cursors", cursors, "ledger", commit.ledger)
    if commit.state is not None:
        fields += ("state", commit.state, "state_cursors", cursors)
    commands.append(("HSET", f"commit:{commit.owner}", *fields))
    return commands


async def _exchange(connection: AbstractConnection, batch: Sequence[Command]) -> list[Any]:
    """One write, then every reply; a refused command's reply is its ResponseError.  Raises redis-py's TimeoutError: the
    connection is closed then, since a late reply would be taken for the next one's.
    """
    return await _in_time(_talk(connection, batch))


async def _talk(connection: AbstractConnection, batch: Sequence[Command]) -> list[Any]:
    await connection.send_packed_command(b"".join(map(_packed, batch)))
    replies: list[Any] = []
    for _ in batch:
        try:
            replies.append(await connection.read_response(timeout=math.inf))
        except ResponseError as error:
            replies.append(error)
    return replies


async def _in_time(use: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return await use
    except TimeoutError as error:
        raise RedisTimeoutError(f"No answer within {_TIMEOUT_S:g} s.") from error


def _packed(command: Command) -> bytes:
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type] # its stub says a tuple of one
    return packed


async def _drop(connection: AbstractConnection | None) -> None:
    if connection is not None:
        await connection.disconnect()
