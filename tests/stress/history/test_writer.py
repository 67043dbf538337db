"""The committer alone: it chains, keeps a torn tail back, and syncs once a group."""

import itertools
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import chain
from stress.history.writer import GROUP_S, Committer, serve


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "history.jsonl"


def committer(target: Path) -> Committer:
    return Committer(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600))


def payloads(target: Path) -> list[bytes]:
    with target.open("rb") as file:
        found = list(chain.walk(file))
    assert all(isinstance(line, bytes) for line in found)
    return [line for line in found if isinstance(line, bytes)]


@given(cuts=st.lists(st.integers(0, 60), max_size=6))
def test_however_the_pipe_cuts_the_lines_they_are_chained_whole(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    target = tmp_path_factory.mktemp("run") / "history.jsonl"
    stream = b'{"a":1}\n{"b":2}\n{"c":3}\n{"torn":'
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    writer = committer(target)
    for start, end in itertools.pairwise(edges):
        writer.take(stream[start:end], 0.0)
    assert payloads(target) == [b'{"a":1}', b'{"b":2}', b'{"c":3}']


def test_a_group_is_due_a_fifth_of_a_second_after_its_first_line(target: Path) -> None:
    writer = committer(target)
    assert writer.due_in(10.0) is None
    writer.take(b'{"half":', 10.0)
    assert writer.due_in(10.0) is None, "nothing was written yet"
    writer.take(b"1}\n", 10.0)
    writer.take(b'{"b":2}\n', 10.1)
    assert writer.due_in(10.1) == pytest.approx(GROUP_S - 0.1)
    assert writer.due_in(99.0) == 0.0
    writer.sync()
    assert writer.due_in(99.0) is None


def test_serve_ends_with_its_input_and_syncs(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, pipe = os.pipe()
    os.write(pipe, b'{"a":1}\n{"b":2}\n{"torn"')
    os.close(pipe)
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", lambda _: synced.append(target.stat().st_size))
    serve(source, committer(target))
    os.close(source)
    assert payloads(target) == [b'{"a":1}', b'{"b":2}']
    assert synced[-1] == target.stat().st_size


def test_an_empty_line_is_the_parents_farewell_and_no_record(target: Path) -> None:
    writer = committer(target)
    writer.take(b'{"a":1}\n', 0.0)
    assert not writer.farewell
    writer.take(b"\n", 0.0)
    assert writer.farewell and payloads(target) == [b'{"a":1}']
