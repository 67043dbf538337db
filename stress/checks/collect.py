"""Evidence from the two buses after a run, and from the recorder's store."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engines.wire.bus import START, Bus, parse_id
from engines.wire.errors import MessageError
from engines.wire.manifest import Manifest
from engines.wire.messages import TOPICS, Envelope, Header, decode, decode_header, encode_header
from stress.checks.evidence import Evidence, Stray
from stress.checks.sequences import upto
from stress.settle import entries_after

RECORDER = "backend"
_MESSAGES = """
SELECT topic, entry_id, producer, epoch, seq, cause, ordinal, trace, ts_event, mono_intended, mono_sent, body
FROM recorded WHERE topic = ?
"""


async def from_buses(buses: Mapping[str, Bus]) -> Evidence:
    """Every entry that the buses still hold.  Settings and the recorder's part are the caller's to add.

    Raises:
        BusError: a bus does not answer.
    """
    topics: dict[str, tuple[Envelope, ...]] = {}
    added: dict[str, int] = {}
    strays: list[Stray] = []
    for topic, name in TOPICS.items():
        kept = []
        for entry in await entries_after(buses[name], topic, START):
            try:
                kept.append(decode(*entry))
            except MessageError:
                strays.append(Stray(topic, entry.id, _header(entry.header)))
        topics[topic] = tuple(kept)
        added[topic] = (await buses[name].stats(topic)).added
    return Evidence(topics=topics, added=added, strays=tuple(strays))


def _header(data: bytes) -> Header | None:
    try:
        return decode_header(data)
    except MessageError:
        return None


def with_store(evidence: Evidence, source: Path, manifests: Sequence[Manifest]) -> Evidence:
    """The evidence with what the recorder holds; trimmed topics are made whole from it where it holds them all.

    `source`: the recorder's DuckDB file, once its engine has ended, or the folder of exported Parquet files.

    Raises:
        duckdb.Error: it cannot be read.
    """
    import duckdb

    consumed = next(manifest.consumes for manifest in manifests if manifest.name == RECORDER)
    with duckdb.connect(":memory:") as connection:
        if source.is_dir():
            files = [str(file) for topic in consumed for file in sorted((source / topic).rglob("*.parquet"))]
            connection.from_parquet(files, union_by_name=True).create_view("recorded")
        else:
            literal = str(source).replace("'", "''")
            connection.execute(f"ATTACH '{literal}' AS store (READ_ONLY)")
            connection.execute("CREATE VIEW recorded AS SELECT * FROM store.messages")
        ids: dict[str, set[str]] = {topic: set() for topic in consumed}
        for topic, entry_id in connection.execute("SELECT topic, entry_id FROM recorded").fetchall():
            ids.setdefault(topic, set()).add(entry_id)
        topics = dict(evidence.topics)
        for topic, held in topics.items():
            known = upto(ids.get(topic, ()), [message.entry_id for message in held])
            if evidence.trimmed(topic) and len(known) >= evidence.added[topic]:
                rows = connection.execute(_MESSAGES, [topic]).fetchall()
                made = [_envelope(row) for row in rows if row[1] in known]
                topics[topic] = tuple(sorted(made, key=lambda message: parse_id(message.entry_id)))
    recorded = {topic: frozenset(found) for topic, found in ids.items()}
    return msgspec.structs.replace(evidence, topics=topics, recorded=recorded)


def _envelope(row: tuple[Any, ...]) -> Envelope:
    topic, entry_id, *facts, body = row
    return decode(topic, entry_id, encode_header(Header(*facts)), body)
