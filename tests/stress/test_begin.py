"""The beginning of a mission: valid as it stands, with every field that a mission may have."""

from pathlib import Path

import msgspec
import pytest

from engines.wire.errors import UsageError
from stress import mission
from stress.begin import begin
from stress.specs import ROLES


def test_it_is_a_mission_and_explains_each_field(tmp_path: Path) -> None:
    path = begin("my-own", tmp_path)
    found = mission.load(str(path))
    assert (found.name, found.title) == ("my-own", "My own") and found.criteria
    text = path.read_text()
    for phase in found.phases:
        for field in msgspec.structs.fields(phase):
            assert field.name in ("name", "full", "window_s") or f"\n{field.name} = " in text, field.name
    assert {phase.role for phase in found.phases} <= ROLES.keys() and all(role in text for role in ROLES)


@pytest.mark.parametrize("name", ["flash-crash", "a/b", "", "a b"])
def test_names_that_cannot_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a mission"):
        begin(name, tmp_path)


def test_a_file_is_not_overwritten(tmp_path: Path) -> None:
    begin("own", tmp_path)
    with pytest.raises(UsageError, match="is there already"):
        begin("own", tmp_path)
