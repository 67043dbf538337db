"""What must be undone survives the death of whoever did it."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from stress.faults.fault import Undo
from stress.faults.undo import JOURNAL, UndoJournal


def undo(name: str) -> Undo:
    return Undo(fault=name, kind="pause", target="risk", facts={"pid": 7, "start": 9})


def test_what_is_begun_is_pending_until_it_is_done(tmp_path: Path) -> None:
    journal = UndoJournal(tmp_path)
    assert journal.pending() == ()
    journal.begin(undo("a"))
    journal.begin(undo("b"))
    journal.done(undo("a"))
    assert UndoJournal(tmp_path).pending() == (undo("b"),)
    assert (tmp_path / JOURNAL).stat().st_mode & 0o777 == 0o600


def test_a_cut_line_counts_for_nothing_and_hides_nothing_after_it(tmp_path: Path) -> None:
    journal = UndoJournal(tmp_path)
    journal.begin(undo("a"))
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"event":"pending","undo":{"fau')
    assert journal.pending() == (undo("a"),)
    journal.begin(undo("c"))
    assert journal.pending() == (undo("a"), undo("c"))


@settings(deadline=None)  # every step is synced to disk
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=20), st.integers(0, 60))
def test_any_cut_leaves_a_prefix(steps: list[tuple[str, bool]], cut: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        journal = UndoJournal(Path(name))
        states: list[tuple[Undo, ...]] = [()]
        for fault, begins in steps:
            (journal.begin if begins else journal.done)(undo(fault))
            states.append(journal.pending())
        if journal.path.is_file():
            whole = journal.path.read_bytes()
            journal.path.write_bytes(whole[: len(whole) - cut] if cut < len(whole) else b"")
        assert journal.pending() in states
