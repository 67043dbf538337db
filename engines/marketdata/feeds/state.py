"""What is known of one feed after each observation: a pure function of sequence numbers, stamps and arrival times."""

import msgspec
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
_SECOND = 1_000_000_000


class FeedState(msgspec.Struct, frozen=True):
    """Counters of one feed.

    `missing` counts sequence numbers that were skipped, `reordered` those at or below the highest seen; `out_of_order`
    counts market times before the latest seen.  `seen_ns` and `window_ns` are CLOCK_MONOTONIC.
    """

    ticks: int = 0
    seq: int = 0  # the highest
    ts_ns: int = 0  # the latest market time
    seen_ns: int = 0  # when the last tick came; 0 before any
    missing: int = 0
    reordered: int = 0
    out_of_order: int = 0
    longest_ns: int = 0  # the longest time between two observations
    window_ns: int = 0  # when the current second of the rate began
    window_ticks: int = 0
    rate: float | None = None  # ticks a second over the last whole window; None before one
    peak_rate: float | None = None


def observe(state: FeedState, seq: Ints, ts: Ints, now_ns: int) -> FeedState:
    """The state after ticks with these sequence numbers and market times came at `now_ns`.

    The first tick's number is the one that is expected first: a feed may be joined at any place.
    """
    if seq.size == 0:
        return state
    first = state.ticks == 0
    before = _running_maximum(int(seq[0]) - 1 if first else state.seq, seq)
    latest = _running_maximum(int(ts[0]) if first else state.ts_ns, ts)
    ahead = seq - before[:-1]
    windowed = _roll(state, int(seq.size), now_ns)
    return msgspec.structs.replace(
        windowed,
        ticks=state.ticks + int(seq.size),
        seq=int(before[-1]),
        ts_ns=int(latest[-1]),
        seen_ns=now_ns,
        missing=state.missing + int(np.maximum(ahead - 1, 0).sum()),
        reordered=state.reordered + int((ahead <= 0).sum()),
        out_of_order=state.out_of_order + int((ts < latest[:-1]).sum()),
        longest_ns=max(state.longest_ns, 0 if first else now_ns - state.seen_ns),
    )


def rate(state: FeedState, now_ns: int) -> float | None:
    """Ticks a second: of the last whole window, or of the open one when that has lasted longer than a second."""
    open_s = (now_ns - state.window_ns) / _SECOND
    if state.window_ns and open_s >= 1:
        return state.window_ticks / open_s
    return state.rate


def age_s(state: FeedState, now_ns: int) -> float | None:
    """Seconds since the last tick; None before any."""
    return (now_ns - state.seen_ns) / _SECOND if state.seen_ns else None


def _running_maximum(start: int, values: Ints) -> Ints:
    """The highest value before each of `values` and after the last."""
    found: Ints = np.maximum.accumulate(np.concatenate(([start], values)))
    return found


def _roll(state: FeedState, count: int, now_ns: int) -> FeedState:
    """Count into the open window, or close it after a second."""
    elapsed = now_ns - state.window_ns
    if state.window_ns == 0 or elapsed >= _SECOND:
        closed = None if state.window_ns == 0 else state.window_ticks / elapsed * _SECOND
        peak = max((r for r in (state.peak_rate, closed) if r is not None), default=None)
        return msgspec.structs.replace(state, window_ns=now_ns, window_ticks=count, rate=closed, peak_rate=peak)
    return msgspec.structs.replace(state, window_ticks=state.window_ticks + count)
