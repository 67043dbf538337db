"""Commands around a project: its configuration as the flags' defaults, beginnings, units, the operators' log."""

import json
import os
import plistlib
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from engines.fleet import api, audit, folders, rollout
from engines.fleet.changes import Change, Diff
from engines.fleet.rolling import Rolled
from engines.fleet.spec import FleetSpec
from engines.wire import project

Type = Callable[..., Result]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, which is the current one."""
    for name in (project.VARIABLE, "NAUTILUS_PORT_OFFSET", "NAUTILUS_HOST", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    folder = tmp_path / "desk"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def specs(monkeypatch: pytest.MonkeyPatch) -> list[FleetSpec]:
    """The fleets that `up` is asked for; it then fails."""
    asked: list[FleetSpec] = []

    def up(spec: FleetSpec, *_: object, **__: object) -> None:
        asked.append(spec)
        raise api.NotRunning("not in this test")

    monkeypatch.setattr(api, "up", up)
    return asked


def test_flags_over_environment_over_project_over_default(
    nautilus: Type, place: Path, specs: list[FleetSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    nautilus("up")
    (place / project.FILE).write_text(
        '[fleet]\nname = "desk"\nport_offset = 100\nengines = ["risk"]\n[rules]\nstall_s = 9\n'
    )
    nautilus("up")
    monkeypatch.setenv("NAUTILUS_PORT_OFFSET", "200")
    nautilus("up")
    nautilus("up", "ml", "--port-offset", "300", "--fleet", "other")
    found = [(spec.name, spec.port_offset, spec.engines, spec.rules.stall_s) for spec in specs]
    assert found == [
        ("default", 0, None, FleetSpec().rules.stall_s),
        ("desk", 100, ("risk",), 9),
        ("desk", 200, ("risk",), 9),
        ("other", 300, ("ml",), 9),
    ]


def test_other_commands_follow_it_too(nautilus: Type, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAUTILUS_HOME")
    (place / project.FILE).write_text('[fleet]\nname = "desk"\nhome = "state"\n[stress]\nruns = "my-runs"\n')
    audit.record(_made(place / "state").audit, "up", "ok")
    assert json.loads(nautilus("audit", "--json").stdout)["fleet"] == "desk"
    assert json.loads(nautilus("audit", "--json", "--fleet", "x").stdout)["entries"] == []
    assert str(place / "my-runs") in nautilus("report", "list").stderr
    assert "NAUTILUS_HOME" not in os.environ, "nothing is left behind"


def _made(home: Path) -> folders.Folders:
    where = folders.of("desk", home)
    where.state.mkdir(parents=True)
    return where


def test_config_show(nautilus: Type, place: Path, home: Path) -> None:
    (place / project.FILE).write_text('[fleet]\nname = "desk"\n')
    shown = nautilus("config", "show")
    rows = {line.split()[0]: line.split()[1:] for line in shown.stdout.splitlines()}
    assert rows["fleet.name"] == ["desk", str(place / project.FILE)]
    assert rows["fleet.home"] == [str(home), "environment", "NAUTILUS_HOME"]
    assert rows["rules.cap_s"] == ["30.0", "default"] and f"Project: {place}" in shown.stderr
    told = json.loads(nautilus("config", "show", "--json").stdout)
    assert told["schema"] == "nautilus.config/1" and told["project"] == str(place)
    assert {"key": "fleet.name", "value": "desk", "origin": str(place / project.FILE)} in told["values"]


def test_mistakes_end_every_command_but_not_its_help(nautilus: Type, place: Path) -> None:
    (place / project.FILE).write_text("[fleat]\n[rules]\nstall_s = 0\n")
    shown = nautilus("status")
    assert shown.exit_code == 2 and "2 mistakes" in shown.stderr and "Did you mean 'fleet'?" in shown.stderr
    assert nautilus("status", "--help").exit_code == nautilus("--version").exit_code == nautilus().exit_code == 0


def test_init_engine_and_mission(nautilus: Type, place: Path) -> None:
    shown = nautilus("init", "engine", "pricer", "--json")
    begun = json.loads(shown.stdout)
    assert begun["name"] == "pricer" and (place / "engines/pricer/engine.toml").is_file()
    assert "nautilus up pricer" in shown.stderr
    taken = nautilus("init", "engine", "pricer")
    assert taken.exit_code == 2 and "already" in taken.stderr
    shown = nautilus("init", "engine", "mine", "--replaces", "risk", "--json")
    assert json.loads(shown.stdout)["replaces"] == "risk" and "nautilus up risk" in shown.stderr
    assert 'replaces = "risk"' in (place / "engines/mine/engine.toml").read_text()
    unknown = nautilus("init", "engine", "other", "--replaces", "rsk")
    assert unknown.exit_code == 2 and "Did you mean 'risk'?" in unknown.stderr
    shown = nautilus("init", "mission", "own", "-q", "--into", str(place))
    assert shown.stdout == f"{place / 'own.toml'}\n" and shown.stderr == ""
    assert nautilus("stress", "run", str(place / "own.toml"), "--dry-run").exit_code == 0


def test_units(nautilus: Type, place: Path) -> None:
    shown = nautilus("units", "systemd", "--fleet", "desk")
    assert shown.stdout.startswith("[Unit]\n") and "systemctl --user enable --now nautilus-desk" in shown.stderr
    shown = nautilus("units", "launchd", "--out", str(place / "out"))
    facts = plistlib.loads(Path(shown.stdout.strip()).read_bytes())
    assert facts["Label"] == "org.nautilus.default" and Path(facts["WorkingDirectory"]).is_dir()
    told = json.loads(nautilus("units", "systemd", "--system", "--json").stdout)
    assert told["path"] is None and "User=" in told["text"]
    assert nautilus("units", "systemd", "--fleet", "No Name").exit_code == 2


def test_audit(nautilus: Type, home: Path, place: Path) -> None:
    assert "Nobody has asked" in nautilus("audit").stderr
    where = folders.of("default", home)
    where.state.mkdir(parents=True)
    for number in range(3):
        audit.append(where.audit, audit.Entry(at=f"t{number}", op="restart", outcome="ok", uid=7, engines=("risk",)))
    audit.append(where.audit, audit.Entry(at="t3", op="stop", outcome="refused: no", address="10.0.0.1:2"))
    shown = nautilus("audit", "-n", "2")
    assert [line.split()[0] for line in shown.stdout.splitlines()[1:]] == ["t2", "t3"]
    assert "10.0.0.1:2" in shown.stdout and "restart risk" in shown.stdout
    assert len(json.loads(nautilus("audit", "--json").stdout)["entries"]) == 4


DIFF = Diff(
    added=("new",), removed=("old",), changed={"web": (Change(field="port", before="1", after="2"),)}, restarts=("web",)
)


@pytest.mark.parametrize(
    ("rolled", "code", "words"),
    [
        (Rolled(fleet="default", planned=("web",), done=("web",)), 0, "Restarted 1 engine"),
        (Rolled(fleet="default", planned=("web", "b"), failed="web", why="ill"), 4, "Stopped at web: ill"),
        (None, 0, ""),
    ],
)
def test_reload(
    nautilus: Type, place: Path, monkeypatch: pytest.MonkeyPatch, rolled: Rolled | None, code: int, words: str
) -> None:
    monkeypatch.setattr(rollout, "reload", lambda *_, **__: (DIFF, rolled))
    shown = nautilus("reload")
    assert shown.exit_code == code and words in shown.stderr
    rows = [line.split() for line in shown.stdout.splitlines()]
    assert ["new", "added"] in rows and ["old", "removed"] in rows and ["web", "port", "1", "2"] in rows
    told = json.loads(nautilus("reload", "--json", "-q", "-n").stdout)
    assert (
        told["schema"] == "nautilus.reloaded/1" and told["applied"] is False and told["changes"]["restarts"] == ["web"]
    )


def test_reload_of_nothing(nautilus: Type, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "reload", lambda *_, **__: (Diff(), None))
    shown = nautilus("reload")
    assert (shown.exit_code, shown.stdout) == (0, "") and "Nothing has changed." in shown.stderr


def test_restart_rolling(nautilus: Type, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def rolling(fleet: str, engines: tuple[str, ...], *, dry: bool, **_: object) -> Rolled:
        asked.append((fleet, engines, dry))
        return Rolled(fleet=fleet, planned=("a", "b"), done=() if dry else ("a",), failed="" if dry else "b", why="ill")

    monkeypatch.setattr(rollout, "rolling", rolling)
    assert nautilus("restart", "--rolling", "-n").stdout == "a\nb\n"
    shown = nautilus("restart", "--rolling", "a", "b")
    assert shown.exit_code == 4 and "Next: nautilus why b" in shown.stderr
    assert json.loads(nautilus("restart", "--rolling", "--json").stdout)["schema"] == "nautilus.rolling/1"
    assert asked == [("default", (), True), ("default", ("a", "b"), False), ("default", (), False)]


@pytest.mark.parametrize("words", [(), ("a", "b"), ("a", "--dry-run")])
def test_restart_of_one_is_of_one(nautilus: Type, place: Path, words: tuple[str, ...]) -> None:
    assert nautilus("restart", *words).exit_code == 2
