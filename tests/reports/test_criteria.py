"""No criterion passes without records; the worst verdict wins; the rig's failures are INVALID."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from reports import criteria, records, runs
from reports.criteria import Verdict
from reports.rules import RULES
from reports.rules.rule import Case, Measured, Rule
from tests.reports.conftest import CRITERIA, Edit, build

R = TypeVar("R", bound=records.Record)


def verdicts(folder: Path) -> dict[str, Verdict]:
    return {item.id: item.verdict for item in runs.load(folder).criteria}


def change(kind: type[R], when: Callable[[R], bool] = lambda _: True, /, **fields: object) -> Edit:
    """Replace fields of the records of a kind."""

    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        return [msgspec.structs.replace(x, **fields) if isinstance(x, kind) and when(x) else x for x in lines]

    return edit


def only(*kinds: type[records.AnyRecord]) -> Edit:
    return lambda lines: [item for item in lines if isinstance(item, kinds)]


def test_every_criterion_of_the_small_run_stands(run_folder: Path) -> None:
    report = runs.load(run_folder)
    assert {item.verdict for item in report.criteria} == {Verdict.EXCEEDED, Verdict.ACHIEVED}
    assert report.verdict is Verdict.ACHIEVED
    asked = [f"threshold.crash.{number}" for number in range(1, 5)]
    assert [item.id for item in report.criteria] == [*(name for name in CRITERIA if name != "tick-to-risk"), *asked]


def test_no_criterion_passes_on_missing_records(tmp_path: Path) -> None:
    """A run record, the phases and an end, and nothing measured."""
    folder = build(tmp_path / "run", only(records.Run, records.Phase, records.End))
    assert set(verdicts(folder).values()) == {Verdict.UNKNOWN}
    assert runs.load(folder).verdict is Verdict.UNKNOWN


KINDS = [kind for kind in records.AnyRecord.__args__ if kind is not records.Run]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_taking_records_away_never_improves_a_verdict(tmp_path: Path, kind: type[records.AnyRecord]) -> None:
    before = verdicts(build(tmp_path / "whole"))
    after = verdicts(build(tmp_path / "less", lambda lines: [item for item in lines if not isinstance(item, kind)]))
    assert all(after[name] >= before[name] for name in before)


@pytest.mark.parametrize(
    ("edit", "criterion", "verdict"),
    [
        (change(records.Health, lambda h: h.phase == "recovery", pid=999), "engines-alive", Verdict.MISSED),
        (change(records.Health, lambda h: h.phase == "recovery", restarts=1), "engines-alive", Verdict.MISSED),
        (change(records.Health, lambda h: h.phase == "recovery", status="down"), "engines-alive", Verdict.MISSED),
        (change(records.Health, lambda h: h.phase == "recovery", error="refused"), "engines-alive", Verdict.MISSED),
        (change(records.FleetEvent, state="CRASHED"), "engines-alive", Verdict.MISSED),
        (change(records.Health, lambda h: h.phase == "crash", error="timeout"), "availability", Verdict.MISSED),
        (change(records.Health, lambda h: h.phase == "idle", response_ms=10.0), "normal-response", Verdict.MISSED),
        (change(records.Health, lambda h: h.phase == "idle", response_ms=9.0), "normal-response", Verdict.ACHIEVED),
        (change(records.Ledger, processed_unique=8998, lost=1, deliveries=9001), "zero-loss", Verdict.MISSED),
        (change(records.Ledger, lost=1), "zero-loss", Verdict.INVALID),
        (change(records.Ledger, lambda r: r.consumer == "vpin", consumer="other"), "zero-loss", Verdict.UNKNOWN),
        (change(records.Run, expect=records.Expect()), "zero-loss", Verdict.UNKNOWN),
        (change(records.LoadSummary, failed={"reset": 1}), "server-errors", Verdict.MISSED),
        (change(records.LoadSummary, failed={"a_new_kind": 1}), "server-errors", Verdict.MISSED),
        (change(records.LoadSummary, lambda s: s.engine == "risk", done=599), "throughput", Verdict.INVALID),
        (change(records.Generator, lag_hlog="latency/crash.risk.hlog"), "generator-valid", Verdict.INVALID),
        (change(records.Generator, lag_hlog="latency/absent.hlog"), "generator-valid", Verdict.UNKNOWN),
        (change(records.Connections, at_peak=499), "connections", Verdict.MISSED),
        (change(records.Ledger, seconds=9.0), "bus-rate", Verdict.MISSED),
        (change(records.Halt, symbol="AAPL"), "expected-halts", Verdict.MISSED),
        (change(records.Observer, seen=2), "expected-halts", Verdict.INVALID),
        (change(records.Alert, kind="other"), "expected-alerts", Verdict.MISSED),
        (
            change(records.Memory, pss_bytes_total=1_300_000_000, per_process={"risk": 1_300_000_000}),
            "pss",
            Verdict.MISSED,
        ),
        (change(records.Memory, pss_bytes_total=1), "pss", Verdict.INVALID),
    ],
)
def test_what_each_criterion_hangs_on(tmp_path: Path, edit: Edit, criterion: str, verdict: Verdict) -> None:
    report = runs.load(build(tmp_path / "run", edit))
    assert {item.id: item.verdict for item in report.criteria}[criterion] is verdict
    assert report.verdict >= verdict


def test_a_run_that_was_stopped_can_miss_but_not_pass(tmp_path: Path) -> None:
    stopped = change(records.End, status="interrupted", reason="Ctrl-C")
    found = verdicts(build(tmp_path / "run", stopped))
    assert set(found.values()) == {Verdict.UNKNOWN}
    missed = change(records.Connections, at_peak=1)
    both = verdicts(build(tmp_path / "both", lambda lines: stopped(missed(lines))))
    assert both["connections"] is Verdict.MISSED


def test_an_absent_device_is_not_available_and_an_unknown_criterion_unknown(tmp_path: Path) -> None:
    wanted = [records.CriterionTarget(id="hardware"), records.CriterionTarget(id="of-tomorrow")]

    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        lacking = records.Unavailable(at="", mono_ns=lines[0].mono_ns, criterion="hardware", why="no accelerator")
        return [msgspec.structs.replace(lines[0], criteria=wanted, thresholds=[]), *lines[1:-1], lacking, lines[-1]]

    folder = build(tmp_path / "run", edit)
    assert verdicts(folder) == {"hardware": Verdict.NOT_AVAILABLE, "of-tomorrow": Verdict.UNKNOWN}


def test_a_checker_that_crashes_is_unknown(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(case: Case) -> Measured:
        raise ZeroDivisionError

    monkeypatch.setitem(RULES, "pss", Rule("Memory", "bytes", "at most", 1.0, crash))
    found = next(item for item in runs.load(run_folder).criteria if item.id == "pss")
    assert (found.verdict, found.note) == (Verdict.UNKNOWN, "its checker crashed: ZeroDivisionError")


def test_without_criteria_the_verdict_is_unknown() -> None:
    assert criteria.overall([]) is Verdict.UNKNOWN


def test_verdicts_stand_in_the_documented_order() -> None:
    assert [item.label for item in sorted(Verdict)] == [
        "EXCEEDED", "ACHIEVED", "NOT AVAILABLE", "UNKNOWN", "INVALID", "MISSED",
    ]  # fmt: skip
