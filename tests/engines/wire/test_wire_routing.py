"""The table: borders where times meet, and numpy wherever the profile is not of this machine."""

import math
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.wire import machine, routing
from engines.wire.routing import BASELINE, MARGIN, Curves, Profile, Timing, crossovers

HOST = {"system": "Linux", "cpu": "Some CPU"}
SIZES = (10, 100, 1_000, 10_000)
times = st.floats(1e-7, 1e3)


def curves_of() -> st.SearchStrategy[dict[str, dict[int, float]]]:
    """numpy at every size, up to three rivals at some."""
    rival = st.dictionaries(st.sampled_from(SIZES), times, min_size=1)
    full = st.fixed_dictionaries(dict.fromkeys(SIZES, times))
    rivals = st.dictionaries(st.sampled_from(("a", "b", "c")), rival)
    return st.builds(lambda base, others: {BASELINE: base, **others}, full, rivals)


def timings(of: Curves, kernel: str = "k") -> tuple[Timing, ...]:
    return tuple(
        Timing(kernel=kernel, size=size, device=device, median_s=seconds, repeats=3, error=0.0)
        for device, found in of.items()
        for size, seconds in found.items()
    )


def profile(of: Curves) -> Profile:
    found = timings(of)
    return Profile(
        at="2026-01-01T00:00:00+00:00",
        quick=True,
        fingerprint=machine.fingerprint(HOST),
        host=HOST,
        versions={"numpy": "2.4"},
        devices=(),
        timings=found,
        crossovers=crossovers("k", routing.curves(found, "k")),
    )


def best(of: Curves, size: int) -> float:
    """The least time at a size, rivals of numpy's handicapped."""
    return min(found[size] * (1 if name == BASELINE else MARGIN) for name, found in of.items() if size in found)


@given(curves_of())
def test_at_a_timed_size_the_fastest_wins_and_borders_lie_between(of: dict[str, dict[int, float]]) -> None:
    rows = crossovers("k", of)
    table = routing.table(profile(of))
    for size in SIZES:
        device = table.route("k", size).device
        assert of[device][size] * (1 if device == BASELINE else MARGIN) == pytest.approx(best(of, size), rel=1e-9)
    starts = [row.from_size for row in rows]
    assert starts[0] == 0 and starts == sorted(set(starts))
    assert all(a.device != b.device for a, b in pairwise(rows))
    for row in rows[1:]:
        before = max(size for size in SIZES if size < row.measured_at)
        assert before < row.from_size <= row.measured_at
    for row in rows:
        assert row.speedup == of[BASELINE][row.measured_at] / of[row.device][row.measured_at]


@given(curves_of(), st.integers(1, 10**6))
def test_a_rival_is_named_only_with_a_measured_speedup(of: dict[str, dict[int, float]], size: int) -> None:
    choice = routing.table(profile(of)).route("k", size)
    if choice.device == BASELINE:
        assert choice.speedup is None
    else:
        ratios = {of[BASELINE][at] / seconds for at, seconds in of[choice.device].items()}
        assert choice.speedup in ratios


@given(curves_of())
def test_beyond_the_timed_sizes_the_nearest_winner_stays(of: dict[str, dict[int, float]]) -> None:
    table = routing.table(profile(of))
    assert table.route("k", 1).device == table.route("k", SIZES[0]).device
    assert table.route("k", 10**9).device == table.route("k", SIZES[-1]).device


def test_the_border_is_where_the_times_meet() -> None:
    """numpy a n, the rival b for any n: equal, with the margin, at 1.1 b / a."""
    of = {BASELINE: {size: 1e-6 * size for size in SIZES}, "gpu": dict.fromkeys(SIZES, 3e-4)}
    first, second = crossovers("k", of)
    assert (first.device, first.from_size) == (BASELINE, 0)
    assert (second.device, second.from_size, second.measured_at) == ("gpu", math.ceil(1.1 * 300), 1_000)
    assert second.speedup == pytest.approx(1e-3 / 3e-4)


def test_less_than_the_margin_is_noise() -> None:
    assert [row.device for row in crossovers("k", {BASELINE: {10: 1.0}, "a": {10: 0.95}})] == [BASELINE]
    assert [row.device for row in crossovers("k", {BASELINE: {10: 1.0}, "a": {10: 0.85}})] == ["a"]


def test_a_device_that_was_not_timed_at_the_next_size_ends_there() -> None:
    of = {BASELINE: {10: 1.0, 100: 1.0}, "a": {10: 0.1}}
    assert [(row.device, row.from_size) for row in crossovers("k", of)] == [("a", 0), (BASELINE, 100)]


def test_without_numpy_there_is_no_row() -> None:
    assert crossovers("k", {"a": {10: 1.0}}) == ()


def test_only_devices_that_one_has_are_routed_to() -> None:
    of = {BASELINE: {10: 1.0}, "gpu": {10: 0.1}, "numba": {10: 0.5}}
    assert routing.table(profile(of)).route("k", 10) == ("gpu", 1.0 / 0.1)
    assert routing.table(profile(of), ("numba",)).route("k", 10) == ("numba", 2.0)
    assert routing.table(profile(of), ()).route("k", 10) == (BASELINE, None)
    assert routing.table(profile(of)).route("other", 10) == (BASELINE, None)


def test_what_was_not_timed_or_was_wrong_is_no_candidate() -> None:
    wrong = Timing(kernel="k", size=10, device="a", error=1.0, why="its result deviates")
    found = (*timings({BASELINE: {10: 1.0}}), wrong)
    assert routing.curves(found, "k") == {BASELINE: {10: 1.0}}


def load(path: Path, host: dict[str, str] = HOST, version: str | None = "2.4") -> routing.Table:
    return routing.load(path, None, lambda: host, lambda _: version)


def test_the_file_of_this_machine(tmp_path: Path) -> None:
    path = tmp_path / routing.FILE
    path.write_bytes(msgspec.json.encode(profile({BASELINE: {10: 1.0}, "a": {10: 0.1}})))
    assert load(path).route("k", 10).device == "a"
    assert load(path).why == ""


def test_any_other_file_is_numpy_and_says_why(tmp_path: Path) -> None:
    path = tmp_path / routing.FILE
    good = profile({BASELINE: {10: 1.0}, "a": {10: 0.1}})

    def why(content: bytes | None, host: dict[str, str] = HOST, version: str | None = "2.4") -> str:
        if content is not None:
            path.write_bytes(content)
        table = load(path, host, version)
        assert table.route("k", 10) == (BASELINE, None)
        return table.why

    encoded = msgspec.json.encode(good)
    assert why(None).startswith("no profile")
    assert "cannot be read" in why(b"{")
    assert "cannot be read" in why(encoded.replace(b'"median_s"', b'"median"').replace(b'"kernel"', b'"kern"'))
    assert "another machine" in why(encoded, host=HOST | {"cpu": "Other CPU"})
    assert "another version" in why(encoded.replace(b"nautilus.profile/1", b"nautilus.profile/2"))
    assert "another numpy" in why(encoded, version="2.5")
    assert "another numpy" in why(encoded, version=None), "it was removed since"
    assert all(routing.NEXT in words for words in (why(encoded, version=None), why(b"{")))


def test_installed_versions() -> None:
    assert routing.installed("msgspec") == msgspec.__version__
    assert routing.installed("no-such-package-here") is None
