"""Mission commands; the harness's `run` is faked, missions and plans are real."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from stress import mission as missions
from stress import runner
from stress.broken import Breakdown
from stress.mission import Mission
from stress.options import Options
from stress.progress import Progress
from stress.runner import Outcome

Type = Callable[..., Result]


class Run:
    """A mission's run, ending as told."""

    def __init__(self) -> None:
        self.verdict, self.verified = "ACHIEVED", True
        self.interrupted: signal.Signals | None = None
        self.broke: Breakdown | None = None
        self.asked: list[tuple[str, Options]] = []

    def __call__(self, mission: Mission, options: Options, on_progress: Callable[[Progress], None]) -> Outcome:
        self.asked.append((mission.name, options))
        on_progress(Progress("idle", "health without load", 5.0, 60.0))
        on_progress(Progress("window", "14:45:28", 30.0, 60.0, {"requests/s": 4321.5, "errors": 0}))
        criterion = {
            "id": "availability", "title": "Engine availability", "target": 99.0, "measured": 100.0, "unit": "%",
            "verdict": self.verdict, "evidence": [], "figures": [], "note": "",
        }  # fmt: skip
        document: dict[str, Any] = {
            "schema": "nautilus.run/1", "run_id": "r", "folder": "r", "mission": mission.name, "verdict": self.verdict,
            "status": "complete", "criteria": [criterion], "phases": [],
        }  # fmt: skip
        folder = options.runs / "r"
        report = folder / "REPORT.md"
        return Outcome("r", folder, self.verdict, self.verified, self.interrupted, report, document, self.broke)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Run:
    run = Run()
    monkeypatch.setattr(runner, "run", run)
    return run


def test_list(nautilus: Type) -> None:
    document = json.loads(nautilus("stress", "list", "--json").stdout)
    assert document["schema"] == "nautilus.missions/1"
    assert [each["name"] for each in document["missions"]] == list(missions.names())
    shown = nautilus("stress", "list")
    assert shown.exit_code == 0 and [line.split()[0] for line in shown.stdout.splitlines()[1:]] == list(
        missions.names()
    )


def test_every_mission_is_a_command(nautilus: Type) -> None:
    for name in missions.names():
        assert missions.load(name).title in nautilus("stress", name, "--help").stdout


def test_dry_run_runs_nothing(nautilus: Type, fake: Run) -> None:
    shown = nautilus("stress", "flash-crash", "--dry-run", "--seed", "5")
    assert shown.exit_code == 0 and fake.asked == [] and "seed 5" in shown.stdout
    assert "5,000 connections" in shown.stdout and "pause ESX" in shown.stdout and "AAPL" in shown.stdout
    document = json.loads(nautilus("stress", "flash-crash", "-n", "--json").stdout)
    assert document["schema"] == "nautilus.plan/1" and document["tapes"][0]["scenario"]["conflicts"] == []


def test_quick_is_shorter(nautilus: Type) -> None:
    lengths = [
        json.loads(nautilus("stress", "flash-crash", "-n", "--json", *words).stdout)["seconds"]
        for words in ((), ("--quick",))
    ]
    assert lengths[1] < lengths[0]


def test_options_reach_the_harness(nautilus: Type, fake: Run, tmp_path: Path) -> None:
    nautilus("stress", "flash-crash", "--quick", "--seed", "7", "--runs", str(tmp_path), "--no-plots")
    nautilus("stress", "flash-crash", "--runs", str(tmp_path))
    (name, first), (_, second) = fake.asked
    assert name == "flash-crash"
    assert (first.seed, first.quick, first.runs, first.plots) == (7, True, tmp_path, False)
    assert (second.seed, second.quick, second.runs, second.plots) == (None, False, tmp_path, True)


def test_the_end_of_a_run(nautilus: Type, fake: Run, tmp_path: Path) -> None:
    shown = nautilus("stress", "flash-crash", "--runs", str(tmp_path))
    assert shown.exit_code == 0
    assert shown.stdout.splitlines() == [
        "CRITERION                TARGET  MEASURED  VERDICT",
        "Engine availability  above 99 %     100 %  ACHIEVED",
        "",
        "Verdict: ACHIEVED",
        f"Report:  {tmp_path / 'r' / 'REPORT.md'}",
    ]
    folder = tmp_path / "r"
    assert f"nautilus report show {folder}" in shown.stderr and f"nautilus report verify {folder}" in shown.stderr
    assert "window: 14:45:28 (requests/s 4,321.5, errors 0)" in shown.stderr and "about 30 s left" in shown.stderr


def test_the_document_names_the_folder_in_full(nautilus: Type, fake: Run, tmp_path: Path) -> None:
    shown = nautilus("stress", "flash-crash", "--runs", str(tmp_path), "--json", "-q")
    document = json.loads(shown.stdout)
    assert document["schema"] == "nautilus.run/1" and document["folder"] == str(tmp_path / "r") and shown.stderr == ""


