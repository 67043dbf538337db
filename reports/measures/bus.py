"""Figures about the buses: each consumer's account of each topic, the totals, and the hops between engines."""

from collections.abc import Iterator

import numpy as np

from reports.figures import Evidence, Figure, in_history, known
from reports.history import History
from reports.latency import PER_MS, Logs, highest, merge
from reports.records import Hop, Ledger

FIELDS = ("published", "processed_unique", "dead_lettered", "pending", "redeliveries", "reordered")
RATE = (
    "messages processed by every consumer of their topic (so each message counts once, and one that any consumer "
    "missed does not count), over the longest counted window"
)


def measure(history: History, logs: Logs) -> Iterator[Figure]:
    """All bus figures."""
    rows = last_rows(history)
    everything = history.of(Ledger)
    for row in rows:
        name = f"bus.{row.bus}.{row.topic}.{row.consumer}"
        own = [item for item in everything if key(item) == key(row)]
        source = (in_history("ledger", own, bus=row.bus, topic=row.topic, consumer=row.consumer),)
        for field in FIELDS:
            yield Figure(f"{name}.{field}", getattr(row, field), "messages", "the consumer's last account", source)
        yield Figure(f"{name}.lost", lost(row), "messages", LOST, source)
    source = (in_history("ledger", everything),)
    yield Figure("bus.lost", _complete_loss(history, rows), "messages", LOST + ", over all declared consumers", source)
    published: dict[tuple[str, str], int] = {}
    for row in rows:
        published[row.bus, row.topic] = max(row.published, published.get((row.bus, row.topic), 0))
    yield Figure("bus.published", _total(list(published.values())), "messages", "published, each topic once", source)
    yield Figure("bus.delivered", _total([row.deliveries for row in rows]), "messages", "deliveries", source)
    yield Figure("bus.dead_lettered", _total([row.dead_lettered for row in rows]), "messages", "set aside", source)
    yield Figure("bus.redeliveries", _total([row.redeliveries for row in rows]), "messages", "delivered again", source)
    yield Figure("bus.reordered", _total([row.reordered for row in rows]), "messages", "out of order", source)
    yield Figure("bus.rate_msgs_s", _rate(rows), "messages/s", RATE, source)
    yield from _hops(history.of(Hop), logs)
    yield from _staleness(history.of(Hop), logs)


DECISIONS = {"risk": "tick-to-check", "strategy": "tick-to-signal", "portfolio": "tick-to-mark"}
"""Hops that end with a decision: risk's check of an order, the strategy's step of a bar, portfolio's mark."""
STALE_MS = 100
LOST = "published less processed, dead-lettered and pending"


def key(row: Ledger) -> tuple[str, str, str]:
    """What identifies a ledger row."""
    return row.bus, row.topic, row.consumer


def lost(row: Ledger) -> int:
    """Messages unaccounted for, recomputed from the other fields."""
    return row.published - row.processed_unique - row.dead_lettered - row.pending


def last_rows(history: History) -> list[Ledger]:
    """The last account of each consumer, in order of first appearance."""
    return list({key(row): row for row in history.of(Ledger)}.values())


def _complete_loss(history: History, rows: list[Ledger]) -> int | None:
    run = history.run
    if run is None or not run.expect.ledger:
        return None
    found = {key(row) for row in rows}
    if any((want.bus, want.topic, want.consumer) not in found for want in run.expect.ledger):
        return None
    return sum(abs(lost(row)) for row in rows)


def _total(values: list[int]) -> int | None:
    return sum(values) if values else None


def _rate(rows: list[Ledger]) -> float | None:
    by_topic: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        by_topic.setdefault((row.bus, row.topic), []).append(row.processed_unique)
    seconds = known((row.seconds for row in rows), max)
    return sum(map(min, by_topic.values())) / seconds if seconds else None


def _hops(hops: list[Hop], logs: Logs) -> Iterator[Figure]:
    for phase, name in dict.fromkeys((hop.phase, hop.name) for hop in hops):
        own = [hop for hop in hops if (hop.phase, hop.name) == (phase, name)]
        last = own[-1]
        source = in_history("hop", own, phase=phase, name=name)
        evidence = (source, Evidence(last.hlog)) if last.hlog in logs else (source,)
        found = merge(logs.get(last.hlog, ()), last.hlog_unit)
        found = found if found is not None and found.count == last.count else None
        yield Figure(f"hop.{phase}.{name}.count", last.count, "messages", "messages timed", (source,))
        for field in ("p50_ms", "p99_ms", "p999_ms", "max_ms"):
            value: float | None = getattr(found, field) if found is not None else None
            yield Figure(f"hop.{phase}.{name}.{field}", value, "ms", "monotonic time between the stages", evidence)


def _staleness(hops: list[Hop], logs: Logs) -> Iterator[Figure]:
    """Of all loaded phases together: how many decisions were made on data older than STALE_MS, to the log's digits."""
    last = {(hop.phase, hop.name): hop for hop in hops}
    for engine, name in DECISIONS.items():
        own = [hop for hop in last.values() if hop.name == name]
        if not own:
            continue
        source = (in_history("hop", [hop for hop in hops if hop.name == name], name=name),)
        counts = [_old(hop, logs) for hop in own]
        known = [pair for pair in counts if pair is not None]
        total = sum(count for _, count in known)
        value = 100.0 * sum(old for old, _ in known) / total if total and len(known) == len(counts) else None
        words = f"decisions of {engine} of {name}, made more than {STALE_MS} ms after their root tick was due"
        yield Figure(f"staleness.{engine}.share_over_{STALE_MS}ms", value, "%", words, source)


def _old(hop: Hop, logs: Logs) -> tuple[int, int] | None:
    """Messages over STALE_MS and all of a hop; None when its log is not there or is another's."""
    limit = STALE_MS * PER_MS[hop.hlog_unit]
    old = total = 0
    for interval in logs.get(hop.hlog, ()):
        held = np.flatnonzero(interval.counts)
        total += int(interval.counts[held].sum())
        old += int(interval.counts[held[highest(held) > limit]].sum())
    return (old, total) if total == hop.count and hop.hlog in logs else None
