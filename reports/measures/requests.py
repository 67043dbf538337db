"""Figures about single requests of the loaded phases: time from their sending, the slowest, the first that failed."""

from collections.abc import Iterator

from reports.figures import Evidence, Figure, in_history
from reports.history import History
from reports.latency import Distribution, Logs, merge
from reports.measures.load import ALL, loaded_phases
from reports.records import Exemplar, LoadSummary

SERVICE = "merged HDR counts of every sent request, from its sending to the whole reply, without the wait before it"
_FIELDS = ("p50_ms", "p99_ms", "p999_ms", "max_ms")


def measure(history: History, logs: Logs) -> Iterator[Figure]:
    """Of phases that kept them."""
    for phase in loaded_phases(history):
        kept = [item for item in history.of(LoadSummary) if item.phase == phase and item.service_hlog]
        for engine in dict.fromkeys(item.engine for item in kept):
            own = [item for item in kept if item.engine == engine]
            yield from _service(f"load.{phase}.{engine}", own, logs)
        if kept:
            yield from _service(f"load.{phase}.{ALL}", kept, logs)
        for record in exemplars(history, phase):
            yield from _exemplar(record)


def exemplars(history: History, phase: str) -> list[Exemplar]:
    """The last of each kind of a phase."""
    found = {record.which: record for record in history.of(Exemplar) if record.phase == phase}
    return [found[which] for which in sorted(found, reverse=True)]


def service(summaries: list[LoadSummary], logs: Logs) -> Distribution | None:
    """Merged service times; None unless each summary's log holds exactly its sent requests."""
    for summary in summaries:
        counted = sum(int(interval.counts.sum()) for interval in logs.get(summary.service_hlog, ()))
        if counted != summary.sent:
            return None
    units = {summary.hlog_unit for summary in summaries}
    parts = (interval for summary in summaries for interval in logs.get(summary.service_hlog, ()))
    return merge(parts, units.pop()) if len(units) == 1 else None


def _service(prefix: str, own: list[LoadSummary], logs: Logs) -> Iterator[Figure]:
    files = tuple(Evidence(item.service_hlog) for item in own if item.service_hlog in logs)
    found = service(own, logs)
    for field in _FIELDS:
        value: float | None = getattr(found, field) if found is not None else None
        yield Figure(f"{prefix}.service_{field}", value, "ms", SERVICE, files)


def _exemplar(record: Exemplar) -> Iterator[Figure]:
    prefix = f"exemplar.{record.phase}.{record.which}"
    source = (in_history("exemplar", 1, phase=record.phase, which=record.which),)
    words = "the measured request with the longest latency"
    if record.which == "first-failed":
        words = "the measured request that was due first of those that failed"
    yield Figure(f"{prefix}.request", record.request, "text", words, source)
    yield Figure(f"{prefix}.engine", record.engine, "text", words, source)
    yield Figure(f"{prefix}.outcome", record.outcome, "text", words, source)
    if record.reason:
        yield Figure(f"{prefix}.reason", record.reason, "text", words, source)
    yield Figure(f"{prefix}.latency_ms", record.latency_ms, "ms", words, source)
