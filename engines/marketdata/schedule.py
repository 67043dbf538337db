"""When which rows leave: a pure function of a day and its pace.

Batches are numbered from 1 through the whole replay.  Each covers one flush interval of the schedule, split where it
holds too many rows; in the window it is due when its first tick is, so no tick of it leaves late by the schedule.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from engines.marketdata.config import ReplayConfig
from engines.marketdata.day import Day, Event
from engines.wire.session import NS

SegmentName = Literal["before", "window", "after"]
Times = npt.NDArray[np.int64]
Cut = tuple[int, int]  # rows [start, end)
Cuts = tuple[Cut, Cut, Cut, Cut, Cut]
_NONE: Cuts = ((0, 0), (0, 0), (0, 0), (0, 0), (0, 0))


class Batch(NamedTuple):
    """What leaves at once: an event of the session, or rows."""

    number: int
    segment: SegmentName
    due_s: float  # wall seconds after the beginning of its segment
    ts_ns: int  # market time: the event's, or its last row's
    event: Event | None
    speed: float  # of the segment that this batch belongs to, or that its event begins
    cuts: Cuts  # trades, quotes, levels, depths, busts


class _Stretch(NamedTuple):
    """A segment: market times [start, end), speed."""

    name: SegmentName
    start: int
    end: int
    speed: float


def plan(day: Day, config: ReplayConfig) -> tuple[Batch, ...]:
    """The whole replay, in order. A row whose time lies before an earlier row's leaves right after that one."""
    window, outside = day.window, config.outside_speed
    streams = [np.maximum.accumulate(rows["ts"]) for rows in day.streams]
    last = max(day.close_ns, *(int(ts[-1]) for ts in streams if ts.size)) + 1
    before = _Stretch("before", day.open_ns, window.start_ns, outside)
    inside = _Stretch("window", window.start_ns, window.end_ns, window.speed)
    after = _Stretch("after", window.end_ns, last, outside)
    wall_s = (inside.end - inside.start) / NS / inside.speed
    unnumbered = [
        Batch(0, "before", 0.0, day.open_ns, "open", outside, _NONE),
        *_ticks(streams, before, config),
        Batch(0, "window", 0.0, inside.start, "window", inside.speed, _NONE),
        *_ticks(streams, inside, config),
        Batch(0, "window", wall_s, inside.end, "window-end", outside, _NONE),
        *_ticks(streams, after, config),
        Batch(0, "after", (after.end - after.start) / NS / outside, day.close_ns, "close", outside, _NONE),
    ]
    return tuple(batch._replace(number=number) for number, batch in enumerate(unnumbered, 1))


def _ticks(streams: Sequence[Times], stretch: _Stretch, config: ReplayConfig) -> Iterator[Batch]:
    """The batches of one segment that hold rows."""
    step = max(1, round(config.flush_s * stretch.speed * NS))
    edges = np.append(np.arange(stretch.start, stretch.end, step), stretch.end)
    counts = np.sum([np.diff(np.searchsorted(ts, edges)) for ts in streams], axis=0)
    for i in np.flatnonzero(counts):
        for cuts in _fitting(streams, int(edges[i]), int(edges[i + 1]), config.most_rows):
            filled = [(ts[cut[0]], ts[cut[1] - 1]) for ts, cut in zip(streams, cuts, strict=True) if cut[0] < cut[1]]
            first = int(min(ends[0] for ends in filled)) if stretch.name == "window" else int(edges[i])
            due = (first - stretch.start) / NS / stretch.speed
            yield Batch(0, stretch.name, due, int(max(ends[1] for ends in filled)), None, stretch.speed, cuts)


def _fitting(streams: Sequence[Times], start: int, end: int, most: int) -> Iterator[Cuts]:
    """The rows of [start, end), halved in time until no message exceeds `most` rows (or one nanosecond is left)."""
    trades, quotes, levels, depths, busts = ((int(ts.searchsorted(start)), int(ts.searchsorted(end))) for ts in streams)
    cuts = (trades, quotes, levels, depths, busts)
    largest = max(cut[1] - cut[0] for cut in cuts)
    if largest == 0:
        return
    if largest <= most or end - start <= 1:
        yield cuts
        return
    middle = (start + end) // 2
    yield from _fitting(streams, start, middle, most)
    yield from _fitting(streams, middle, end, most)
