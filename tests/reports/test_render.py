"""The documents: first lines, JSON, a page that stands alone, and no claim that the records do not bear."""

import json
import re
import shutil
from pathlib import Path

import msgspec
import pytest

from reports import records, runs
from reports.errors import ReportError
from reports.records import HISTORY
from reports.verify import verify
from tests.reports.conftest import build, change_end, finish

GOLDEN = Path(__file__).parent / "golden" / "REPORT.md"
SECTIONS = [
    "Executive summary", "Key achievements", "Engine health",
    "What engines say of themselves", "Stress under load", "MessageBus", "Trading invariants", "Success criteria",
    "Benchmarks established", "Operational resilience", "Conclusions and recommendations",
    "What was not measured, and why", "Deliverables", "Environment", "Evidence index", "Reproduction",
]  # fmt: skip


def first_line(folder: Path) -> str:
    runs.render(folder, ["md"], with_plots=False)
    return (folder / "REPORT.md").read_text().splitlines()[0]


def test_the_report_is_the_golden_one(run_folder: Path) -> None:
    assert (run_folder / "REPORT.md").read_text() == GOLDEN.read_text()


def test_the_sections_stand_in_the_documented_order(run_folder: Path) -> None:
    assert re.findall(r"^## (.*)$", (run_folder / "REPORT.md").read_text(), re.M) == SECTIONS


def test_the_first_line_tells_the_verdict_and_whether_the_run_was_whole(tmp_path: Path) -> None:
    title = "Flash crash of 2010-05-06"
    assert first_line(build(tmp_path / "whole")) == f"# ACHIEVED (whole run): {title}"
    stopped = build(tmp_path / "stopped", change_end("interrupted", "Ctrl-C"))
    assert first_line(stopped) == f"# UNKNOWN (INTERRUPTED, it was stopped: Ctrl-C): {title}"
    torn = build(tmp_path / "torn")
    (torn / HISTORY).write_bytes((torn / HISTORY).read_bytes()[:-4])
    assert first_line(torn).startswith("# UNKNOWN (INTERRUPTED, history.jsonl line ")
    assert "cut in mid-line" in first_line(torn)


def test_a_lying_engine_is_told_in_the_first_paragraph(tmp_path: Path) -> None:
    """Engines that answer 'healthy' from a process that is not the one that was started."""

    def lie(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        return [
            msgspec.structs.replace(item, pid=4242)
            if isinstance(item, records.Health) and item.phase == "recovery"
            else item
            for item in lines
        ]

    folder = finish(build(tmp_path / "run", lie))
    text = (folder / "REPORT.md").read_text()
    assert text.splitlines()[0].startswith("# MISSED")
    assert "- 0 engines of 3 declared were alive at the end" in text.split("## Key achievements")[0]
    assert "engines alive" not in text.split("## Key achievements")[1].split("## ")[0]
    assert verify(folder).ok


def test_the_documented_criteria_not_measured_are_listed(run_folder: Path) -> None:
    part = (run_folder / "REPORT.md").read_text().split("## What was not measured")[1].split("## ")[0]
    assert "External data sources connected" in part
    assert "Hardware acceleration" in part
    assert "Engine availability" not in part


def test_the_short_results_keep_their_contract(run_folder: Path) -> None:
    document = json.loads((run_folder / "results.json").read_bytes())
    assert list(document) == ["schema", "run_id", "folder", "mission", "verdict", "status", "criteria", "phases"]
    assert document["schema"] == "nautilus.run/1"
    assert document["verdict"] == "ACHIEVED"
    wanted = ["id", "title", "target", "measured", "unit", "verdict", "evidence"]
    assert all(list(item)[: len(wanted)] == wanted for item in document["criteria"])
    assert all(item["evidence"] for item in document["criteria"])
    assert [phase["name"] for phase in document["phases"]] == ["idle", "crash"]


def test_rendering_again_gives_the_same_bytes_and_still_verifies(run_folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in run_folder.iterdir() if path.is_file()}
    runs.render(run_folder, with_plots=False)
    assert {path.name: path.read_bytes() for path in run_folder.iterdir() if path.is_file()} == before
    assert verify(run_folder).ok


def test_plots_are_drawn_set_in_and_verified(run_folder: Path) -> None:
    written = runs.render(run_folder, with_plots=True)
    names = {path.stem for path in written if path.suffix == ".svg"}
    assert names == {"latency", "price-path", "drawdown", "vpin", "request-rate", "spectrum", "cpu", "memory", "bus"}
    assert "plots/price-path.svg" in (run_folder / "REPORT.md").read_text()
    assert verify(run_folder).ok
    again = {path.name: path.read_bytes() for path in written}
    assert {path.name: path.read_bytes() for path in runs.render(run_folder, with_plots=True)} == again


def test_recorded_words_cannot_break_out(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script> | `x`\n# ACHIEVED"

    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        return [
            msgspec.structs.replace(item, features=[evil], title=evil) if isinstance(item, records.Health) else item
            for item in lines
        ]

    folder = finish(build(tmp_path / "run", edit))
    assert "<script>alert" not in (folder / "report.html").read_text()
    text = (folder / "REPORT.md").read_text()
    assert "<script" not in text
    assert len(re.findall(r"^# ", text, re.M)) == 1
    assert verify(folder).ok


def test_runs_are_listed_oldest_first(run_folder: Path) -> None:
    older = run_folder.parent / "20260101_000000_flash-crash"
    build(older)
    (run_folder.parent / "not-a-run").mkdir()
    shutil.copytree(run_folder, run_folder.parent / "20260505_000000_broken")
    (run_folder.parent / "20260505_000000_broken" / HISTORY).write_bytes(b"nothing\n")
    found = runs.list_runs(run_folder.parent)
    assert [(info.folder.name, info.sealed, info.verdict) for info in found] == [
        (older.name, False, None),
        (run_folder.name, True, "ACHIEVED"),
    ]
    assert runs.list_runs(run_folder.parent / "absent") == []


def test_an_unknown_format_is_refused(run_folder: Path) -> None:
    with pytest.raises(ReportError, match="pdf"):
        runs.render(run_folder, ["pdf"])


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """The name of the report is taken by a folder, which not even root can replace by a file."""
    folder = build(tmp_path / "run")
    (folder / "REPORT.md" / "in-the-way").mkdir(parents=True)
    with pytest.raises(ReportError, match="Cannot write the report"):
        runs.render(folder, ["md"], with_plots=False)
