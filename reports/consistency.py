"""Do the records agree with each other? What one record says must follow from the others that measured the same."""

from collections.abc import Iterator
from dataclasses import dataclass

from reports.history import History
from reports.latency import Logs, merge
from reports.measures import bus
from reports.records import Alert, Generator, Halt, Hop, Ledger, LoadSummary, Memory, Observer

LAG_TOLERANCE = 0.01
"""Relative: an HDR log keeps three significant digits, a record may state the exact percentile."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two records contradict each other about a subject: load, bus, memory or halts."""

    subject: str
    words: str


def check(history: History, logs: Logs) -> list[Disagreement]:
    """All disagreements, in a fixed order."""
    return [
        *_load(history, logs),
        *_generator(history.of(Generator), logs),
        *_ledger(history.of(Ledger)),
        *_hops(history.of(Hop), logs),
        *_memory(history.of(Memory)),
        *_observers(history),
    ]


def _load(history: History, logs: Logs) -> Iterator[Disagreement]:
    loads = history.loads
    summaries = history.of(LoadSummary)
    for summary in summaries:
        name = f"{summary.phase}/{summary.engine}"
        failed = sum(summary.failed.values())
        if summary.scheduled != summary.done + failed + summary.unsent:
            words = (
                f"{name}: {summary.scheduled} due, but {summary.done} done, {failed} failed, {summary.unsent} unsent"
            )
            yield Disagreement("load", words)
        counted = sum(int(interval.counts.sum()) for interval in logs.get(summary.hlog, ()))
        if summary.hlog in logs and counted != summary.scheduled:
            yield Disagreement("load", f"{name}: {summary.scheduled} due, but {counted} in {summary.hlog}")
        own = loads.at(summary.phase, summary.engine)
        for field in ("scheduled", "sent", "done", "unsent"):
            total, stated = int(loads.column(field)[own].sum()), getattr(summary, field)
            if total != stated:
                yield Disagreement("load", f"{name}: {field} is {stated} in the summary, {total} over its seconds")
        if failed != int(loads.column("failed")[own].sum()):
            yield Disagreement("load", f"{name}: the failures of the summary are not those of its seconds")
    for phase, engine in sorted(loads.pairs() - {(summary.phase, summary.engine) for summary in summaries}):
        yield Disagreement("load", f"{phase}/{engine}: has seconds, but no summary")


def _generator(records: list[Generator], logs: Logs) -> Iterator[Disagreement]:
    for record in records:
        lag = merge(logs.get(record.lag_hlog, ()), record.hlog_unit)
        if lag is None:
            continue
        for name, stated, logged in (
            ("p50", record.lag_p50_ms, lag.p50_ms),
            ("p99", record.lag_p99_ms, lag.p99_ms),
            ("maximum", record.lag_max_ms, lag.max_ms),
        ):
            if abs(logged - stated) > max(LAG_TOLERANCE * logged, 0.01):
                words = f"{record.phase}: lag {name} is {stated} ms in the record, {logged} ms in its log"
                yield Disagreement("load", words)


def _ledger(rows: list[Ledger]) -> Iterator[Disagreement]:
    for row in rows:
        name = "/".join(bus.key(row))
        if row.lost != bus.lost(row):
            yield Disagreement("bus", f"{name}: {row.lost} lost in the record, {bus.lost(row)} by its own account")
        counted = row.processed_unique + row.dead_lettered + row.redeliveries
        if row.deliveries != counted:
            yield Disagreement("bus", f"{name}: {row.deliveries} deliveries, but {counted} accounted for")


def _hops(hops: list[Hop], logs: Logs) -> Iterator[Disagreement]:
    for hop in hops:
        counted = sum(int(interval.counts.sum()) for interval in logs.get(hop.hlog, ()))
        if hop.hlog in logs and counted != hop.count:
            yield Disagreement("hops", f"{hop.phase}/{hop.name}: {hop.count} timed, but {counted} in {hop.hlog}")


def _memory(records: list[Memory]) -> Iterator[Disagreement]:
    for record in records:
        total = sum(record.per_process.values())
        if total != record.pss_bytes_total:
            words = f"{record.pss_bytes_total} bytes in the record, {total} over its processes ({record.at})"
            yield Disagreement("memory", words)


def _observers(history: History) -> Iterator[Disagreement]:
    for observer in history.of(Observer):
        recorded = len(history.of(Halt)) if observer.subject == "halts" else len(history.of(Alert))
        if observer.seen != recorded:
            yield Disagreement("halts", f"{observer.subject}: {observer.seen} seen, {recorded} recorded")
