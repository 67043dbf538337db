"""Many logs as one: order, tails, searches, over rotated pieces and large files."""

import datetime
import os
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.fleet import logview
from engines.fleet.logview import Wanted
from engines.wire.errors import UsageError

BASE = datetime.datetime(2026, 1, 5, 9, 0, 0)  # noqa: DTZ001 - local, as logs are


def line(second: float, text: str) -> str:
    """As Python's logging writes it."""
    at = BASE + datetime.timedelta(seconds=second)
    return f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d} INFO {text}\n"


def at(second: float) -> float:
    return (BASE + datetime.timedelta(seconds=second)).timestamp()


def texts(logs: dict[str, Path], **wanted: object) -> list[str]:
    return [f"{each.name} {each.text[24:]}" for each in logview.read(logs, Wanted(**wanted))]  # type: ignore[arg-type]


def test_time_orders_the_lines_of_all_logs(tmp_path: Path) -> None:
    risk, vpin = tmp_path / "risk.log", tmp_path / "vpin.log"
    risk.write_text(line(1, "a") + line(3, "c") + line(5, "e"))
    vpin.write_text(line(2, "b") + line(4, "d"))
    assert texts({"risk": risk, "vpin": vpin}) == [
        "risk INFO a",
        "vpin INFO b",
        "risk INFO c",
        "vpin INFO d",
        "risk INFO e",
    ]


def test_a_traceback_stays_together(tmp_path: Path) -> None:
    risk, vpin = tmp_path / "risk.log", tmp_path / "vpin.log"
    risk.write_text(line(1, "fails") + "Traceback:\n  File x\nKeyError: 'y'\n" + line(3, "on"))
    vpin.write_text(line(2, "b"))
    found = [each.text for each in logview.read({"risk": risk, "vpin": vpin}, Wanted())]
    assert found[1:4] == ["Traceback:", "  File x", "KeyError: 'y'"] and found[4].endswith("INFO b")
    (entry,) = {each.at for each in logview.read({"risk": risk}, Wanted(pattern=logview.compiled("KeyError")))}
    assert entry == at(1), "a match in any line shows the whole entry"


def test_pieces_are_read_oldest_first(tmp_path: Path) -> None:
    log = tmp_path / "risk.log"
    for number in range(11, 0, -1):
        log.with_name(f"risk.log.{number}").write_text(line(20 - number, f"{number}"))
    log.write_text(line(30, "live"))
    log.with_name("risk.log.gz").write_text("not a piece\n")
    shown = [text.removeprefix("risk INFO ") for text in texts({"risk": log})]
    assert shown == [str(n) for n in range(11, 0, -1)] + ["live"]
    assert texts({"risk": log}, lines=2) == ["risk INFO 1", "risk INFO live"]


def test_a_set_back_clock_does_not_tear_a_log_apart(tmp_path: Path) -> None:
    log, other = tmp_path / "a.log", tmp_path / "b.log"
    log.write_text(line(10, "one") + line(2, "two") + line(11, "three"))
    other.write_text(line(5, "x"))
    assert [text[-1] for text in texts({"a": log, "b": other})] == ["x", "e", "o", "e"]


def test_a_log_without_times_is_dated_by_its_file(tmp_path: Path) -> None:
    log, other = tmp_path / "a.log", tmp_path / "b.log"
    log.write_text("one\ntwo")
    os.utime(log, (at(5), at(5)))
    other.write_text(line(4, "x") + line(6, "y"))
    shown = list(logview.read({"a": log, "b": other}, Wanted()))
    assert [(each.name, each.at is None) for each in shown] == [("b", False), ("a", True), ("a", True), ("b", False)]
    assert [each.name for each in logview.read({"a": log, "b": other}, Wanted(since=at(5)))] == ["a", "a", "b"]


def test_a_missing_and_an_empty_log(tmp_path: Path) -> None:
    (tmp_path / "a.log").touch()
    assert texts({"a": tmp_path / "a.log", "b": tmp_path / "b.log"}, lines=5) == []
    assert texts({"a": tmp_path / "a.log", "b": tmp_path / "b.log"}, since=0.0) == []


def test_no_regular_expression() -> None:
    with pytest.raises(UsageError, match="is no regular expression"):
        logview.compiled("[")


def test_the_ends_of_large_logs_are_read_without_the_rest(tmp_path: Path) -> None:
    """Bytes read, not seconds: the last lines and a recent `since` of 8 MB take some blocks of it."""
    log = tmp_path / "a.log"
    log.write_text("".join(line(second, "x" * (57 + second % 7)) for second in range(80_000)))
    size, counted = log.stat().st_size, 0
    plain = Path.open

    def opened(path: Path, mode: str = "r") -> object:
        file = plain(path, mode)

        class Counting:
            def __getattr__(self, name: str) -> object:
                return getattr(file, name)

            def read(self, most: int) -> bytes:
                nonlocal counted
                data: bytes = file.read(most)
                counted += len(data)
                return data

        return Counting()

    with mock.patch.object(Path, "open", opened):
        assert len(texts({"a": log}, lines=50)) == 50
        assert counted < 300_000 < size
        assert len(texts({"a": log}, since=at(79_990))) == 10
    assert counted < 2_000_000 < size


entries = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 3), st.sampled_from(["", "needle"])), min_size=0, max_size=40
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    logs=st.lists(entries, min_size=1, max_size=3), cuts=st.lists(st.integers(0, 40), max_size=2),
    lines=st.integers(0, 12), since=st.integers(0, 400), block=st.sampled_from([7, 64, 65_536]),
)  # fmt: skip
def test_against_a_plain_model(
    tmp_path: Path, logs: list[list[tuple[int, int, str]]], cuts: list[int], lines: int, since: int, block: int
) -> None:
    """Against sorting and filtering in memory, whatever the blocks and wherever the rotations fell."""
    for old in tmp_path.iterdir():
        old.unlink()
    paths, model = {}, []
    for index, raw in enumerate(logs):
        name = f"log{index}"
        paths[name] = tmp_path / f"{name}.log"
        one = [
            (second, [line(second, f"{word}{number}"), *["  more\n"] * more])
            for number, (second, more, word) in enumerate(sorted(raw))
        ]
        model += [(second, name, texts_) for second, texts_ in one]
        edges = [0, *sorted(min(cut, len(one)) for cut in cuts), len(one)]
        names = [f"{name}.log.{number}" for number in range(len(edges) - 2, 0, -1)] + [f"{name}.log"]
        for file, low, high in zip(names, edges, edges[1:], strict=False):
            (tmp_path / file).write_text("".join("".join(texts_) for _, texts_ in one[low:high]))
    model.sort(key=lambda each: each[0])

    def plain(chosen: list[tuple[int, str, list[str]]]) -> list[tuple[str, str]]:
        return [(name, text.rstrip("\n")) for _, name, texts_ in chosen for text in texts_]

    def read(**wanted: object) -> list[tuple[str, str]]:
        return [(each.name, each.text) for each in logview.read(paths, Wanted(**wanted))]  # type: ignore[arg-type]

    with mock.patch.object(logview, "_BLOCK", block):
        assert read() == plain(model)
        assert read(since=at(since)) == plain([each for each in model if each[0] >= since])
        needle = [each for each in model if "needle" in each[2][0]]
        assert read(pattern=logview.compiled("needle")) == plain(needle)
        last = read(lines=lines)
        for name in paths:
            every = [text for whose, text in plain(model) if whose == name]
            assert [text for whose, text in last if whose == name] == every[len(every) - min(lines, len(every)) :]
