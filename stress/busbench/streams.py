"""The streams of a running fleet, looked at without changing anything: counts, consumers' lag, newest messages."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from engines.fleet import api, buses, folders, resp
from engines.wire.bus import START, Bus, parse_id
from engines.wire.errors import BusError, MessageError, UnknownName
from engines.wire.manifest import Manifest
from engines.wire.messages import TOPICS, BusName, Envelope, decode
from stress.busbench.bodies import TICK_ROWS

MOST_BEHIND = 10_000
_PAGE = 500
_BLOCK_MS = 500
_DEAD = "dead:"


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """Entries that a consumer has before it.  `more`: these are so many that counting stopped.

    `behind` is None for a consumer that has never claimed anything.
    """

    consumer: str
    behind: int | None
    more: bool = False


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """One topic, as its server counts it: entries held, entries ever added, first and last id."""

    topic: str
    bus: BusName
    length: int
    added: int
    first: str | None
    last: str | None
    lags: tuple[Lag, ...]


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry, decoded.  Tick rows are told one by one; an entry that cannot be decoded tells why."""

    id: str
    type: str | None
    header: dict[str, Any] | None
    body: dict[str, Any] | None
    reason: str | None = None
    source: str | None = None


def links(fleet: str, env: Mapping[str, str]) -> dict[BusName, buses.Bus]:
    """How to reach the buses of a running fleet.

    Raises:
        NotRunning: there is no fleet of that name.
        BusError: it uses a bus of somebody else's, whose URL is not in this environment.
    """
    running = api.status(fleet)
    where = folders.of(fleet)
    declared = {bus.name: bus for bus in buses.declare(where, buses.load_secrets(where.secrets), env)}
    for known in running.buses:
        bus = next(each for each in declared.values() if each.name == known.name)
        if bus.external != known.external:
            name = f"NAUTILUS_BUS_{known.name.upper()}_URL"
            raise BusError(
                f"The fleet's {known.name} bus is not the one that this environment names.",
                f"It is at {known.address}." if known.address else "",
                f"{'Set' if known.external else 'Unset'} {name} as it was for nautilus up.",
            )
    return declared


async def look(reached: Mapping[BusName, Bus], manifests: Sequence[Manifest]) -> tuple[Stream, ...]:
    """Every topic, in the contract's order.  Raises BusError."""
    saved = {manifest.name: await reached["main"].saved(manifest.name) for manifest in manifests}
    found = []
    for topic, name in TOPICS.items():
        stats = await reached[name].stats(topic)
        lags = []
        for manifest in manifests:
            if topic not in manifest.consumes:
                continue
            at = saved[manifest.name]
            cursor = at.cursors.get(topic, START)
            behind = None if not at.epoch else await _behind(reached[name], topic, cursor, stats.last)
            more = behind is not None and behind >= MOST_BEHIND
            lags.append(Lag(consumer=manifest.name, behind=behind, more=more))
        first, last = (None if entry_id == START else entry_id for entry_id in (stats.first, stats.last))
        found.append(
            Stream(topic=topic, bus=name, length=stats.length, added=stats.added, first=first, last=last,
                   lags=tuple(lags))
        )  # fmt: skip
    return tuple(found)


async def _behind(bus: Bus, topic: str, cursor: str, last: str) -> int:
    """Entries after a cursor up to `last`, counted by reading them."""
    count = 0
    while parse_id(cursor) < parse_id(last) and count < MOST_BEHIND:
        page = await bus.read({topic: cursor}, _PAGE, 0)
        if not page:
            break
        count += sum(parse_id(entry.id) <= parse_id(last) for entry in page)
        cursor = page[-1].id
    return count


def check_topic(topic: str, owners: Sequence[str]) -> BusName:
    """The bus of a topic, or of an engine's dead letters, `dead:<engine>`.

    Raises:
        UnknownName: there is neither.
    """
    known: dict[str, BusName] = {**TOPICS, **{f"{_DEAD}{owner}": "main" for owner in owners}}
    if topic not in known:
        raise UnknownName("topic", topic, known)
    return known[topic]


def newest(link: resp.Connection, topic: str, count: int, pattern: re.Pattern[str] | None) -> tuple[list[Message], str]:
    """The last `count` messages that match, oldest first, and the newest id there was.  Raises BusError."""
    found: list[Message] = []
    end, top = "+", START
    while len(found) < count:
        page = entries(link.ask("XREVRANGE", topic, end, "-", "COUNT", _PAGE))
        if top == START and page:
            top = page[0][0]
        for entry_id, fields in page:
            message = told(topic, entry_id, fields)
            if matches(message, pattern) and len(found) < count:
                found.append(message)
        if len(page) < _PAGE:
            break
        end = f"({page[-1][0]}"
    if not count:
        page = entries(link.ask("XREVRANGE", topic, "+", "-", "COUNT", 1))
        top = page[0][0] if page else START
    return found[::-1], top


def follow(link: resp.Connection, topic: str, after: str, pattern: re.Pattern[str] | None) -> Iterator[Message]:
    """Messages after an id as they come, for ever.  The connection's time-out must be above half a second."""
    while True:
        reply = link.ask("XREAD", "COUNT", _PAGE, "BLOCK", _BLOCK_MS, "STREAMS", topic, after)
        if not isinstance(reply, list):
            continue
        for entry_id, fields in entries(reply[0][1]):
            after = entry_id
            message = told(topic, entry_id, fields)
            if matches(message, pattern):
                yield message


def told(topic: str, entry_id: str, fields: Mapping[str, bytes]) -> Message:
    """An entry for people."""
    source = fields["source"].decode() if "source" in fields else None
    reason = fields["reason"].decode("utf-8", "replace") if "reason" in fields else None
    kind = source.partition("/")[0] if source is not None else topic
    try:
        message = decode(kind, entry_id, fields.get("h", b""), fields.get("b", b""))
    except MessageError as error:
        return Message(
            id=f"{topic}/{entry_id}", type=None, header=None, body=None, reason=reason or str(error), source=source
        )
    header = msgspec.structs.asdict(message.header)
    return Message(
        id=f"{topic}/{entry_id}", type=type(message.body).__name__, header=header, body=_plain(message), reason=reason,
        source=source,
    )  # fmt: skip


def matches(message: Message, pattern: re.Pattern[str] | None) -> bool:
    """Whether a message's JSON holds a match."""
    return pattern is None or pattern.search(msgspec.json.encode(message).decode()) is not None


def _plain(message: Envelope) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.to_builtins(message.body, builtin_types=(bytes,))
    dtype = TICK_ROWS.get(message.topic)
    if dtype is not None and "rows" in body:
        rows = np.frombuffer(body["rows"], dtype)
        body["rows"] = [_row(row, body["symbols"]) for row in rows]
    return body


def _row(row: np.void, symbols: Sequence[str]) -> dict[str, Any]:
    names = row.dtype.names or ()
    told: dict[str, Any] = {name: row[name].tolist() for name in names}
    place = told["symbol"]
    told["symbol"] = symbols[place] if place < len(symbols) else place
    return told


def entries(reply: resp.Reply) -> list[tuple[str, dict[str, bytes]]]:
    """Ids and fields of what XRANGE or XREVRANGE answers.  Raises BusError."""
    if not isinstance(reply, list):
        raise BusError("The bus answers a reading of a stream with something else.", repr(reply)[:200])
    return [
        (entry_id.decode(), {key.decode(): value for key, value in zip(parts[::2], parts[1::2], strict=True)})
        for entry_id, parts in reply
    ]
