"""Where the user's files are found, and whose they must be."""

from pathlib import Path

import pytest

from engines.wire import project
from engines.wire.errors import SettingsError


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "p/a/b").mkdir(parents=True)
    (tmp_path / "p" / project.FILE).write_text("")
    return tmp_path / "p"


def test_upward_from_where_one_is(place: Path) -> None:
    assert project.find({}, place / "a/b") == place
    (place / "a" / project.FILE).write_text("")
    assert project.find({}, place / "a/b") == place / "a", "the nearest"
    assert project.find({}, place.parent) is None


def test_the_variable_has_the_last_word(place: Path) -> None:
    assert project.find({project.VARIABLE: str(place)}, Path("/")) == place
    assert project.find({project.VARIABLE: ""}, place) is None
    assert project.find({project.VARIABLE: str(place / "a")}, place) is None, "there is no file"


def test_a_file_that_others_can_write_is_not_believed(place: Path) -> None:
    (place / project.FILE).chmod(0o666)
    with pytest.raises(SettingsError) as caught:
        project.find({}, place / "a")
    assert f"export {project.VARIABLE}={place}" in caught.value.next_step
    assert project.find({project.VARIABLE: str(place)}, place) == place, "unless it is named"


def test_the_users_own_file(tmp_path: Path) -> None:
    (tmp_path / ".config/nautilus").mkdir(parents=True)
    assert project.user_file({"HOME": str(tmp_path)}) is None
    own = tmp_path / ".config/nautilus/config.toml"
    own.write_text("")
    assert project.user_file({"HOME": str(tmp_path)}) == own
    assert project.user_file({"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "x")}) is None
