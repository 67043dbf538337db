"""A run as a log: one line an event, in the order of the records, with the wall clock's time of each."""

from collections.abc import Iterator

from reports.model import Report
from reports.records import (
    Abort,
    Accelerated,
    Alert,
    AnyRecord,
    Backtests,
    BusMode,
    Calibration,
    End,
    Fault,
    FleetBoot,
    FleetEvent,
    Halt,
    LoadSummary,
    Phase,
    Recovery,
    Run,
    SearchStep,
    Source,
    Unavailable,
)

NAME = "comprehensive_stress_test_results.log"


def render(report: Report) -> str:
    """The document; the verdicts stand at its end, at the time of the last record."""
    lines = [f"{record.at} {words}" for record in report.history.records for words in _words(record)]
    last = report.history.last
    at = last.at if last is not None else ""
    lines += [f"{at} criterion {item.id}: {item.verdict.label}" for item in report.criteria]
    return "\n".join([*lines, f"{at} verdict {report.headline}"]) + "\n"


def _words(record: AnyRecord) -> Iterator[str]:  # noqa: PLR0912 - a case a kind
    match record:
        case Run():
            yield f"run {record.run_id}: {record.title}, seed {record.seed}, version {record.version}"
        case FleetBoot():
            yield f"fleet {record.engines} engines ready after {record.seconds:.2f} s"
        case Phase():
            yield f"phase {record.name} {record.event}s"
        case FleetEvent():
            yield _flat(f"engine {record.engine} {record.event} {record.state} {record.cause}")
        case Calibration():
            yield f"calibration {record.mix}: {record.rate_rps:.0f} requests/s, {record.errors} errors"
        case LoadSummary():
            yield f"load {record.phase} {record.engine}: {record.done} of {record.scheduled} answered"
        case SearchStep():
            yield f"search {record.phase}: {record.rate_rps:.0f} requests/s, p99 {record.p99_ms:.2f} ms"
        case Source():
            yield _flat(f"source {record.title} {record.status} {record.detail}")
        case Halt():
            yield _flat(f"halt {record.kind} {record.symbol or 'market-wide'}: {record.rule}")
        case Alert():
            yield _flat(f"alert {record.kind} {record.symbol or ''} {record.detail}")
        case Fault():
            yield _flat(f"fault {record.id} {record.event}: {record.proof}")
        case Recovery():
            yield f"recovery {record.id}: {'regained' if record.regained_ns is not None else 'not regained'}"
        case Accelerated():
            yield _flat(f"hardware {record.engine} {record.kernel} on {record.device}")
        case BusMode():
            yield f"bus {record.mode}: {record.delivered} of {record.published} delivered in {record.seconds:.2f} s"
        case Backtests():
            yield f"backtests {record.executed} executed, {record.succeeded} succeeded, {record.failed} failed"
        case Unavailable():
            yield _flat(f"unavailable {record.criterion}: {record.why}")
        case Abort():
            yield _flat(f"abort {record.phase}: {record.condition}")
        case End():
            yield _flat(f"end {record.status} {record.reason}")


def _flat(words: str) -> str:
    """In one line."""
    return " ".join(words.split())
