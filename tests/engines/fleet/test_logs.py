"""Rotation and reading of logs."""

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from engines.fleet import logs


def test_rotation_keeps_the_writer_and_bounds_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "risk.log"
    writer = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for number in range(6):
        os.write(writer, f"{number}".encode() * 100)
        assert logs.rotate(path, size=50, keep=3)
        assert path.stat().st_size == 0
    os.write(writer, b"after")
    os.close(writer)
    assert path.read_bytes() == b"after", "the writer goes on at the start, with no hole before it"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["risk.log", "risk.log.1", "risk.log.2", "risk.log.3"]
    assert (tmp_path / "risk.log.1").read_bytes() == b"5" * 100
    assert not logs.rotate(path, size=50) and not logs.rotate(tmp_path / "none")


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=30), max_size=40),
    st.integers(0, 50),
)
def test_tail_is_the_last_lines(tmp_path_factory, lines: list[str], count: int) -> None:
    path = tmp_path_factory.mktemp("tail") / "a.log"
    path.write_text("".join(line + "\n" for line in lines), "utf-8")
    assert logs.tail(path, count) == (lines[-count:] if count else [])


def test_tail_reads_long_logs_from_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("".join(f"line {n} {'x' * 90}\n" for n in range(20_000)))
    assert [line.split()[1] for line in logs.tail(path, 3)] == ["19997", "19998", "19999"]
    assert len(logs.tail(path, 2000)) == 2000


class Time:
    """A wall clock that is set by hand."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_log_is_set_aside_by_size_and_by_age(tmp_path: Path) -> None:
    clock = Time()
    keeper = logs.Keeper(tmp_path, clock)
    (tmp_path / "a.log").write_text("small\n")
    (tmp_path / "empty.log").write_text("")
    assert keeper.look() == []
    (tmp_path / "b.log").write_bytes(b"x" * (logs.SIZE + 1))
    assert keeper.look() == ["b.log"] and (tmp_path / "b.log").stat().st_size == 0
    clock.now += logs.AGE_S - 1
    assert keeper.look() == []
    clock.now += 1
    assert keeper.look() == ["a.log"], "an empty one is not set aside"
    assert (tmp_path / "a.log.1").read_text() == "small\n"


def test_what_was_set_aside_is_removed_when_it_is_old(tmp_path: Path) -> None:
    clock = Time()
    old, new = tmp_path / "a.log.2", tmp_path / "a.log.1"
    for path, age in ((old, logs.OLD_S + 1), (new, logs.OLD_S - 1)):
        path.write_text("x")
        os.utime(path, (clock.now - age,) * 2)
    logs.Keeper(tmp_path, clock).look()
    assert not old.exists() and new.exists()


def test_of_a_flood_the_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "risk.log"
    with path.open("wb") as file:
        file.truncate(3 * logs.SIZE)
        file.seek(0, os.SEEK_END)
        file.write(b"the end\n")
    assert logs.rotate(path)
    kept = tmp_path / "risk.log.1"
    assert kept.stat().st_size == logs.SIZE and kept.read_bytes().endswith(b"the end\n")
