"""Single requests and a generator of several processes: what contradicts other records, and what is not there."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from reports import records, runs, verify
from tests.reports.conftest import Edit, build, finish

Change = Callable[[records.AnyRecord], records.AnyRecord | None]


def edited(change: Change) -> Edit:
    return lambda lines: [made for line in lines if (made := change(line)) is not None]


def slowest(**fields: object) -> Change:
    def change(line: records.AnyRecord) -> records.AnyRecord:
        own = isinstance(line, records.Exemplar) and line.which == "slowest"
        return msgspec.structs.replace(line, **fields) if own else line

    return change


def first_failed(**fields: object) -> Change:
    def change(line: records.AnyRecord) -> records.AnyRecord:
        own = isinstance(line, records.Exemplar) and line.which == "first-failed"
        return msgspec.structs.replace(line, **fields) if own else line

    return change


def served(line: records.AnyRecord) -> records.AnyRecord:
    """One request less was sent than the log of service times holds."""
    if isinstance(line, records.LoadSummary) and line.engine == "vpin":
        return msgspec.structs.replace(line, sent=line.sent - 1)
    if isinstance(line, records.Load) and line.engine == "vpin" and line.second == 0:
        return msgspec.structs.replace(line, sent=line.sent - 1)
    return line


def without_second_process(line: records.AnyRecord) -> records.AnyRecord | None:
    return None if isinstance(line, records.Generator) and line.process == 1 else line


def verdict(folder: Path, criterion: str) -> str:
    return next(item.verdict.label for item in runs.load(folder).criteria if item.id == criterion)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (slowest(latency_ms=3.0), "the slowest request took 3.0 ms, 3.99"),
        (slowest(latency_ms=4.2), "the slowest request took 4.2 ms"),
        (first_failed(outcome="reset"), "the first-failed request is one of risk that its summary does not have"),
        (served, "crash/vpin: 598 sent, 599 in latency/crash.vpin.service-time.hlog"),
    ],
)
def test_what_other_records_contradict_is_told_by_both_paths(tmp_path: Path, change: Change, words: str) -> None:
    folder = finish(build(tmp_path / "run", edited(change)))
    assert words in (folder / runs.REPORT_MD).read_text("utf-8")
    assert verdict(folder, "server-errors") == "INVALID"
    assert verify.verify(folder).ok


def test_the_lag_of_a_process_that_is_missing_is_unknown(tmp_path: Path) -> None:
    folder = finish(build(tmp_path / "run", edited(without_second_process)))
    figures = runs.load(folder).figures
    assert figures["generator.crash.lag_p99_ms"].value is None
    assert verdict(folder, "generator-valid") == "UNKNOWN"
    assert verify.verify(folder).ok


def test_the_report_names_processes_bodies_and_requests(tmp_path: Path) -> None:
    report = (finish(build(tmp_path / "run")) / runs.REPORT_MD).read_text("utf-8")
    for words in (
        "generator processes 2",
        "1,790",
        "r7-00-00000042",
        "first failed",
        "| 2                 |",
    ):
        assert words in report
