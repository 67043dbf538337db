"""Runbooks: this run's own figures, no typed number, and every command of them typed against a real fleet."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from engines.fleet import ports
from engines.wire import manifest
from nautilus_cli.app import app
from reports import records, runbooks, runs
from reports.model import Claim, TypedNumberError
from reports.runbook import CHANGES, Step, commands
from reports.verify import verify
from tests.reports.conftest import build, finish

BOOKS = ("high-stress", "flash-crash", "message-bus", "hardware")
Lines = list[records.AnyRecord]


def documents(folder: Path) -> dict[str, str]:
    return runbooks.documents(runs.load(folder))


def troubled(lines: Lines) -> Lines:
    """A run that failed in every way that a runbook knows a signature of."""
    sick: dict[type, dict[str, object]] = {
        records.Halt: {"symbol": "AAPL", "end_ns": None, "source": "risk"},
        records.Memory: {"pss_bytes_total": 2_000_000_000, "per_process": {"risk": 2_000_000_000}},
    }
    account = {"processed_unique": 8990, "deliveries": 8994, "pending": 4, "dead_lettered": 3}
    changed = [
        msgspec.structs.replace(
            item,
            **(account if isinstance(item, records.Ledger) and item.consumer == "vpin" else sick.get(type(item), {})),
        )
        for item in lines
    ]
    last = changed[-1]
    lacking = records.Unavailable(at=last.at, mono_ns=last.mono_ns, criterion="hardware", why="there is no GPU")
    return [*changed[:-1], lacking, last]


def test_all_four_are_written_sealed_in_the_folder_and_verified(run_folder: Path) -> None:
    lying = sorted(path.stem for path in (run_folder / runbooks.FOLDER).iterdir())
    assert lying == sorted(BOOKS)
    path = run_folder / runbooks.FOLDER / "high-stress.md"
    text = path.read_text()
    assert "3.250 ms" in text and verify(run_folder).ok
    path.write_text(text.replace("3.250 ms", "2.250 ms"))
    assert {item.name for item in verify(run_folder).mismatches} == {"runbooks/high-stress.md"}


def test_a_book_without_records_is_not_written(tmp_path: Path) -> None:
    folder = build(tmp_path / "run", lambda lines: [lines[0], lines[-1]])
    (folder / "samples.parquet").unlink()
    assert documents(folder) == {}
    crash = build(tmp_path / "no-tape", lambda lines: [item for item in lines if not isinstance(item, records.Tape)])
    assert set(documents(crash)) == runbooks.FILES - {"runbooks/flash-crash.md"}


def test_signatures_follow_from_the_figures(tmp_path: Path) -> None:
    whole, sick = (documents(build(tmp_path / name, edit)) for name, edit in (("well", list), ("sick", troubled)))
    bus = sick["runbooks/message-bus.md"]
    assert (
        "vpin lost 3 messages of topic trades." in bus
        and "Lost messages: MISSED, 3 messages against 0 messages." in bus
    )
    assert "vpin had 4 messages of topic trades still to take" in bus and "vpin set 3 messages" in bus
    assert (
        "nautilus logs vpin" in bus
        and "lost" not in whole["runbooks/message-bus.md"].split("## Signatures")[1].split("##")[0]
    )
    crash = sick["runbooks/flash-crash.md"]
    assert "stop-logic AAPL at 18:45:28.000 by CME stop logic, seen by risk, over at no time: still open." in crash
    assert "Halts missing or undeclared: MISSED" in crash
    hardware = sick["runbooks/hardware.md"]
    assert (
        "Not available here: hardware, since there is no GPU." in hardware
        and "Proportional memory of the fleet: MISSED" in hardware
    )
    stress = whole["runbooks/high-stress.md"]
    assert "Under load 3 requests failed and 3 requests were due and never sent." in stress
    assert "strategy was the slowest" in stress


def test_no_number_is_typed_in_a_step() -> None:
    with pytest.raises(TypedNumberError):
        Step(Claim("Look."), "nautilus logs risk -n 200")


def test_recorded_words_stay_one_word_of_the_command() -> None:
    line = Step(Claim("Look."), "nautilus logs {engine}", {"engine": "risk; rm -rf /"}).line()
    assert shlex.split(line) == ["nautilus", "logs", "risk; rm -rf /"]


def test_steps_that_act_are_marked(run_folder: Path) -> None:
    acting = {line.split()[1] for book in documents(run_folder).values() for line, marked in commands(book) if marked}
    looking = {line for book in documents(run_folder).values() for line, marked in commands(book) if not marked}
    assert acting == {"restart", "bus"}
    assert not any(re.match(r"nautilus (restart|stress)", line) and "--dry-run" not in line for line in looking)
    assert all(
        book.count(f"**{CHANGES}.**") == sum(marked for _, marked in commands(book))
        for book in documents(run_folder).values()
    )


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder with two runs of the fixture's engines, and a fleet of those engines."""
    place = tmp_path_factory.mktemp("runbooks")
    for name in ("20260304_100000_flash-crash", "20260305_100000_flash-crash"):
        finish(build(place / "runs" / name))
    env = {**os.environ, "NAUTILUS_HOME": str(place / "home"), "NAUTILUS_FLEET": "runbook-test"}
    env.pop("NAUTILUS_RUNS", None)
    wanted = [each.port for each in manifest.discover()]
    offset = next(n for n in range(5200, 50_000, 500) if all(ports.free("127.0.0.1", port + n) for port in wanted))
    start = (sys.executable, "-m", "nautilus_cli")
    up = subprocess.run(
        [*start, "up", "risk", "vpin", "strategy", "--port-offset", str(offset)],
        env=env,
        cwd=place,
        capture_output=True,
        text=True,
    )
    try:
        assert up.returncode == 0, up.stderr
        yield place, env
    finally:
        subprocess.run([*start, "down", "--now"], env=env, cwd=place, capture_output=True)
        shutil.rmtree(place / "home", ignore_errors=True)


def test_every_command_works_against_a_fleet(
    shell: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only looks ends as it does when it has looked; what acts is parsed, flags and all, with --help."""
    place, env = shell
    monkeypatch.chdir(place)
    monkeypatch.delenv("NAUTILUS_RUNS", raising=False)
    for name in ("NAUTILUS_HOME", "NAUTILUS_FLEET"):
        monkeypatch.setenv(name, env[name])
    books = documents(place / "runs" / "20260305_100000_flash-crash").values()
    found = {line: marked for book in books for line, marked in commands(book)}
    assert len(found) > 15
    failed = {}
    for line, acts in found.items():
        words = [*shlex.split(line)[1:], *(["--help"] if acts else [])]
        done = CliRunner().invoke(app, words, prog_name="nautilus", catch_exceptions=False)
        if done.exit_code != 0:
            failed[line] = (done.exit_code, done.stderr)
    assert failed == {}
