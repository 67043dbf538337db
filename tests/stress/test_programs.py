"""Which programs foreign engines are: other words or another folder tell, and no word of a command is kept."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from engines.wire.manifest import Manifest, discover
from reports import records
from reports.show import program
from stress import mission as missions
from stress import runner
from stress.options import Options
from stress.programs import programs
from stress.run import Run

WEB = Manifest(
    name="web", title="Web", port=9100, cwd="/desk", command=("/usr/bin/python3", "web.py", "--key", "hidden-word")
)


def digest(manifest: Manifest) -> str:
    return programs([manifest])["web"]


def test_only_foreign_engines_are_programs_of_their_own() -> None:
    ours = Manifest(name="risk", title="Risk", port=8200)
    assert list(programs([ours, WEB])) == ["web"]


def test_no_word_of_a_command_but_the_programs_name_is_kept() -> None:
    name, _, rest = digest(WEB).partition(" sha256:")
    assert name == "python3" and len(rest) == 64 and "hidden-word" not in digest(WEB)
    assert program(digest(WEB)) == f"python3 (command {rest[:12]})"


@pytest.mark.parametrize(
    "changed",
    [
        {"command": ("/usr/bin/python3", "web.py", "--key", "other-word")},
        {"command": ("/usr/bin/python3", "web.py", "--key hidden-word")},
        {"command": ("/opt/bin/python3", *WEB.command[1:])},
        {"cwd": "/desk2"},
    ],
)
def test_another_word_or_folder_is_another_program(changed: dict[str, object]) -> None:
    assert digest(msgspec.structs.replace(WEB, **changed)) != digest(WEB)


def test_what_is_no_command_is_the_same_program() -> None:
    again = msgspec.structs.replace(WEB, port=9101, title="The web")
    assert digest(again) == digest(WEB) and Path(WEB.command[0]).name in digest(again)


def test_a_runs_first_record_names_them_and_holds_no_word_of_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[records.AnyRecord] = []
    history: Any = SimpleNamespace(append=kept.append)
    monkeypatch.setattr(Run, "manifests", staticmethod(lambda: (*discover(), WEB)))
    runner._begin(history, missions.load("health"), Options(), "r")
    first = kept[0]
    assert isinstance(first, records.Run) and first.foreign == programs([WEB])
    assert not any(b"hidden-word" in records.encode(each) for each in kept)
