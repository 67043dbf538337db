"""The journal and what it says of leftovers."""

from pathlib import Path

from engines.fleet import journal
from engines.fleet.journal import Entry, Journal
from engines.fleet.process import Exit, Identity

A, B = Identity(10, 111), Identity(11, 112)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "fleet.jsonl"
    writer = Journal(path, clock=lambda: 12.5)
    writer.write(Entry(what="started", unit="risk", identity=A))
    writer.write(Entry(what="ended", unit="risk", identity=A, exit=Exit(None, 9)))
    writer.close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert journal.read(path) == [
        Entry(at=12.5, what="started", unit="risk", identity=A),
        Entry(at=12.5, what="ended", unit="risk", identity=A, exit=Exit(None, 9)),
    ]


def test_a_line_cut_short_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "fleet.jsonl"
    writer = Journal(path)
    writer.write(Entry(what="started", unit="risk", identity=A))
    writer.write(Entry(what="started", unit="ml", identity=B))
    writer.close()
    path.write_bytes(path.read_bytes()[:-9])
    assert [entry.unit for entry in journal.read(path)] == ["risk"]
    assert journal.read(tmp_path / "none") == []


def test_unended() -> None:
    started = [
        Entry(what="boot", boot="x"),
        Entry(what="started", unit="a", identity=A),
        Entry(what="started", unit="b", identity=B),
    ]
    assert journal.unended(started, "x") == {A: "a", B: "b"}
    assert journal.unended([*started, Entry(what="ended", unit="a", identity=A)], "x") == {B: "b"}
    assert journal.unended([*started, Entry(what="boot", boot="x")], "x") == {A: "a", B: "b"}


def test_a_reboot_leaves_nothing() -> None:
    """Start times count from the machine's boot: those of a former one mean nothing."""
    before = [Entry(what="boot", boot="old"), Entry(what="started", unit="a", identity=A)]
    assert journal.unended(before, "new") == {}


def test_a_large_journal_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "fleet.jsonl"
    path.write_bytes(b" " * (8 * 1024 * 1024 + 1))
    Journal(path).close()
    assert path.stat().st_size == 0 and (tmp_path / "fleet.jsonl.1").exists()
