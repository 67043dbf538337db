"""Figures about the bus benchmark: each mode's account, rate and latency, and the other tool's rate."""

from collections.abc import Iterator

from reports.figures import Evidence, Figure, in_history
from reports.history import History
from reports.latency import Distribution, Logs, merge
from reports.records import BusMode, BusPeer

COUNTS = ("published", "delivered", "lost", "duplicates", "reordered")
TIMES = ("p50_ms", "p99_ms", "p999_ms", "max_ms")


def measure(history: History, logs: Logs) -> Iterator[Figure]:
    """All figures about the benchmark; none for a run without one."""
    everything = history.of(BusMode)
    for record in last_modes(everything):
        yield from _mode(record, [each for each in everything if each.mode == record.mode], logs)
    peers = history.of(BusPeer)
    if peers:
        source, words = (in_history("bus_peer", peers),), "published to one server by the other tool, read by nobody"
        yield Figure("busbench.peer.rate", peers[-1].per_s, "messages/s", words, source)


def last_modes(records: list[BusMode]) -> list[BusMode]:
    """The last record of each mode, in order of first appearance."""
    return list({record.mode: record for record in records}.values())


def lost(record: BusMode) -> int:
    """Messages, and ticks within them, that were published and not delivered."""
    ticks = (record.ticks_published or 0) - (record.ticks_delivered or 0)
    return record.published - record.delivered + ticks


def latency(record: BusMode, logs: Logs) -> Distribution | None:
    """From its log; None unless that holds as many messages as the record says."""
    found = merge(logs.get(record.hlog, ()), record.hlog_unit)
    return found if found is not None and found.count == record.timed else None


def _mode(record: BusMode, own: list[BusMode], logs: Logs) -> Iterator[Figure]:
    name, source = f"busbench.{record.mode}", (in_history("bus_mode", own, mode=record.mode),)
    values = {count: getattr(record, count) for count in COUNTS} | {"lost": lost(record)}
    for count in COUNTS:
        yield Figure(f"{name}.{count}", values[count], "messages", "counted on both sides", source)
    odd = record.duplicates + record.reordered + record.invented + record.undecodable + record.changed
    words = "lost, doubled, reordered, never published, undecodable or changed"
    yield Figure(f"{name}.odd", abs(values["lost"]) + odd, "messages", words, source)
    carried = record.delivered if record.ticks_delivered is None else record.ticks_delivered
    unit = "messages/s" if record.ticks_delivered is None else "ticks/s"
    words = "delivered, from the first publisher's begin to the last commit of a consumer"
    yield Figure(f"{name}.rate", carried / record.seconds if record.seconds else None, unit, words, source)
    words = "the even rate that was asked for"
    if record.asked_per_s is not None:
        yield Figure(f"{name}.asked_rate", record.asked_per_s, "messages/s", words, source)
    found = latency(record, logs)
    begin = "when it should have left" if record.asked_per_s is not None else "its publisher's stamp"
    for field in TIMES:
        value: float | None = getattr(found, field) if found is not None else None
        evidence = (*source, Evidence(record.hlog)) if record.hlog in logs else source
        yield Figure(f"{name}.{field}", value, "ms", f"from {begin} to its consumer's commit", evidence)
