"""Do the records agree with each other? What one record says must follow from the others that measured the same."""

from collections.abc import Iterator
from dataclasses import dataclass

from reports.history import History
from reports.latency import Logs, merge
from reports.measures import bus, busbench, hardware, speed, testimony
from reports.records import (
    Alert,
    BacktestResult,
    Backtests,
    BusMode,
    Denial,
    Exemplar,
    Generator,
    Halt,
    Hop,
    Ledger,
    LoadSummary,
    Memory,
    Observer,
    Route,
    SearchStep,
    Source,
)

LAG_TOLERANCE = 0.01
"""Relative: an HDR log keeps three significant digits, a record may state the exact percentile."""

LONGEST_MS = 60_000.0
"""What is longer is in a log as this."""

SPEEDUP_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two records contradict each other about a subject: load, bus, memory, halts, health and others."""

    subject: str
    words: str


def check(history: History, logs: Logs) -> list[Disagreement]:
    """All disagreements, in a fixed order."""
    return [
        *_load(history, logs),
        *_generator(history.of(Generator), logs),
        *_requests(history, logs),
        *_ledger(history.of(Ledger)),
        *_hops(history.of(Hop), logs),
        *_memory(history.of(Memory)),
        *_observers(history),
        *_sources(history.of(Source)),
        *_search(history.of(SearchStep), logs),
        *_backtests(history),
        *_health(history),
        *_bus_modes(history.of(BusMode), logs),
        *_routes(history),
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


def _requests(history: History, logs: Logs) -> Iterator[Disagreement]:
    summaries = history.of(LoadSummary)
    for summary in summaries:
        name = summary.service_hlog
        if name in logs and (counted := sum(int(part.counts.sum()) for part in logs[name])) != summary.sent:
            yield Disagreement("load", f"{summary.phase}/{summary.engine}: {summary.sent} sent, {counted} in {name}")
    for record in history.of(Exemplar):
        own = [summary for summary in summaries if summary.phase == record.phase]
        words = f"{record.phase}: the {record.which} request"
        if record.which == "first-failed":
            if not any(item.failed.get(record.outcome) for item in own if item.engine == record.engine):
                yield Disagreement("load", f"{words} is one of {record.engine} that its summary does not have")
            continue
        tops = [merge(logs.get(item.hlog, ()), item.hlog_unit) for item in own]
        most = max((top.max_ms for top in tops if top is not None), default=None)
        if most is not None and abs(min(record.latency_ms, LONGEST_MS) - most) > max(LAG_TOLERANCE * most, 0.01):
            yield Disagreement("load", f"{words} took {record.latency_ms} ms, {most} ms in the logs")


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
        events: list[Halt] | list[Alert] = history.of(Halt) if observer.subject == "halts" else history.of(Alert)
        recorded = sum(event.mono_ns <= observer.mono_ns for event in events)
        if observer.subject == "denials":
            recorded = sum(item.count for item in history.of(Denial) if item.mono_ns <= observer.mono_ns)
        if observer.seen != recorded:
            yield Disagreement("halts", f"{observer.subject}: {observer.seen} seen, {recorded} recorded")


def _sources(records: list[Source]) -> Iterator[Disagreement]:
    for record in records:
        if record.status in {"LIVE", "SIMULATED"} and record.simulated is not (record.status == "SIMULATED"):
            whom = "a simulator was" if record.simulated else "the source itself was"
            yield Disagreement("sources", f"{record.name}: {record.status}, but {whom} asked")


def _search(steps: list[SearchStep], logs: Logs) -> Iterator[Disagreement]:
    for step in steps:
        name = f"{step.phase}/{step.number}"
        if step.scheduled != step.done + step.errors:
            yield Disagreement("search", f"{name}: {step.scheduled} due, but {step.done} done, {step.errors} in error")
        found, lag = speed.latency(step, logs)
        if found is None or lag is None:
            if step.scheduled:
                yield Disagreement("search", f"{name}: its logs do not hold its {step.scheduled} requests")
            continue
        for what, stated, logged in (("p99", step.p99_ms, found.p99_ms), ("lag p99", step.lag_p99_ms, lag.p99_ms)):
            if abs(logged - stated) > max(LAG_TOLERANCE * logged, 0.01):
                yield Disagreement("search", f"{name}: {what} is {stated} ms in the record, {logged} ms in its log")
        late = speed.void(step.p99_ms, step.lag_p99_ms, step.foreign_cores)
        held = not late and step.errors == 0 and step.p99_ms < step.limit_ms
        if (step.void, step.ok) != (late, held):
            yield Disagreement("search", f"{name}: its verdict does not follow from its own figures")


def _backtests(history: History) -> Iterator[Disagreement]:
    results = history.of(BacktestResult)
    accounts = history.of(Backtests)
    for account in accounts:
        own = [result for result in results if result.phase == account.phase]
        counts = [sum(result.outcome == outcome for result in own) for outcome in ("succeeded", "rejected", "failed")]
        counted = (len(own), *counts, sum(result.runs for result in own))
        stated = (account.executed, account.succeeded, account.rejected, account.failed, account.runs)
        if stated != counted:
            yield Disagreement("backtests", f"{account.phase}: {stated} in the account, {counted} over its requests")
    for phase in sorted({result.phase for result in results} - {account.phase for account in accounts}):
        yield Disagreement("backtests", f"{phase}: has requests, but no account")


def _health(history: History) -> Iterator[Disagreement]:
    for row in testimony.last(history):
        for words in testimony.contradictions(row, history):
            yield Disagreement("health", f"{row.engine}: {words}")


def _bus_modes(modes: list[BusMode], logs: Logs) -> Iterator[Disagreement]:
    for mode in modes:
        name = f"{mode.phase}/{mode.mode}"
        if mode.lost != mode.published - mode.delivered:
            words = f"{name}: {mode.lost} lost in the record, {mode.published - mode.delivered} by its own account"
            yield Disagreement("busbench", words)
        if mode.timed and busbench.latency(mode, logs) is None:
            yield Disagreement("busbench", f"{name}: its log does not hold the {mode.timed} messages that were timed")


def _routes(history: History) -> Iterator[Disagreement]:
    times = hardware.times_of(history)
    for route in history.of(Route):
        told = hardware.speedup(times, route.kernel, route.measured_at, route.device)
        if told is None or abs(told - route.speedup) > SPEEDUP_TOLERANCE * told:
            words = f"{route.kernel} from {route.from_size} on {route.device}: its speed-up is not that of its times"
            yield Disagreement("hardware", words)
