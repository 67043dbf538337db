"""Report commands on a real run folder."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from reports import chain
from reports.records import HISTORY
from tests.reports.conftest import build, finish, payloads, write_payloads

Type = Callable[..., Result]
RUN = "20260304_100000_flash-crash"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole, rendered, sealed run."""
    return finish(build(tmp_path_factory.mktemp("cli") / RUN))


@pytest.fixture
def root(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of runs, the working directory's own."""
    shutil.copytree(made, tmp_path / "runs" / RUN)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def test_list(nautilus: Type, root: Path) -> None:
    shown = nautilus("report", "list")
    assert shown.exit_code == 0 and shown.stdout.splitlines()[1].startswith(f"{RUN}  flash-crash")
    document = json.loads(nautilus("report", "list", "--json").stdout)
    assert document["schema"] == "nautilus.runs/1" and document["runs"][0]["folder"] == str(root / RUN)
    assert document["runs"][0]["sealed"] is True


def test_list_of_nothing(nautilus: Type, root: Path) -> None:
    shown = nautilus("report", "list", "--runs", str(root / "none"))
    assert shown.exit_code == 0 and shown.stdout == "" and "Next: nautilus stress flash-crash" in shown.stderr


@pytest.mark.parametrize("words", [(), (RUN,), (f"runs/{RUN}",)], ids=["newest", "id", "folder"])
def test_show_finds_the_run(nautilus: Type, root: Path, words: tuple[str, ...]) -> None:
    document = json.loads(nautilus("report", "show", *words, "--json").stdout)
    assert document["schema"] == "nautilus.run/1" and document["folder"] == str(root / RUN)
    assert {"run_id", "mission", "verdict", "criteria", "phases"} <= set(document)


def test_show(nautilus: Type, root: Path) -> None:
    shown = nautilus("report", "show")
    document = json.loads(nautilus("report", "show", "--json").stdout)
    assert shown.exit_code == 0 and shown.stdout.startswith(f"{document['verdict']} (whole run): ")
    rows = shown.stdout.splitlines()[3:]
    assert len(rows) == len(document["criteria"])
    for row, criterion in zip(rows, document["criteria"], strict=True):
        assert row.startswith(criterion["title"]) and criterion["verdict"] in row
    assert "above 99" in shown.stdout and str(root / RUN / "REPORT.md") in shown.stderr


def test_show_full_is_the_report(nautilus: Type, root: Path) -> None:
    assert nautilus("report", "show", "--full").stdout == (root / RUN / "REPORT.md").read_text()


def test_newest_is_the_last_of_the_list(nautilus: Type, root: Path) -> None:
    build(root / "20260305_100000_flash-crash")
    document = json.loads(nautilus("report", "show", "--json").stdout)
    assert document["folder"].endswith("20260305_100000_flash-crash")


def test_an_unknown_run_is_answered_with_the_nearest(nautilus: Type, root: Path) -> None:
    shown = nautilus("report", "show", RUN.replace("crash", "crahs"))
    assert shown.exit_code == 2 and f"Did you mean '{RUN}'?" in shown.stderr


def test_no_run_at_all(nautilus: Type, home: Path, tmp_path: Path) -> None:
    shown = nautilus("report", "verify", "--runs", str(tmp_path / "none"))
    assert shown.exit_code == 1 and "Next: nautilus stress flash-crash" in shown.stderr


def test_a_folder_that_is_no_run(nautilus: Type, tmp_path: Path) -> None:
    shown = nautilus("report", "verify", str(tmp_path))
    assert shown.exit_code == 1 and HISTORY in shown.stderr


def test_render(nautilus: Type, root: Path) -> None:
    (root / RUN / "REPORT.md").unlink()
    document = json.loads(nautilus("report", "render", "--format", "md", "--no-plots", "--json").stdout)
    assert document["files"] == [str(root / RUN / "REPORT.md")] and (root / RUN / "REPORT.md").is_file()


def test_verify(nautilus: Type, root: Path) -> None:
    shown = nautilus("report", "verify", RUN)
    assert shown.exit_code == 0 and shown.stdout.startswith("ok: ")
    document = json.loads(nautilus("report", "verify", "--json").stdout)
    assert document["schema"] == "nautilus.verify/1" and document["ok"] is True and document["status"] == "ok"
    assert document["figures"] > 50 and document["mismatches"] == []


def test_verify_finds_a_changed_digit(nautilus: Type, root: Path) -> None:
    """One digit, and every checksum made good again."""
    changed = [line.replace(b'"rate_rps":8000.5', b'"rate_rps":9000.5') for line in payloads(root / RUN)]
    assert changed != payloads(root / RUN)
    write_payloads(root / RUN, changed)
    shown = nautilus("report", "verify", "--json")
    document = json.loads(shown.stdout)
    assert shown.exit_code == 1 and document["status"] == "mismatch"
    assert any(item["name"] == HISTORY for item in document["mismatches"])
    words = nautilus("report", "verify")
    assert words.exit_code == 1 and words.stdout.startswith("mismatch: ") and HISTORY in words.stdout


def test_a_history_cut_in_mid_line_is_shown_as_far_as_it_goes(nautilus: Type, root: Path) -> None:
    path = root / RUN / HISTORY
    path.write_bytes(path.read_bytes()[: -chain.HEAD])
    shown = nautilus("report", "show")
    assert shown.exit_code == 0 and "INTERRUPTED" in shown.stdout.splitlines()[0]
