"""Faults and recoveries: both paths to their figures, and what a fault excuses."""

import re
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import records, runs, summary, verify
from reports.figures import Figures
from reports.measures.faults import nearest_rank
from reports.records import EngineRecovery, Fault, Recovery
from tests.reports.conftest import CRITERIA, Edit, build, finish

JUDGED = ("recovery-complete", "faults-proven", "recovery-p95", "healthy-at-end")
APART = "supervisor-recovery"
SECOND = 1_000_000_000


def with_faults(*recoveries: Recovery, proven: bool = True, sick_ns: int = 0) -> Edit:
    """The small run with these recoveries, each of a proven injection; a sick probe of risk at `sick_ns`."""

    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        head, *rest = lines
        assert isinstance(head, records.Run)
        wanted = [records.CriterionTarget(id=name) for name in (*CRITERIA, *JUDGED, APART)]
        told = [targets for targets in head.criteria if targets.target is not None]
        by_id = {item.id: item for item in (*wanted, *told)}
        head = msgspec.structs.replace(head, criteria=list(by_id.values()))
        more: list[records.AnyRecord] = []
        for item in recoveries:
            stamp = {"at": head.at, "mono_ns": item.injected_ns}
            words = {"id": item.id, "kind": item.kind, "target": item.target, "proof": "gone from the process table"}
            more += [Fault(**stamp, **words, event="inject", proven=proven), item]
        if sick_ns:
            probe = next(line for line in lines if isinstance(line, records.Health) and line.engine == "risk")
            more.append(msgspec.structs.replace(probe, mono_ns=sick_ns, status="down", error="no answer"))
        return [head, *sorted([*rest[:-1], *more], key=lambda line: line.mono_ns), rest[-1]]

    return edit


def recovery(name: str, seconds: float | None, at_ns: int = 6 * SECOND, engine: str = "risk") -> Recovery:
    """A recovery whose stamps lie evenly up to `seconds`."""
    steps = [None if seconds is None else at_ns + round(seconds * SECOND * part / 5) for part in range(1, 6)]
    fields = dict(zip(("detected_ns", "restarted_ns", "healthy_ns", "drained_ns", "regained_ns"), steps, strict=True))
    head = {"at": "2026-03-04T10:00:10+00:00", "mono_ns": at_ns}
    return Recovery(**head, id=name, kind="kill", target=engine, engines=[engine], injected_ns=at_ns, **fields)


def figures(folder: Path) -> Figures:
    return summary.summarise(summary.read(folder))


def test_both_paths_agree_on_every_figure_of_a_run_with_faults(tmp_path: Path) -> None:
    items = [recovery(f"f{n}", 0.5 + n / 4) for n in range(7)]
    folder = finish(build(tmp_path / "run", with_faults(*items)))
    found = verify.verify(folder)
    assert found.ok, found.mismatches
    own = figures(folder)
    seconds = [0.5 + n / 4 for n in range(7)]
    assert own["faults.injected"].value == 7
    assert own["recovery.regain_mean_s"].value == pytest.approx(sum(seconds) / 7)
    assert own["recovery.regain_p95_s"].value == pytest.approx(max(seconds))
    assert own["recovery.detect_worst_s"].value == pytest.approx(max(seconds) / 5)
    verdicts = {item.id: item.verdict.label for item in runs.load(folder).criteria}
    assert {name: verdicts[name] for name in JUDGED} == {
        "recovery-complete": "ACHIEVED",
        "faults-proven": "ACHIEVED",
        "recovery-p95": "ACHIEVED",
        "healthy-at-end": "ACHIEVED",
    }
    assert "## Faults and recovery" in (folder / runs.REPORT_MD).read_text()


