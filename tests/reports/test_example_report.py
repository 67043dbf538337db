"""The example report: a comprehensive run, committed with its records, says what they say."""

import re
import shutil
from pathlib import Path

import pytest

from reports import runs, verify
from reports.records import HISTORY
from tests.reports.conftest import payloads, write_payloads

EXAMPLE = Path(__file__).parents[2] / "docs/example-report"


def test_it_verifies() -> None:
    checked = verify.verify(EXAMPLE)
    assert checked.ok, checked.mismatches
    assert checked.status == "ok" and checked.figures > 1000


def test_its_pictures_are_those_of_its_records() -> None:
    found = [item for item in verify.verify(EXAMPLE, redraw=True).mismatches if "drawn by" not in item.recomputed]
    assert found == []


def test_it_is_a_whole_comprehensive_run_and_names_no_path_of_the_machine_it_was_flown_on() -> None:
    (info,) = runs.list_runs(EXAMPLE.parent)
    assert (info.mission, info.sealed) == ("comprehensive", True)
    for path in EXAMPLE.rglob("*"):
        if path.suffix in {".md", ".json", ".jsonl", ".html", ".log"}:
            text = path.read_text("utf-8")
            assert not re.search(r"/home/|/root/|/tmp/(?!nautilus-)", text), path.name  # but a bus's socket


def test_one_changed_digit_of_it_is_caught(tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(EXAMPLE, copy)
    lines = payloads(copy)
    place = next(n for n, line in enumerate(lines) if b'"type":"ledger"' in line)
    lines[place] = lines[place].replace(b'"lost":0', b'"lost":1', 1)
    write_payloads(copy, lines)
    assert "criterion zero-loss" in {item.name for item in verify.verify(copy).mismatches}


@pytest.mark.parametrize("name", ["REPORT.md", "report.html", "results.json", HISTORY, "samples.parquet"])
def test_it_holds_what_a_reader_looks_for(name: str) -> None:
    assert (EXAMPLE / name).is_file()
