"""The arithmetic of a proxy: delays keep the order and their bounds, the same seed the same chances."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.faults.proxy_kinds import KINDS
from stress.faults.proxy_shape import MODES, PARAMETERS, Dues, Shape, Victims, chance, cut, pieces, room, shape_of


@given(
    st.lists(st.floats(0, 10, allow_nan=False), min_size=1, max_size=50),
    st.floats(1, 1000),
    st.floats(0, 1000),
    st.integers(0, 99),
)
def test_what_is_delayed_arrives_in_order_and_in_its_time(
    times: list[float], delay_ms: float, jitter_ms: float, seed: int
) -> None:
    shape = Shape(mode="latency", delay_ms=delay_ms, jitter_ms=jitter_ms)
    dues = Dues(random.Random(seed))
    latest = 0.0
    for now in sorted(times):
        due = dues.due(shape, now)
        assert due >= max(latest, now + delay_ms / 1000)
        assert due <= max(latest, now + (delay_ms + jitter_ms) / 1000)
        latest = due


def test_after_a_delay_nothing_overtakes() -> None:
    dues = Dues(random.Random(0))
    late = dues.due(Shape(mode="latency", delay_ms=500), 1.0)
    assert late == 1.5
    assert dues.due(Shape(), 1.1) == 1.5
    assert dues.due(Shape(), 2.0) == 2.0


@given(
    st.lists(st.tuples(st.floats(0, 10, allow_nan=False), st.integers(1, 100_000)), min_size=1, max_size=40),
    st.integers(1_000, 10_000_000),
)
def test_what_is_limited_is_never_ahead_of_its_line_nor_behind_it(sent: list[tuple[float, int]], rate: int) -> None:
    """A queue in front of a line: by Lindley's recursion, solved: the longest busy period decides."""
    shape = Shape(mode="bandwidth", bytes_per_s=rate)
    dues = Dues(random.Random(0))
    arrivals = sorted(sent)
    found = [dues.due(shape, now, size) for now, size in arrivals]
    for index, due in enumerate(found):
        waits = (arrivals[k][0] + sum(size for _, size in arrivals[k : index + 1]) / rate for k in range(index + 1))
        assert due == pytest.approx(max(waits))


def test_a_new_shape_does_not_wait_for_what_an_old_one_planned() -> None:
    dues = Dues(random.Random(0))
    assert dues.due(Shape(mode="bandwidth", bytes_per_s=1_000), 1.0, 50_000) == 51.0
    dues.forget()
    assert dues.due(Shape(mode="latency", delay_ms=50), 2.0, 10) == 2.05


@given(st.binary(max_size=5_000), st.integers(1_000, 10_000_000))
def test_pieces_are_the_data_and_none_is_more_than_the_bucket(data: bytes, rate: int) -> None:
    shape = Shape(mode="bandwidth", bytes_per_s=rate)
    found = list(pieces(shape, data))
    assert b"".join(found) == data
    assert all(0 < len(piece) <= max(1, rate / 100) for piece in found)
    assert list(pieces(Shape(), data)) == ([data] if data else [])


def test_a_slow_line_holds_a_second_of_it() -> None:
    assert room(Shape(mode="bandwidth", bytes_per_s=1_000)) == 1_000
    assert room(Shape(mode="bandwidth", bytes_per_s=1e9)) == room(Shape()) == 4 << 20


def test_the_same_seed_gives_the_same_chances() -> None:
    assert chance(7, 1, "up").random() == chance(7, 1, "up").random()
    others = {chance(7, 1, "up").random(), chance(7, 1, "down").random(), chance(7, 2, "up").random()}
    assert len(others | {chance(8, 1, "up").random()}) == 4


@pytest.mark.parametrize(
    ("victims", "pid", "name", "suffers"),
    [
        (Victims(spared=(5,)), 4, "risk", True),
        (Victims(spared=(5,)), 5, "supervisor", False),
        (Victims(names=("risk",), pids=(4,)), 4, "python", True),
        (Victims(names=("risk",), pids=(4,)), 9, "risk", True),
        (Victims(names=("risk",), pids=(4,)), 9, "vpin", False),
        (Victims(names=("risk",)), None, "", True),
    ],
)
def test_who_suffers(victims: Victims, pid: int | None, name: str, *, suffers: bool) -> None:
    assert victims.holds(pid, name) is suffers


@given(st.integers(1, 1 << 20))
def test_a_cut_reply_is_never_whole(size: int) -> None:
    assert 0 <= cut(size) < size


def test_defaults_and_given_parameters() -> None:
    assert set(PARAMETERS) == set(MODES) == {kind.name for kind in KINDS}
    assert shape_of("latency", {}) == Shape(mode="latency", delay_ms=50)
    given_ones = {"delay_ms": 10, "jitter_ms": 5.0, "seed": 3}
    assert shape_of("latency", given_ones) == Shape(mode="latency", delay_ms=10, jitter_ms=5, seed=3)
    assert shape_of("bandwidth", {"bytes_per_s": 5e4}) == Shape(mode="bandwidth", bytes_per_s=50_000)
    assert shape_of("reset", {"mean_ms": 20}) == Shape(mode="reset", mean_ms=20)


@pytest.mark.parametrize(
    ("mode", "target", "parameters", "mistake"),
    [
        ("latency", "bus-main", {"delay_ms": -1}, "delay_ms = -1: a number from 1 to 10000"),
        ("latency", "bus-main", {"delay_m": 5}, "no parameter 'delay_m'"),
        ("bandwidth", "bus-main", {"bytes_per_s": 10}, "bytes_per_s = 10: a number from 1000 to 1e+07"),
        ("stall", "bus-main", {"mean_ms": 50}, "no parameter 'mean_ms'"),
        ("partition", "risk", {}, "which of an engine's buses? main or market"),
        ("partition", "risk", {"bus": "mian"}, "which of an engine's buses? main or market"),
        ("partition", "bus-main", {"bus": "main"}, "bus-main says it already"),
        ("partition", "supervisor", {}, "it cannot be at 'supervisor'"),
        ("reset", "bus-main", {"control": "/nowhere"}, "no proxy's socket is there"),
    ],
)
def test_what_cannot_be_is_told(mode: str, target: str, parameters: dict[str, object], mistake: str) -> None:
    kind = next(kind for kind in KINDS if kind.name == mode)
    assert mistake in "\n".join(kind.mistakes(target, parameters))


def test_what_can_be_has_no_mistakes() -> None:
    for kind in KINDS:
        assert list(kind.mistakes("bus-market", {"seed": 1})) == []
        assert list(kind.mistakes("risk", {"bus": "main"})) == []
