"""Drills and loads of some engines in the report: both paths to their figures, verdicts, what is unknown."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from reports import records, runs, verify
from reports.criteria import Verdict
from tests.reports.conftest import ENGINES, Edit, build, finish, without_requests

HEAD: Any = {"at": "2026-03-04T10:00:30+00:00", "mono_ns": 0}
S = 10**9
CRITERIA = ("kill-switch", "kill-switch-residual", "reverse-stress", "start-state")


def added(*more: records.AnyRecord) -> Edit:
    """The small run with these records before its end, and the criteria of drills."""

    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        head, *rest = lines
        assert isinstance(head, records.Run)
        wanted = [records.CriterionTarget(id=name) for name in (*CRITERIA, "server-errors")]
        placed = [msgspec.structs.replace(item, mono_ns=rest[-1].mono_ns) for item in more]
        return [msgspec.structs.replace(head, criteria=wanted, thresholds=[]), *rest[:-1], *placed, rest[-1]]

    return edit


def judged(folder: Path) -> dict[str, tuple[Verdict, float | None]]:
    """Verdicts and values, after both paths agreed on every figure and verdict."""
    found = verify.verify(folder)
    assert found.ok, found.mismatches
    return {item.id: (item.verdict, item.measured) for item in runs.load(folder).criteria}


def kill(**changed: Any) -> records.KillSwitch:
    fields: dict[str, Any] = {
        "phase": "drill", "ordered_ns": 100 * S, "watched_s": 10.0, "open_orders": 2, "positions": 3,
        "exposure": 300_000.0, "orders_gone_ns": 100 * S + S // 4, "flat_ns": 101 * S, "residual": 0.0,
    }  # fmt: skip
    return records.KillSwitch(**HEAD, **(fields | changed))


@pytest.mark.parametrize(
    ("drills", "flat", "left"),
    [
        ((kill(),), (Verdict.EXCEEDED, 1.0), (Verdict.ACHIEVED, 0.0)),
        ((kill(flat_ns=102 * S),), (Verdict.ACHIEVED, 2.0), (Verdict.ACHIEVED, 0.0)),
        ((kill(), kill(phase="b", flat_ns=103 * S)), (Verdict.MISSED, 3.0), (Verdict.ACHIEVED, 0.0)),
        ((kill(flat_ns=None, residual=5.0),), (Verdict.MISSED, 10.0), (Verdict.MISSED, 5.0)),
        ((kill(positions=0, exposure=0.0),), (Verdict.UNKNOWN, None), (Verdict.UNKNOWN, None)),  # nothing to close
        ((), (Verdict.UNKNOWN, None), (Verdict.UNKNOWN, None)),
    ],
)
def test_a_kill_switch_is_as_good_as_its_worst_drill(
    tmp_path: Path,
    drills: tuple[records.KillSwitch, ...],
    flat: tuple[Verdict, float | None],
    left: tuple[Verdict, float | None],
) -> None:
    folder = finish(build(tmp_path / "run", added(*drills)))
    found = judged(folder)
    assert (found["kill-switch"], found["kill-switch-residual"]) == (flat, left)
    assert ("## Drills" in (folder / runs.REPORT_MD).read_text()) is bool(drills)


def request_hop(producer: str, topic: str, count: int, first_ms: int, last_ms: int) -> records.RequestHop:
    sent = [100 * S + ms * S // 1000 for ms in (first_ms, last_ms)]
    return records.RequestHop(
        **HEAD, phase="drill", request="run-op-3", producer=producer, topic=topic, count=count, first_ns=sent[0],
        last_ns=sent[1],
    )  # fmt: skip


def test_the_request_of_a_kill_switch_stands_hop_by_hop(tmp_path: Path) -> None:
    thrown = kill(request="run-op-3", arrived_ns=100 * S + S // 500, answered_ns=100 * S + S // 125)
    hops = [request_hop("marketdata", "fills", 3, 40, 60), request_hop("strategy", "orders", 5, 4, 30)]
    folder = finish(build(tmp_path / "run", added(thrown, *hops)))
    judged(folder)
    figures = runs.load(folder).figures
    assert {f.id: f.value for f in figures if f.id.startswith("request.")} == {
        "request.drill.arrived_ms": 2.0, "request.drill.answered_ms": 8.0,
        "request.drill.strategy.orders.count": 5, "request.drill.strategy.orders.first_ms": 4.0,
        "request.drill.strategy.orders.last_ms": 30.0, "request.drill.marketdata.fills.count": 3,
        "request.drill.marketdata.fills.first_ms": 40.0, "request.drill.marketdata.fills.last_ms": 60.0,
    }  # fmt: skip
    text = (folder / runs.REPORT_MD).read_text()
    section = text.partition("## Drills")[2].partition("\n## ")[0]
    rows = [line.split("|") for line in section.splitlines() if line.startswith("|")]
    found = [[cell.strip() for cell in row[1:-1]] for row in rows]
    assert found[0] == ["From", "Topic", "Messages", "First sent ms", "Last sent ms"]
    assert [row[:3] for row in found[2:]] == [["strategy", "orders", "5"], ["marketdata", "fills", "3"]]
    assert "run-op-3 arrived at its engine after" in section


def test_a_request_that_nothing_tells_of_is_unknown_and_an_old_run_has_none(tmp_path: Path) -> None:
    for name, thrown, known in (("new", kill(request="run-op-3"), 2), ("old", kill(), 0)):
        folder = finish(build(tmp_path / name, added(thrown)))
        judged(folder)
        figures = [f for f in runs.load(folder).figures if f.id.startswith("request.")]
        assert [f.value for f in figures] == [None] * known
        assert ("The request, hop by hop" in (folder / runs.REPORT_MD).read_text()) is bool(known)


def test_hops_of_a_request_whose_sending_nobody_recorded_have_counts_and_no_times(tmp_path: Path) -> None:
    folder = finish(build(tmp_path / "run", added(request_hop("strategy", "orders", 5, 4, 30))))
    judged(folder)
    figures = runs.load(folder).figures
    told = [figures[f"request.drill.strategy.orders.{name}"].value for name in ("count", "first_ms", "last_ms")]
    assert told == [5, None, None]


def test_a_replay_stands_beside_the_request_that_asked_for_it(tmp_path: Path) -> None:
    silent = records.Replay(**HEAD, phase="quiet", number=2, request="run-op-9", asked_ns=5)
    folder = finish(build(tmp_path / "run", added(silent)))
    judged(folder)
    figures = runs.load(folder).figures
    steps = ("arrived_ms", "opened_ms", "first_tick_due_ms", "first_tick_ms")
    assert [figures[f"replay.crash.{step}"].value for step in steps] == [1.25, 900.0, 15_000.0, 15_002.5]
    assert [figures[f"replay.quiet.{step}"].value for step in steps] == [None] * 4
    section = (folder / runs.REPORT_MD).read_text().partition("## MessageBus")[2].partition("\n## ")[0]
    assert "20260304_100000_flash-crash-op-1" in section and "run-op-9" in section


def reverse(falls: dict[float, bool], **changed: Any) -> list[records.AnyRecord]:
    """A search that tried these falls; the closed form is a fall of 5 %."""
    fields: dict[str, Any] = {
        "phase": "r", "exposure": 2e7, "pnl": 0.0, "loss_limit": 1e6, "resolution": 0.001, "most": 1.0,
    }  # fmt: skip
    steps = [
        records.ReverseStep(**HEAD, phase="r", number=n, fall=fall, loss=2e7 * fall, breaches=breaches)
        for n, (fall, breaches) in enumerate(falls.items(), 1)
    ]
    return [records.ReverseStress(**HEAD, **(fields | changed)), *steps]


@pytest.mark.parametrize(
    ("lines", "verdict", "apart"),
    [
        (reverse({0.0: False, 1.0: True, 0.0504: True, 0.0497: False}), Verdict.EXCEEDED, 0.04),
        (reverse({0.0: False, 1.0: True, 0.06: True}), Verdict.MISSED, 1.0),
        (reverse({0.0: False, 1.0: True, 0.051: True}, pnl=20_000.0), Verdict.EXCEEDED, 0.0),
        (reverse({0.0: False, 1.0: False}), Verdict.MISSED, 95.0),  # the engine saw no breach where there is one
        (reverse({0.0: False, 1.0: True, 0.3: True}, exposure=-5.0), Verdict.MISSED, 70.0),  # and here the reverse
        (reverse({0.0: False, 1.0: False}, exposure=-5.0), Verdict.EXCEEDED, 0.0),  # short: no fall breaches
        (reverse({}), Verdict.UNKNOWN, None),
    ],
)
def test_a_reverse_stress_is_held_against_its_closed_form(
    tmp_path: Path, lines: list[records.AnyRecord], verdict: Verdict, apart: float | None
) -> None:
    found = judged(finish(build(tmp_path / "run", added(*lines))))["reverse-stress"]
    assert found[0] is verdict
    assert found[1] == (apart if apart is None else pytest.approx(apart, abs=1e-9))


@pytest.mark.parametrize(
    ("items", "verdict"),
    [
        ((("position ESX", 360.0, 360.0), ("margin_use", 0.9, 0.94)), (Verdict.ACHIEVED, 0)),
        ((("position ESX", 360.0, 359.0), ("open_orders", 20.0, 20.0)), (Verdict.INVALID, 1)),
        ((("margin_use", 0.9, 0.8), ("open_orders", 20.0, None)), (Verdict.INVALID, 2)),
        ((), (Verdict.UNKNOWN, None)),
    ],
)
def test_a_start_that_was_not_reached_is_the_rigs_failure(
    tmp_path: Path, items: tuple[tuple[str, float, float | None], ...], verdict: tuple[Verdict, float | None]
) -> None:
    states = [records.StartState(**HEAD, phase="p", item=item, wanted=want, got=got) for item, want, got in items]
    assert judged(finish(build(tmp_path / "run", added(*states))))["start-state"] == verdict


@pytest.mark.parametrize(("equity", "use"), [(473_684.25, 95.0), (0.0, None), (-5.0, None)])
def test_the_account_at_the_start_stands_in_the_report(tmp_path: Path, equity: float, use: float | None) -> None:
    account = records.StartAccount(**HEAD, phase="p", cash=773_684.25, equity=equity, maintenance=450_000.0)
    folder = finish(build(tmp_path / "run", added(account)))
    judged(folder)
    figures = runs.load(folder).figures
    told = [figures[f"start.p.{name}"].number for name in ("cash", "equity", "maintenance", "use_percent")]
    assert told[:3] == [773_684.25, equity, 450_000.0]
    assert told[3] == (use if use is None else pytest.approx(use, abs=1e-4))
    assert "the account began with 773,684" in (folder / runs.REPORT_MD).read_text()


@pytest.mark.parametrize(
    ("asked", "known"), [(None, False), (["risk", "vpin"], True), (["risk", "vpin", "strategy"], False)]
)
def test_a_load_of_some_engines_needs_the_answers_of_those_only(
    tmp_path: Path, asked: list[str] | None, known: bool
) -> None:
    gone = ENGINES[-1]
    more = [] if asked is None else [records.LoadTargets(**HEAD, phase="crash", engines=asked)]

    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        return [
            line
            for line in without_requests(added(*more)(lines))
            if not (isinstance(line, records.Load | records.LoadSummary) and line.engine == gone)
        ]

    folder = build(tmp_path / "run", edit)
    (folder / f"latency/crash.{gone}.hlog").unlink()
    verdict, measured = judged(finish(folder))["server-errors"]
    assert (verdict is Verdict.ACHIEVED, measured == 0) == (known, known)
