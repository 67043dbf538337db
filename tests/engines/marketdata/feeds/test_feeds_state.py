"""A feed's counters against a plain loop over its ticks."""

import itertools

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.marketdata.feeds.state import FeedState, age_s, observe, rate

TICKS = st.lists(st.tuples(st.integers(1, 30), st.integers(100, 130)), min_size=1, max_size=30)
S = 1_000_000_000


def feed(state: FeedState, ticks: list[tuple[int, int]], now_ns: int) -> FeedState:
    return observe(state, np.array([t[0] for t in ticks], np.int64), np.array([t[1] for t in ticks], np.int64), now_ns)


def plain(ticks: list[tuple[int, int]]) -> dict[str, int]:
    missing = reordered = late = 0
    highest, latest = ticks[0][0] - 1, ticks[0][1]
    for seq, ts in ticks:
        missing += max(0, seq - highest - 1)
        reordered += seq <= highest
        late += ts < latest
        highest, latest = max(highest, seq), max(latest, ts)
    return {
        "ticks": len(ticks),
        "seq": highest,
        "ts_ns": latest,
        "missing": missing,
        "reordered": reordered,
        "out_of_order": late,
    }


@given(TICKS, st.lists(st.integers(0, 30), max_size=4))
def test_counters_do_not_depend_on_how_ticks_are_cut(ticks: list[tuple[int, int]], cuts: list[int]) -> None:
    state = FeedState()
    edges = sorted({0, len(ticks), *(min(cut, len(ticks)) for cut in cuts)})
    for start, end in itertools.pairwise(edges):
        state = feed(state, ticks[start:end], 5 * S)
    wanted = plain(ticks)
    assert {name: value for name, value in msgspec.structs.asdict(state).items() if name in wanted} == wanted


def test_a_feed_that_is_joined_late_misses_nothing_before() -> None:
    assert feed(FeedState(), [(900, 1), (901, 2)], S).missing == 0
    assert feed(FeedState(), [(900, 1), (903, 2), (901, 3)], S) == FeedState(
        ticks=3, seq=903, ts_ns=3, seen_ns=S, missing=2, reordered=1, window_ns=S, window_ticks=3
    )


def test_rates_are_of_whole_seconds() -> None:
    state = FeedState()
    assert (rate(state, S), age_s(state, S)) == (None, None)
    for n in range(1, 41):  # 4 ticks each quarter of a second
        state = feed(state, [(4 * n + k, n) for k in range(4)], 10 * S + n * S // 4)
    assert state.rate == pytest.approx(16.0)
    assert state.peak_rate == pytest.approx(16.0)
    assert rate(state, state.seen_ns) == pytest.approx(16.0)
    assert state.longest_ns == S // 4
    silent = state.seen_ns + 9 * S
    assert age_s(state, silent) == pytest.approx(9.0)
    assert rate(state, silent) == pytest.approx(16 / 9.75)  # three quarters of the window had passed
