"""Following logs while they are written, rotated and cut."""

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from engines.fleet import logfollow, logview
from engines.fleet.logfollow import Follower
from engines.fleet.logview import Line, Wanted


def add(path: Path, *texts: str) -> None:
    with path.open("a") as file:
        file.writelines(f"{text}\n" for text in texts)


def copy_and_cut(path: Path) -> None:
    """A rotation as the supervisor does it."""
    for number in (2, 1):
        piece = path.with_name(f"{path.name}.{number}")
        if piece.exists():
            piece.replace(path.with_name(f"{path.name}.{number + 1}"))
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)


def rename(path: Path) -> None:
    """A rotation as logrotate does it."""
    path.replace(path.with_name(f"{path.name}.1"))


@pytest.mark.parametrize("rotate", [copy_and_cut, rename])
def test_no_line_is_lost_in_a_rotation(tmp_path: Path, rotate: object) -> None:
    log = tmp_path / "a.log"
    add(log, "old", "one")
    follower = Follower(log, 4)
    assert follower.lines() == [b"one"]
    add(log, "two", "three")
    rotate(log)  # type: ignore[operator]
    assert follower.lines() == [b"two", b"three"]
    add(log, "four")
    assert follower.lines() == [b"four"] and follower.lines() == []


def test_a_log_that_has_regrown_beyond_the_place_was_rotated_all_the_same(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    add(log, "one")
    follower = Follower(log, 4)
    add(log, "two")
    copy_and_cut(log)
    add(log, "three", "four", "five")
    assert follower.lines() == [b"two", b"three", b"four", b"five"]


def test_a_piece_that_holds_only_the_end_of_a_flood(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    add(log, *(f"old {number}" for number in range(100)))
    follower = Follower(log, log.stat().st_size)
    add(log, "new 1", "new 2")
    data = log.read_bytes()
    log.with_name("a.log.1").write_bytes(data[-200:])
    os.truncate(log, 0)
    assert follower.lines() == [b"new 1", b"new 2"]


def test_a_log_that_somebody_emptied_is_not_repeated(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    add(log.with_name("a.log.1"), "older")
    add(log, "one", "two")
    follower = Follower(log, log.stat().st_size)
    os.truncate(log, 0)
    add(log, "three")
    assert follower.lines() == [b"three"]


def test_two_rotations_between_two_looks(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    add(log, "one")
    follower = Follower(log, 4)
    for text in ("two", "three"):
        add(log, text)
        copy_and_cut(log)
    add(log, "four")
    assert follower.lines() == [b"two", b"three", b"four"]


def test_a_line_is_waited_for_to_its_end(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("half")
    follower = Follower(log, 0)
    assert follower.lines() == []
    with log.open("a") as file:
        file.write(" and half\n")
    assert follower.lines() == [b"half and half"]


def test_a_flood_comes_in_parts(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    add(log, *(str(number) for number in range(1000)))
    with mock.patch.object(logfollow, "_MOST", 100):
        follower = Follower(log, 0)
        parts = list(iter(follower.lines, []))
    assert len(parts) > 10 and [int(line) for part in parts for line in part] == list(range(1000))


def take(stream: Iterator[Line], count: int) -> list[tuple[str, str]]:
    return [(line.name, line.text) for line in itertools.islice(stream, count)]


def test_history_then_news_of_all_and_of_logs_to_come(tmp_path: Path) -> None:
    risk, vpin = tmp_path / "risk.log", tmp_path / "vpin.log"
    add(risk, "one", "two")
    with mock.patch.object(logfollow, "_LOOK_S", 0.0):
        stream = logfollow.follow(lambda: {p.stem: p for p in tmp_path.glob("*.log")}, Wanted(lines=1), 0.001)
        assert take(stream, 1) == [("risk", "two")]
        add(risk, "three")
        assert take(stream, 1) == [("risk", "three")]
        add(vpin, "first")
        assert take(stream, 1) == [("vpin", "first")]


def test_a_half_line_of_the_history_is_shown_once_it_is_whole(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("one\ntw")
    stream = logfollow.follow(lambda: {"a": log}, Wanted(lines=5), 0.001)
    assert take(stream, 1) == [("a", "one")]
    add(log, "o")
    assert take(stream, 1) == [("a", "two")]


def test_a_pattern_keeps_tracebacks_with_their_lines(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.touch()
    wanted = Wanted(pattern=logview.compiled("ERROR"))
    stream = logfollow.follow(lambda: {"a": log}, wanted, 0.001)
    head = "2026-01-05 09:00:0"
    add(log, f"{head}1 INFO x", "  no", f"{head}2 ERROR y", "Traceback:", f"{head}3 INFO z", f"{head}4 ERROR w")
    assert [text for _, text in take(stream, 3)] == [f"{head}2 ERROR y", "Traceback:", f"{head}4 ERROR w"]
