"""Invariant 10.

Sequences contiguous per (producer, epoch, topic); recorder = published.
"""

from collections.abc import Collection

from engines.wire.bus import parse_id
from engines.wire.messages import TOPICS, Header
from stress.checks.evidence import Evidence
from stress.checks.violation import Clause, NotJudged, Violation

_Key = tuple[str, int]


def check_contiguous(evidence: Evidence) -> tuple[Violation, ...]:
    """Sequences contiguous per (producer, epoch, topic)."""
    found = []
    for topic in evidence.topics:
        last: dict[_Key, int] = {}
        for entry_id, header in _headers(evidence, topic):
            key = (header.producer, header.epoch)
            entity = sender(header, topic)
            first = header.seq - 1 if evidence.trimmed(topic) else evidence.before.get(entity, 0)
            expected = last.get(key, first) + 1
            if header.seq != expected:
                words = f"{header.seq} where {expected} is due"
                found.append(Violation(10, entity, header.ts_event, words, (f"{topic}/{entry_id}",)))
            last[key] = max(header.seq, last.get(key, 0))
    if not any(evidence.topics.values()):
        raise NotJudged("there is no message")
    return tuple(found)


def check_recorder(evidence: Evidence) -> tuple[Violation, ...]:
    """Recorder = published: every entry of what it consumes, and nothing else, up to when evidence was collected."""
    if evidence.recorded is None:
        raise NotJudged("the recorder's store was not read")
    found, short = [], []
    for topic, kept in evidence.recorded.items():
        messages = {message.entry_id: message.header.ts_event for message in evidence.of(topic)}
        recorded = upto(kept, evidence, topic)
        strays = sum(stray.topic == topic for stray in evidence.strays)  # to its dead letters
        for entry_id in sorted(messages.keys() - recorded, key=parse_id):
            found.append(Violation(10, topic, messages[entry_id], "not recorded", (f"{topic}/{entry_id}",)))
        if evidence.trimmed(topic):
            missing = evidence.added[topic] - strays - len(recorded)
            if missing > 0:
                short.append(f"{missing} of {topic}")
            continue
        for entry_id in sorted(recorded - messages.keys(), key=parse_id):
            found.append(Violation(10, topic, 0, "recorded and never published", (f"{topic}/{entry_id}",)))
    if short and not found:
        return (Violation(10, "recorder", 0, f"not recorded: {', '.join(short)}", ()),)
    return tuple(found)


def upto(entry_ids: Collection[str], evidence: Evidence, topic: str) -> frozenset[str]:
    """The ids up to the topic's end: what is later was published after the evidence was collected."""
    held = (message.entry_id for message in evidence.of(topic))
    last = max(map(parse_id, [evidence.ends[topic]] if topic in evidence.ends else held), default=None)
    return frozenset(entry_id for entry_id in entry_ids if last is None or parse_id(entry_id) <= last)


def sender(header: Header, topic: str) -> str:
    """Whose numbers these are: `producer/epoch/topic`."""
    return f"{header.producer}/{header.epoch}/{topic}"


def last_numbers(evidence: Evidence) -> dict[str, int]:
    """The last number of every sender, those before the evidence included: what is due when the next begins."""
    found = dict(evidence.before)
    for topic in evidence.topics:
        for _, header in _headers(evidence, topic):
            name = sender(header, topic)
            found[name] = max(header.seq, found.get(name, 0))
    return found


def _headers(evidence: Evidence, topic: str) -> list[tuple[str, Header]]:
    """Headers in stream order, those of entries whose bodies cannot be decoded included."""
    made = [(message.entry_id, message.header) for message in evidence.of(topic)]
    made += [(s.entry_id, s.header) for s in evidence.strays if s.topic == topic and s.header is not None]
    return sorted(made, key=lambda item: parse_id(item[0]))


CLAUSES = (
    Clause(10, "sequences contiguous per (producer, epoch, topic)", check_contiguous, tuple(TOPICS)),
    Clause(10, "recorder = published", check_recorder, tuple(TOPICS)),
)
