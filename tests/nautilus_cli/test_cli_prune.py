"""`nautilus prune` and `nautilus report open` on real folders."""

import fcntl
import json
import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from nautilus_cli.commands import report_open
from tests.reports.conftest import build, finish

Type = Callable[..., Result]
NAMES = ("20260304_100000_flash-crash", "20260305_100000_flash-crash", "20260306_100000_flash-crash")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One rendered, sealed run."""
    return finish(build(tmp_path_factory.mktemp("prune") / NAMES[0]))


@pytest.fixture
def root(made: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three runs, a day apart."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(NAMES):
        shutil.copytree(made, tmp_path / "runs" / name)
        at = (tmp_path / "runs" / name / "history.jsonl").stat().st_mtime - (len(NAMES) - number) * 86_400
        os.utime(tmp_path / "runs" / name / "history.jsonl", (at, at))
    return tmp_path / "runs"


def left(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def test_a_dry_run_says_what_would_go_and_deletes_nothing(nautilus: Type, root: Path) -> None:
    document = json.loads(nautilus("prune", "--keep", "1", "--dry-run", "--json").stdout)
    assert document["schema"] == "nautilus.prune/1" and document["dry_run"] is True
    assert [Path(piece["path"]).name for piece in document["removed"]] == list(NAMES[:2])
    assert document["freed_bytes"] == sum(piece["bytes"] for piece in document["removed"]) > 0
    assert left(root) == list(NAMES)


def test_quotas(nautilus: Type, root: Path) -> None:
    size = sum(path.stat().st_size for path in (root / NAMES[0]).rglob("*") if path.is_file())
    shown = nautilus("prune", "--max-mb", str(2.5 * size / 1e6))
    assert shown.exit_code == 0 and NAMES[0] in shown.stdout and "Freed" in shown.stderr
    assert left(root) == list(NAMES[1:])
    nautilus("prune", "--older-than", "36h")
    assert left(root) == [NAMES[2]]
    nautilus("prune", "--keep", "0")
    assert left(root) == []


@pytest.mark.parametrize("words", [(), ("--older-than", "soon"), ("--older-than", "2999-01-01"), ("--keep", "-1")])
def test_what_cannot_be_meant_is_refused(nautilus: Type, root: Path, words: tuple[str, ...]) -> None:
    assert nautilus("prune", *words).exit_code == 2
    assert left(root) == list(NAMES)


def test_the_fleets_leavings(nautilus: Type, root: Path, home: Path) -> None:
    for name in ("logs/risk.log", "logs/risk.log.1", "crashes/20260101_risk/crash.json", "store/main.duckdb"):
        path = home / "default" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x" * 100)
    cached = home / "data" / "cache" / "fred" / "a.json"
    cached.parent.mkdir(parents=True)
    cached.write_text("{}")
    assert json.loads(nautilus("prune", "--logs", "--older-than", "1h", "--json").stdout)["removed"] == []
    done = nautilus("prune", "--logs", "--crashes", "--cache", "--json")
    assert {piece["kind"] for piece in json.loads(done.stdout)["removed"]} == {"log", "crash", "cache"}
    assert (home / "default/logs/risk.log").is_file() and not (home / "default/logs/risk.log.1").exists()
    assert (home / "default/store/main.duckdb").is_file() and left(root) == list(NAMES)


def test_a_running_fleets_store_is_spared(nautilus: Type, root: Path, home: Path) -> None:
    store, lock = home / "default/store/main.duckdb", home / "default/fleet.lock"
    store.parent.mkdir(parents=True)
    store.write_text("x")
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        document = json.loads(nautilus("prune", "--store", "--json").stdout)
    assert document["removed"] == [] and "is up" in document["spared"][0]["why"] and store.is_file()
    assert len(json.loads(nautilus("prune", "--store", "--json").stdout)["removed"]) == 1 and not store.exists()


def test_open_without_a_desktop_prints_the_path(nautilus: Type, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    shown = nautilus("report", "open")
    assert shown.exit_code == 0 and shown.stdout.strip() == str(root / NAMES[2] / "report.html")
    assert "no desktop" in shown.stderr
    (root / NAMES[2] / "report.html").unlink()
    missing = nautilus("report", "open")
    assert missing.exit_code == 1 and f"nautilus report render {root / NAMES[2]} --format html" in missing.stderr


def test_open_hands_the_page_to_the_desktops_opener(
    nautilus: Type, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    os.mkfifo(told)
    program = tmp_path / "xdg-open"
    program.write_text(f'#!/bin/sh\necho "$1" > {told}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("DISPLAY", ":9")
    document = json.loads(nautilus("report", "open", NAMES[0], "--json").stdout)
    assert document == {"schema": "nautilus.open/1", "page": str(root / NAMES[0] / "report.html"), "opened": True}
    assert told.read_text().strip() == document["page"]


def test_there_is_no_opener_without_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert report_open.opener({"PATH": os.environ["PATH"]}) is None
