"""An engine of a project in the place of one of ours: what it inherits, what it changes, and every mistake."""

from pathlib import Path

import pytest

from engines.wire import project
from engines.wire.errors import ManifestErrors
from engines.wire.manifest import ROOT, Manifest, discover, pick


def declare(place: Path, folder: str, text: str) -> None:
    (place / project.FILE).touch()
    home = place / project.ENGINES / folder
    home.mkdir(parents=True)
    (home / "engine.toml").write_text(text, "utf-8")


def mistakes(place: Path) -> list[str]:
    with pytest.raises(ManifestErrors) as caught:
        discover(project_of=place)
    return list(caught.value.mistakes)


def own(place: Path, text: str) -> Manifest:
    declare(place, "mine", 'name = "mine"\nreplaces = "strategy"\n' + text)
    return pick(discover(project_of=place), "strategy")


def test_two_lines_are_enough(tmp_path: Path) -> None:
    found, ours = own(tmp_path, ""), pick(discover(ROOT), "strategy")
    assert (found.package, found.origin) == ("mine", str(tmp_path / "engines/mine"))
    for field in ("name", "title", "port", "consumes", "publishes", "after", "orders", "critical", "load", "limits"):
        assert getattr(found, field) == getattr(ours, field), field
    names = [each.name for each in discover(project_of=tmp_path)]
    assert len(names) == 13 and names.count("strategy") == 1 and "mine" not in names


def test_what_it_says_itself_holds(tmp_path: Path) -> None:
    found = own(tmp_path, 'title = "Mine"\nconsumes = ["sessions", "bars"]\n[limits]\nmemory_mb = 2048\n')
    assert (found.title, found.consumes, found.limits.memory_mb) == ("Mine", ("sessions", "bars"), 2048)
    assert found.publishes == pick(discover(ROOT), "strategy").publishes


def test_an_engine_that_does_not_ship_cannot_be_replaced(tmp_path: Path) -> None:
    declare(tmp_path, "mine", 'name = "mine"\nreplaces = "stratgy"\n')
    assert mistakes(tmp_path) == [
        "mine/engine.toml: replaces: There is no engine 'stratgy'. Did you mean 'strategy'?"
    ]  # and none about the fields that it would have inherited


def test_two_cannot_take_one_place(tmp_path: Path) -> None:
    declare(tmp_path, "mine", 'name = "mine"\nreplaces = "vpin"\n')
    declare(tmp_path, "yours", 'name = "yours"\nreplaces = "vpin"\n')
    assert mistakes(tmp_path) == ["yours: replaces: mine takes the place of vpin already"]


def test_a_field_of_the_wrong_kind_is_told(tmp_path: Path) -> None:
    declare(tmp_path, "mine", 'name = "mine"\nreplaces = "vpin"\nport = 80\nconsume = []\norigin = "/"\n')
    said = "\n".join(mistakes(tmp_path))
    assert "port: 80 is outside" in said and "Did you mean 'consumes'?" in said and "origin: it is where" in said


def test_ours_replace_nobody(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/engine.toml").write_text('name = "a"\ntitle = "A"\nport = 2000\nreplaces = "b"\n')
    with pytest.raises(ManifestErrors, match="replaces: only in the engines folder of a project"):
        discover(tmp_path)


def test_the_same_name_without_saying_so_is_told(tmp_path: Path) -> None:
    declare(tmp_path, "risk", 'name = "risk"\ntitle = "R"\nport = 9400\n')
    assert mistakes(tmp_path) == [
        'risk: two engines have this name; to take the place of ours, say replaces = "risk" in its engine.toml'
    ]


def test_a_foreign_engine_has_none(tmp_path: Path) -> None:
    (tmp_path / project.FILE).write_text('[engines.mine]\ncommand = "x"\nport = 9400\nreplaces = "risk"\n')
    assert mistakes(tmp_path) == ["nautilus.toml: engines.mine: replaces: a foreign engine has none"]
