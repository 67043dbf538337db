"""The version of a state folder: an old one is carried over with nothing lost, a newer one refused."""

import json
from pathlib import Path

import pytest

from engines.fleet import audit, folders, migrate
from engines.fleet.folders import Folders
from engines.fleet.journal import Entry, Journal
from engines.wire.errors import NautilusError


@pytest.fixture
def where(tmp_path: Path) -> Folders:
    found = folders.of("old", tmp_path)
    folders.make(found)
    return found


def first_version(where: Folders) -> None:
    """A folder as version 1 left it."""
    journal = Journal(where.journal, lambda: 1e9)
    for entry in (
        Entry(what="boot"),
        Entry(what="asked", who="uid 7 pid 42", detail="restart risk"),
        Entry(what="asked", who="uid 7 pid 43", detail="stop now"),
        Entry(what="closed"),
    ):
        journal.write(entry)
    journal.close()


def test_a_new_folder_is_of_this_version(where: Folders) -> None:
    assert migrate.carry_over(where) == migrate.CURRENT == migrate.version(where)
    assert not where.audit.exists()
    assert (where.state / "schema.json").stat().st_mode & 0o777 == 0o600


def test_the_first_version_is_carried_over(where: Folders) -> None:
    first_version(where)
    journal = where.journal.read_bytes()
    assert migrate.version(where) == 1 and migrate.carry_over(where) == 1
    restart, stop = audit.read(where.audit)
    assert (restart.op, restart.detail, restart.uid, restart.pid) == ("restart", "risk", 7, 42)
    assert (stop.op, stop.detail, stop.at) == ("stop", "now", "2001-09-09T01:46:40.000+00:00")
    assert where.journal.read_bytes() == journal, "nothing is taken away"
    assert migrate.carry_over(where) == migrate.CURRENT, "once"
    assert len(audit.read(where.audit)) == 2


def test_a_step_that_was_cut_short_is_repeated(where: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    first_version(where)
    append = audit.append

    def dies(path: Path, entry: audit.Entry) -> None:
        append(path, entry)
        raise KeyboardInterrupt

    monkeypatch.setattr(audit, "append", dies)
    with pytest.raises(KeyboardInterrupt):
        migrate.carry_over(where)
    monkeypatch.setattr(audit, "append", append)
    assert migrate.version(where) == 1 and migrate.carry_over(where) == 1
    assert [entry.op for entry in audit.read(where.audit)] == ["restart", "stop"]


def test_a_newer_one_is_refused_and_left_alone(where: Folders) -> None:
    text = json.dumps({"state": migrate.CURRENT + 1, "written_by": "9.9.9"})
    (where.state / "schema.json").write_text(text)
    with pytest.raises(NautilusError) as caught:
        migrate.carry_over(where)
    assert "newer version" in caught.value.what and "9.9.9" in caught.value.why
    assert "NAUTILUS_HOME" in caught.value.next_step and (where.state / "schema.json").read_text() == text


def test_a_number_that_cannot_be_read_is_not_guessed(where: Folders) -> None:
    (where.state / "schema.json").write_text('{"state": "two"}')
    with pytest.raises(NautilusError, match="cannot be understood"):
        migrate.carry_over(where)


def test_there_is_a_step_from_each_version() -> None:
    assert set(migrate.STEPS) == set(range(1, migrate.CURRENT))
