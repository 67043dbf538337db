"""Evidence from the two buses after a run, and from the recorder's store."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engines.wire.bus import START, Bus, Entry, Ledger, parse_id
from engines.wire.errors import MessageError
from engines.wire.manifest import Manifest
from engines.wire.messages import TOPICS, Envelope, Header, decode, decode_header, encode_header
from stress.checks.evidence import Evidence, Mark, Stray
from stress.checks.sequences import last_numbers, upto
from stress.settle import entries_after

RECORDER = "backend"
_PLACE = "split_part(entry_id, '-', 1)::UBIGINT AS high, split_part(entry_id, '-', 2)::UBIGINT AS low"
_MESSAGES = """
SELECT topic, entry_id, producer, epoch, seq, cause, ordinal, trace, ts_event, mono_intended, mono_sent, body
FROM placed WHERE topic = ? AND (high > ? OR (high = ? AND low > ?))
"""
_IDS = "SELECT entry_id FROM placed WHERE topic = ? AND (high > ? OR (high = ? AND low > ?))"


async def from_buses(buses: Mapping[str, Bus], since: Mark = Mark()) -> Evidence:  # noqa: B008 # frozen
    """Every entry after a mark that the buses still hold.  Settings and the recorder's part are the caller's to add.

    Raises:
        BusError: a bus does not answer.
    """
    topics: dict[str, tuple[Envelope, ...]] = {}
    added: dict[str, int] = {}
    ends: dict[str, str] = {}
    strays: list[Stray] = []
    for topic, name in TOPICS.items():
        bus, kept = buses[name], []
        entries = await entries_after(bus, topic, since.last.get(topic, START))
        for entry in entries:
            try:
                kept.append(decode(*entry))
            except MessageError:
                strays.append(Stray(topic, entry.id, _header(entry)))
        stats = await bus.stats(topic)
        ends[topic] = entries[-1].id if entries else stats.last
        newer = len(await entries_after(bus, topic, ends[topic]))  # they came in the meantime
        topics[topic], added[topic] = tuple(kept), stats.added - newer - since.added.get(topic, 0)
    return Evidence(topics=topics, added=added, before=since.numbers, ends=ends, strays=tuple(strays))


async def begin(buses: Mapping[str, Bus]) -> Mark:
    """Where the streams end now: for a fleet that was there before.  Numbers are those that the recorder has seen.

    Raises:
        BusError: a bus does not answer.
    """
    stats = {topic: await buses[name].stats(topic) for topic, name in TOPICS.items()}
    ledger = (await buses["main"].saved(RECORDER)).ledger
    seen = msgspec.msgpack.decode(ledger, type=Ledger).seen if ledger else {}
    return Mark({t: each.last for t, each in stats.items()}, {t: each.added for t, each in stats.items()}, seen)


def mark(evidence: Evidence, since: Mark) -> Mark:
    """Where this evidence ends, which began at another mark."""
    added = {topic: since.added.get(topic, 0) + count for topic, count in evidence.added.items()}
    return Mark(evidence.ends, added, last_numbers(evidence))


def _header(entry: Entry) -> Header | None:
    try:
        return decode_header(entry.header)
    except MessageError:
        return None


def with_store(
    evidence: Evidence,
    source: Path,
    manifests: Sequence[Manifest],
    since: Mark = Mark(),  # noqa: B008 # frozen
) -> Evidence:
    """The evidence with what the recorder holds; trimmed topics are made whole from it where it holds them all.

    `source`: the recorder's DuckDB file, once its engine has ended, or the folder of exported Parquet files.

    Raises:
        duckdb.Error: it cannot be read.
    """
    import duckdb

    consumed = next(manifest.consumes for manifest in manifests if manifest.name == RECORDER)
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        if source.is_dir():
            files = [str(file) for topic in consumed for file in sorted((source / topic).rglob("*.parquet"))]
            connection.from_parquet(files, union_by_name=True).create_view("recorded")
        else:
            literal = str(source).replace("'", "''")
            connection.execute(f"ATTACH '{literal}' AS store (READ_ONLY)")
            connection.execute("CREATE VIEW recorded AS SELECT * FROM store.messages")
        connection.execute(f"CREATE VIEW placed AS SELECT *, {_PLACE} FROM recorded")  # noqa: S608 # a literal
        topics, recorded = dict(evidence.topics), {}
        for topic in consumed:
            high, low = parse_id(since.last.get(topic, START))
            where = [topic, high, high, low]
            ids = frozenset(entry_id for (entry_id,) in connection.execute(_IDS, where).fetchall())
            recorded[topic] = ids
            if topic not in topics or not evidence.trimmed(topic):
                continue
            known = upto(ids, evidence, topic)
            if len(known) >= evidence.added[topic]:
                made = [_envelope(row) for row in connection.execute(_MESSAGES, where).fetchall() if row[1] in known]
                topics[topic] = tuple(sorted(made, key=lambda message: parse_id(message.entry_id)))
    return msgspec.structs.replace(evidence, topics=topics, recorded=recorded)


def _envelope(row: tuple[Any, ...]) -> Envelope:
    topic, entry_id, *facts, body = row
    return decode(topic, entry_id, encode_header(Header(*facts)), body)
