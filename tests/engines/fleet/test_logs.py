"""Rotation and reading of logs."""

import itertools
import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from engines.fleet import logs
from engines.fleet.logs import LogLine


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


def test_follow_gives_old_lines_then_new_ones_then_those_after_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "risk.log"
    path.write_text("one\ntwo\n")
    stream = logs.follow([("risk", path)], 1, poll_s=0.001)
    assert next(stream) == LogLine("risk", "two")
    with path.open("a") as file:
        file.write("three\nfour\n")
    assert list(itertools.islice(stream, 2)) == [LogLine("risk", "three"), LogLine("risk", "four")]
    assert logs.rotate(path, size=1)
    with path.open("a") as file:
        file.write("five\n")
    assert next(stream) == LogLine("risk", "five")