@pytest.mark.parametrize(
    ("verdict", "verified", "interrupted", "flags", "code"),
    [
        ("EXCEEDED", True, None, (), 0),
        ("NOT AVAILABLE", True, None, (), 0),
        ("UNKNOWN", True, None, (), 6),
        ("INVALID", True, None, (), 6),
        ("MISSED", True, None, (), 5),
        ("MISSED", True, None, ("--exit-zero",), 0),
        ("ACHIEVED", False, None, (), 1),
        ("ACHIEVED", False, None, ("--exit-zero",), 1),
        ("UNKNOWN", False, signal.SIGINT, (), 130),
        ("UNKNOWN", False, signal.SIGINT, ("--exit-zero",), 130),
        ("UNKNOWN", False, signal.SIGTERM, (), 143),
        ("UNKNOWN", False, signal.SIGHUP, (), 129),
    ],
)
def test_exit_codes(
    nautilus: Type,
    fake: Run,
    verdict: str,
    verified: bool,
    interrupted: signal.Signals | None,
    flags: tuple[str, ...],
    code: int,
) -> None:
    fake.verdict, fake.verified, fake.interrupted = verdict, verified, interrupted
    shown = nautilus("stress", "flash-crash", *flags)
    assert shown.exit_code == code
    assert ("Verdict: " + verdict + (" (interrupted)" if interrupted else "")) in shown.stdout.splitlines()
    assert ("does not verify" in shown.stderr) is (not verified and not interrupted)


@pytest.mark.parametrize(("interrupted", "code"), [(None, 1), (signal.SIGINT, 130)])
def test_a_broken_runner_is_told_with_its_traceback_whatever_is_asked_of_the_exit(
    nautilus: Type, fake: Run, tmp_path: Path, interrupted: signal.Signals | None, code: int
) -> None:
    fake.verdict, fake.broke, fake.interrupted = (
        "INVALID",
        Breakdown("KeyError: 'x'", tmp_path / "runner.log"),
        interrupted,
    )
    shown = nautilus("stress", "flash-crash", "--runs", str(tmp_path), "--exit-zero", "-q")
    assert shown.exit_code == code
    assert f"Verdict: INVALID ({'interrupted' if interrupted else 'its runner broke'})" in shown.stdout.splitlines()
    assert "Error: The mission's own code broke: KeyError: 'x'" in shown.stderr
    assert f"Its traceback is in {tmp_path / 'runner.log'}." in shown.stderr
    assert f"Next: nautilus report show {tmp_path / 'r'}" in shown.stderr
    told = nautilus("stress", "flash-crash", "--json", "-q")
    assert json.loads(told.stdout)["schema"] == "nautilus.run/1" and "KeyError" in told.stderr
    fake.broke = Breakdown("OSError", None)
    assert "Its traceback could not be written." in nautilus("stress", "flash-crash").stderr


def test_a_mission_of_a_file(nautilus: Type, fake: Run, tmp_path: Path) -> None:
    text = (missions.FOLDER / "flash-crash.toml").read_text().replace('"flash-crash"', '"mine"')
    (tmp_path / "mine.toml").write_text(text)
    assert nautilus("stress", "run", str(tmp_path / "mine.toml")).exit_code == 0
    assert fake.asked[0][0] == "mine"


def test_a_file_with_mistakes_tells_them_all(nautilus: Type, fake: Run, tmp_path: Path) -> None:
    text = (missions.FOLDER / "flash-crash.toml").read_text()
    bad = (
        text.replace("seed = 20100506", "seed = -1").replace("share = 0.7", "shar = 0.7").replace("[[criteria]]", "", 1)
    )
    (tmp_path / "bad.toml").write_text(bad.replace("title =", "titel ="))
    shown = nautilus("stress", "run", str(tmp_path / "bad.toml"), "--dry-run")
    assert shown.exit_code == 2 and fake.asked == []
    assert all(word in shown.stderr for word in ("seed", "shar", "titel"))


@pytest.mark.parametrize("typed", ["nowhere.toml", "nowhere"])
def test_a_file_that_is_not_there(nautilus: Type, fake: Run, tmp_path: Path, typed: str) -> None:
    shown = nautilus("stress", "run", str(tmp_path / typed))
    assert shown.exit_code == 2 and "nowhere" in shown.stderr and "nautilus stress list" in shown.stderr


@pytest.mark.parametrize(
    ("verdict", "told"), [("ACHIEVED", False), ("EXCEEDED", False), ("MISSED", True), ("UNKNOWN", True)]
)
def test_someone_hears_of_a_verdict_that_is_not_good(
    nautilus: Type, fake: Run, tmp_path: Path, verdict: str, told: bool
) -> None:
    fake.verdict = verdict
    heard = tmp_path / "heard.json"
    nautilus("stress", "flash-crash", "--notify", f"tee {heard}")
    assert heard.exists() is told
    assert not told or json.loads(heard.read_text())["verdict"] == verdict


def test_a_notice_that_fails_is_told_and_changes_no_exit_code(nautilus: Type, fake: Run) -> None:
    fake.verdict = "MISSED"
    shown = nautilus("stress", "flash-crash", "--notify", "false")
    assert shown.exit_code == 5 and "Could not tell false" in shown.stderr


def test_attach_names_the_fleet(nautilus: Type, fake: Run) -> None:
    nautilus("stress", "flash-crash", "--attach", "--fleet", "mine")
    nautilus("stress", "flash-crash")
    assert [options.attach for _, options in fake.asked] == ["mine", None]
    assert not any(options.live for _, options in fake.asked)  # no terminal, no screen


def test_full_lengthens_and_excludes_quick(nautilus: Type) -> None:
    plan = json.loads(nautilus("stress", "flash-crash", "--full", "-n", "--json").stdout)
    assert plan["full"] and not plan["quick"]
    assert next(phase for phase in plan["phases"] if phase["name"] == "window")["seconds"] == 2400.0
    both = nautilus("stress", "flash-crash", "--full", "--quick", "-n")
    assert both.exit_code == 2 and "not both" in both.output