def with_engines(edit: Edit, *ways: tuple[str, str, float | None]) -> Edit:
    """Beside `edit`, how engines came back: fault, engine, seconds after it."""

    def edited(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        head, *rest = edit(lines)
        began = {line.id: line.mono_ns for line in rest if isinstance(line, Recovery)}
        more = [
            EngineRecovery(
                at=head.at,
                mono_ns=began[fault],
                id=fault,
                engine=engine,
                answer_ms=100.0,
                fresh_ms=500.0,
                regained_ns=None if seconds is None else began[fault] + round(seconds * SECOND),
            )
            for fault, engine, seconds in ways
        ]
        return [head, *sorted([*rest[:-1], *more], key=lambda line: line.mono_ns), rest[-1]]

    return edited


def test_each_engine_has_its_own_way_back(tmp_path: Path) -> None:
    items = [recovery("a", 1.0), recovery("b", 2.0), recovery("c", 1.5, engine="vpin")]
    ways = (("a", "risk", 1.0), ("b", "risk", 2.0), ("c", "vpin", 1.5))
    folder = finish(build(tmp_path / "run", with_engines(with_faults(*items), *ways)))
    found = verify.verify(folder)
    assert found.ok, found.mismatches
    own = figures(folder)
    assert [own[f"regain.risk.{name}"].value for name in ("a_s", "b_s", "faults", "mean_s", "worst_s")] == [
        1,
        2,
        2,
        1.5,
        2,
    ]
    assert own["regain.vpin.worst_s"].value == 1.5
    assert re.search(
        r"\| risk +\| 100\.0 +\| 500\.0 +\| 2 +\| 1\.500 +\| 2\.000 +\|", (folder / runs.REPORT_MD).read_text()
    )


def test_an_engine_that_is_not_back_has_neither_mean_nor_worst(tmp_path: Path) -> None:
    items = [recovery("a", 1.0), recovery("b", None)]
    ways = (("a", "risk", 1.0), ("b", "risk", None))
    folder = finish(build(tmp_path / "run", with_engines(with_faults(*items), *ways)))
    assert verify.verify(folder).ok
    own = figures(folder)
    assert [own[f"regain.risk.{name}"].value for name in ("a_s", "b_s", "faults", "mean_s", "worst_s")] == [
        1.0, None, 2, None, None,
    ]  # fmt: skip


def test_a_recovery_that_its_engines_do_not_bear_out_is_told(tmp_path: Path) -> None:
    edit = with_engines(with_faults(recovery("a", 1.0)), ("a", "risk", 1.4))
    found = verify.verify(finish(build(tmp_path / "run", edit)))
    assert any("recovery.a.regain_s" in str(each) for each in found.mismatches)


def test_the_supervisors_end_is_judged_apart(tmp_path: Path) -> None:
    items = [recovery("a", 1.0), recovery("b", 5.5, engine="supervisor")]
    folder = finish(build(tmp_path / "run", with_faults(*items)))
    found = verify.verify(folder)
    assert found.ok, found.mismatches
    own = figures(folder)
    assert own["recovery.regain_worst_s"].value == pytest.approx(1.0)
    assert own["recovery.supervisor_worst_s"].value == pytest.approx(5.5)
    verdicts = {item.id: item.verdict.label for item in runs.load(folder).criteria}
    assert (verdicts["recovery-p95"], verdicts["supervisor-recovery"]) == ("EXCEEDED", "ACHIEVED")


def test_one_that_never_came_back_makes_the_times_unknown_and_the_run_missed(tmp_path: Path) -> None:
    folder = finish(build(tmp_path / "run", with_faults(recovery("a", 1.0), recovery("b", None))))
    assert verify.verify(folder).ok
    own = figures(folder)
    assert own["recovery.missing"].value == 1
    assert own["recovery.regain_p95_s"].value is None
    verdicts = {item.id: item.verdict.label for item in runs.load(folder).criteria}
    assert (verdicts["recovery-complete"], verdicts["recovery-p95"]) == ("MISSED", "UNKNOWN")
    met, worst, *others = (folder / runs.REPORT_MD).read_text().partition("## Executive summary")[2].splitlines()[2:6]
    good = sum(label in ("ACHIEVED", "EXCEEDED") for label in verdicts.values())
    assert met == f"- {good} of {len(verdicts)} criteria were met."  # what was not stands in front, the worst first
    assert worst == "- MISSED: Faults not recovered from, 1 faults against a target of 0 faults."
    assert "- UNKNOWN: Recovery from faults, p95, UNKNOWN against a target of 3.000 s." in others


def test_a_fault_that_nobody_saw_is_the_rigs_failure(tmp_path: Path) -> None:
    folder = finish(build(tmp_path / "run", with_faults(recovery("a", 1.0), proven=False)))
    assert verify.verify(folder).ok
    assert {item.id: item.verdict.label for item in runs.load(folder).criteria}["faults-proven"] == "INVALID"


@pytest.mark.parametrize(("at_s", "excused"), [(6.5, True), (7.0, True), (7.5, False), (5.9, False)])
def test_a_fault_excuses_its_engine_until_the_objective_is_regained(tmp_path: Path, at_s: float, excused: bool) -> None:
    edit = with_faults(recovery("a", 1.0), sick_ns=round(at_s * SECOND))
    folder = finish(build(tmp_path / "run", edit))
    assert verify.verify(folder).ok
    percent = figures(folder)["availability.percent"].number
    assert percent is not None
    assert (percent == 100.0) is excused


def test_another_engines_trouble_is_not_excused(tmp_path: Path) -> None:
    edit = with_faults(recovery("a", 1.0, engine="vpin"), sick_ns=round(6.5 * SECOND))
    folder = finish(build(tmp_path / "run", edit))
    assert verify.verify(folder).ok
    assert (figures(folder)["availability.percent"].number or 0) < 100.0


def lasting(name: str, **seconds: float | None) -> Recovery:
    """A recovery of a fault that was healed, with these stamps (s after its injection at 6 s)."""
    stamps = {f"{stamp}_ns": None if at is None else 6 * SECOND + round(at * SECOND) for stamp, at in seconds.items()}
    head = {"at": "2026-03-04T10:00:10+00:00", "mono_ns": 6 * SECOND}
    return Recovery(
        **head, id=name, kind="latency", target="bus-market", engines=["risk"], injected_ns=6 * SECOND, **stamps
    )


def test_a_lasting_fault_is_recovered_from_after_its_healing_and_one_that_nobody_noticed_is_borne(
    tmp_path: Path,
) -> None:
    seen = lasting("seen", healed=4, detected=0.5, healthy=4.5, regained=5, drained=5.25)
    borne = lasting("borne", healed=4, healthy=4.25, regained=4.75, drained=5)
    ended = lasting("ended", healed=2, detected=1, restarted=1.5, healthy=2.5, regained=2.75, drained=3)
    folder = finish(build(tmp_path / "run", with_faults(seen, borne, ended)))
    found = verify.verify(folder)
    assert found.ok, found.mismatches
    own = figures(folder)
    assert own["faults.borne"].value == 1
    assert own["recovery.missing"].value == 0
    assert own["recovery.seen.regain_s"].value == pytest.approx(1.0)  # from its healing
    assert own["recovery.seen.detect_s"].value == pytest.approx(0.5)  # from its injection
    assert own["recovery.ended.regain_s"].value == pytest.approx(2.75)  # a new process ended it before its healing
    assert own["recovery.regain_mean_s"].value == pytest.approx((1.0 + 0.75 + 2.75) / 3)
    assert own["recovery.detect_mean_s"].value == pytest.approx((0.5 + 1.0) / 2)
    assert own["recovery.restart_mean_s"].value == pytest.approx(1.5)
    assert own["recovery.healthy_worst_s"].value == pytest.approx(2.5)


def test_a_lasting_fault_that_is_not_recovered_from_is_not_borne(tmp_path: Path) -> None:
    folder = finish(build(tmp_path / "run", with_faults(recovery("a", 1.0), lasting("b", healed=4, healthy=4.25))))
    assert verify.verify(folder).ok
    own = figures(folder)
    assert (own["faults.borne"].value, own["recovery.missing"].value) == (0, 1)
    assert own["recovery.detect_mean_s"].value is None


def test_a_run_without_faults_has_no_figures_of_them(run_folder: Path) -> None:
    assert not [item.id for item in figures(run_folder) if item.id.startswith(("faults.", "recovery."))]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50), st.sampled_from([50.0, 95.0, 100.0]))
def test_the_percentile_is_numpys_nearest_rank(values: list[float], percentile: float) -> None:
    assert nearest_rank(values, percentile) == np.percentile(values, percentile, method="inverted_cdf")
