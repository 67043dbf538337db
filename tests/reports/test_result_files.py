"""The documented result files of a run: its parts as JSON, and the run as a log; from the same figures, verified."""

import json
from pathlib import Path

import pytest

from reports import records, render_log, runs, seal, verify
from tests.reports.conftest import Edit, build, change_end, finish
from tests.reports.test_device_records import benched, mode
from tests.reports.test_published_documents import broken
from tests.reports.test_role_records import HEAD, added

STAMP = "20260304_100000"
BUS, BACKTESTS = f"messagebus_stress_test_results_{STAMP}.json", f"backtesting_stress_test_results_{STAMP}.json"


def backtested() -> Edit:
    result = records.BacktestResult(
        **HEAD, mono_ns=0, phase="backtests", number=0, request="IBM", wanted="succeeded", outcome="succeeded",
        milliseconds=4.0, runs=1, values={"total_return": 0.5}, independent={"total_return": 0.5},
    )  # fmt: skip
    account = records.Backtests(
        **HEAD, mono_ns=0, phase="backtests", concurrency=1, seconds=2.0, executed=1, succeeded=1, rejected=0, failed=0,
        runs=1,
    )  # fmt: skip
    return added(result, account, criteria=("backtests-correct",))


def test_each_part_that_was_measured_has_its_file_from_the_same_figures(tmp_path: Path) -> None:
    folder = finish(build(tmp_path / "run", backtested()))
    whole = json.loads((folder / f"comprehensive_stress_test_results_{STAMP}.json").read_bytes())
    for name, schema, starts, criterion in (
        (BUS, "messagebus", ("bus.", "hop.", "replay.", "staleness."), "bus-rate"),
        (BACKTESTS, "backtesting", ("backtests.",), "backtests-correct"),
    ):
        part = json.loads((folder / name).read_bytes())
        assert broken(schema, part) == []
        assert part["schema"] == f"nautilus.{schema}/1"
        assert part["figures"] == [item for item in whole["figures"] if item["id"].startswith(starts)]
        assert criterion in [item["id"] for item in part["criteria"]]
        assert all(item in whole["run"]["criteria"] for item in part["criteria"])
    assert verify.verify(folder).ok
    assert {BUS, BACKTESTS} <= (seal.read(folder) or pytest.fail()).derived.keys()
    assert BUS in (folder / runs.REPORT_MD).read_text()


def test_a_part_that_was_not_measured_has_no_file(tmp_path: Path) -> None:
    folder = finish(build(tmp_path / "run", lambda lines: [item for item in lines if not _of_buses(item)]))
    assert not list(folder.glob("messagebus*")) and not list(folder.glob("backtesting*"))
    assert (folder / f"comprehensive_stress_test_results_{STAMP}.json").exists()


def _of_buses(record: records.AnyRecord) -> bool:
    return isinstance(record, records.Ledger | records.Hop | records.Replay)


def test_the_benchmark_alone_is_a_part(tmp_path: Path) -> None:
    part = json.loads((benched(tmp_path / "run", mode("single")) / BUS).read_bytes())
    assert {item["id"]: item["value"] for item in part["figures"]}["busbench.single.rate"] == 100_000
    assert "bus-single" in [item["id"] for item in part["criteria"]]


@pytest.mark.parametrize("name", [BUS, BACKTESTS, render_log.NAME])
def test_a_result_file_that_was_changed_or_removed_is_told(tmp_path: Path, name: str) -> None:
    folder = finish(build(tmp_path / "run", backtested()))
    path = folder / name
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    seal.seal(folder)
    assert name in {item.name for item in verify.verify(folder).mismatches}
    path.unlink()
    seal.seal(folder)
    assert name in {item.name for item in verify.verify(folder).mismatches}


def test_the_log_has_a_line_an_event_in_order_and_the_verdicts_last(run_folder: Path) -> None:
    lines = (run_folder / render_log.NAME).read_text().splitlines()
    words = [line.split(" ", 1)[1] for line in lines]
    for one, another in (
        ("run 20260304_100000_flash-crash: Flash crash of 2010-05-06, seed 7, version 0.1.0", "phase idle starts"),
        ("phase idle starts", "phase crash starts"),
        ("phase crash ends", "load crash risk: 598 of 600 answered"),
        ("halt stop-logic ESX: CME stop logic", "alert var-breach ESX"),
        ("end complete", "criterion engines-alive: ACHIEVED"),
    ):
        assert words.index(one) < words.index(another)
    end = words.index("end complete") + 1
    assert lines[:end] == sorted(lines[:end])
    assert all(word.startswith("criterion ") for word in words[end:-1]) and words[-1].startswith("verdict ")


def test_the_log_of_a_run_that_failed_says_why_in_one_line(tmp_path: Path) -> None:
    folder = finish(build(tmp_path / "run", change_end("failed", "the disk\nis full")))
    assert "end failed the disk is full" in (folder / render_log.NAME).read_text()
