"""Engines of a project: foreign ones in nautilus.toml, native ones in its folder, and all mistakes at once."""

from pathlib import Path

import pytest

from engines.wire import project
from engines.wire.errors import ManifestErrors
from engines.wire.health import HealthRule
from engines.wire.manifest import Manifest, StopRule, discover, pick

WEB = """
[engines.web]
command = "serve --port {port} 'two words'"
port = 9300
"""


def found(folder: Path, text: str) -> tuple[Manifest, ...]:
    (folder / project.FILE).write_text(text)
    return discover(project_of=folder)


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(ManifestErrors) as caught:
        found(folder, text)
    return list(caught.value.mistakes)


def test_the_least_that_a_foreign_engine_needs(tmp_path: Path) -> None:
    every = found(tmp_path, WEB)
    assert len(every) == 14
    web = pick(every, "web")
    assert web.command == ("serve", "--port", "{port}", "two words") and web.foreign
    assert (web.title, web.cwd, web.health, web.stop) == ("web", str(tmp_path), HealthRule(), StopRule())
    assert [(r.mix, r.path) for r in web.load] == [("health", "/health"), ("compute", "/health")], (
        "it is under load too"
    )


def test_all_that_it_may_have(tmp_path: Path) -> None:
    more = """
cwd = "sub"
title = "A web"
after = ["risk"]
critical = true
restart = "on-failure"
boot_s = 3
env = { MODE = "x" }
pass_env = ["AWS_PROFILE"]
health = { path = "/h", field = "a.b", equals = true, failures = 5 }
stop = { signal = "INT", grace_s = 1.5 }
limits = { memory_mb = 64, files = 100 }
[[engines.web.load]]
mix = "compute"
path = "/c"
check = { field = "n", low = 1, high = 2 }
"""
    web = pick(found(tmp_path, WEB + more), "web")
    assert (web.cwd, web.after, web.critical, web.limits.files) == (str(tmp_path / "sub"), ("risk",), True, 100)
    assert (web.health.field, web.stop.signal, web.load[0].path) == ("a.b", "INT", "/c")


def test_every_mistake_at_once(tmp_path: Path) -> None:
    text = """
engines.one = 5
[engines.Bad_Name]
command = ["x"]
port = 8200
[engines.two]
comand = ["x"]
port = 80
consumes = ["trades"]
health = { path = "h", failures = 0 }
[engines.risk]
command = ["x"]
port = 9301
after = ["rsk"]
[engines.three]
command = "x 'y"
port = "n"
"""
    said = "\n".join(mistakes(tmp_path, text))
    for part in (
        "engines.one: not a table",
        "engines.Bad_Name: a name is small letters",
        "engines.two: command is missing",
        "engines.two: There is no field 'comand'. Did you mean 'command'?",
        "engines.two: consumes: a foreign engine has none",
        "port: 80 is outside",
        "'h' does not begin with /",
        "health: Expected `int` >= 1",
        "engines.three: command: No closing quotation",
        "engines.three: port: Expected `int`",
        "risk: two engines have this name",
        "after: There is no engine 'rsk'. Did you mean 'risk'?",
    ):
        assert part in said, said


def test_a_port_of_ours_and_a_circle_are_found(tmp_path: Path) -> None:
    assert mistakes(tmp_path, WEB.replace("9300", "8200")) == ["web: port 8200 is risk's"]
    circle = WEB + 'after = ["two"]\n[engines.two]\ncommand = "x"\nport = 9301\nafter = ["web"]\n'
    assert mistakes(tmp_path, circle) == ["engines wait for each other: two, web"]


def test_engines_is_a_list_of_names_elsewhere(tmp_path: Path) -> None:
    assert "[engines.NAME]" in mistakes(tmp_path, 'engines = ["risk"]')[0]


def test_a_native_engine_of_the_project(tmp_path: Path) -> None:
    home = tmp_path / "engines/pricer"
    home.mkdir(parents=True)
    (home / "engine.toml").write_text('name = "pricer"\ntitle = "P"\nport = 9400\nconsumes = ["trades"]\n')
    assert pick(found(tmp_path, ""), "pricer").package == "pricer"
    assert pick(discover(project_of=tmp_path), "risk").package == ""
    (home / "engine.toml").write_text('name = "pricer"\ntitle = "P"\nport = 9400\ncommand = ["x"]\n')
    assert "command: only for a foreign engine" in mistakes(tmp_path, "")[0]


def test_a_given_root_has_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / project.FILE).write_text(WEB)
    monkeypatch.setenv(project.VARIABLE, str(tmp_path))
    assert len(discover()) == 14
    (tmp_path / "root/a").mkdir(parents=True)
    (tmp_path / "root/a/engine.toml").write_text('name = "a"\ntitle = "A"\nport = 2000\n')
    assert [m.name for m in discover(tmp_path / "root")] == ["a"]
