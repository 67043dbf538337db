"""The schedule: every row once, in order, when it is due."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.marketdata.config import ReplayConfig
from engines.marketdata.schedule import Batch, plan
from engines.wire.session import NS
from tests.engines.marketdata.days import small_day

# Clusters within a nanosecond of each other, spread over the day and around the window of the quick scenario.
SECONDS = st.lists(
    st.one_of(st.floats(0, 23_400), st.sampled_from([0.0, 18_568.0, 18_927.9, 18_928.0, 19_168.0, 23_400.0])),
    max_size=60,
)


def rows_of(batches: tuple[Batch, ...], stream: int) -> list[int]:
    return [row for batch in batches for row in range(*batch.cuts[stream])]


@given(seconds=SECONDS, most=st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_every_row_leaves_once_in_order_and_in_its_segment(seconds: list[float], most: int) -> None:
    day = small_day(seconds)
    batches = plan(day, ReplayConfig(most_rows=most))
    for stream, rows in enumerate((day.trades, day.quotes, day.levels)):
        assert rows_of(batches, stream) == list(range(len(rows)))
        crowded = max(np.unique(rows["ts"], return_counts=True)[1], default=0)
        assert all(batch.cuts[stream][1] - batch.cuts[stream][0] <= max(most, crowded) for batch in batches)
        for batch in batches:
            stamps = rows["ts"][slice(*batch.cuts[stream])]
            low, high = {
                "before": (day.open_ns, day.window.start_ns),
                "window": (day.window.start_ns, day.window.end_ns),
                "after": (day.window.end_ns, day.close_ns + 1),
            }[batch.segment]
            assert ((stamps >= low) & (stamps < high)).all()
            assert stamps.size == 0 or stamps[-1] <= batch.ts_ns


@given(seconds=SECONDS)
@settings(max_examples=30, deadline=None)
def test_numbers_events_and_due_times_are_in_order(seconds: list[float]) -> None:
    batches = plan(small_day(seconds), ReplayConfig())
    assert [batch.number for batch in batches] == list(range(1, len(batches) + 1))
    assert [batch.event for batch in batches if batch.event] == ["open", "window", "window-end", "close"]
    keys = [(("before", "window", "after").index(batch.segment), batch.due_s) for batch in batches]
    assert keys == sorted(keys)
    assert batches[0].event == "open"
    assert batches[-1].event == "close"


def test_a_batch_of_the_window_is_due_with_its_first_tick_at_forty_times() -> None:
    day = small_day([18_600.25, 18_600.75, 18_700.0])
    assert day.window.speed == 40
    start_s = (day.window.start_ns - day.open_ns) / NS
    inside = [
        batch
        for batch in plan(day, ReplayConfig())
        if batch.segment == "window" and batch.cuts[0][0] < batch.cuts[0][1]
    ]
    assert [batch.cuts[0] for batch in inside] == [(0, 2), (2, 3)]
    assert np.allclose(
        [batch.due_s for batch in inside], [(18_600.25 - start_s) / 40, (18_700 - start_s) / 40], atol=1e-9
    )


def test_the_same_day_has_the_same_schedule() -> None:
    day = small_day([1.0, 18_600.0, 23_000.0])
    assert plan(day, ReplayConfig()) == plan(day, ReplayConfig())
