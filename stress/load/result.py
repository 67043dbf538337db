"""What the generator reports: a line a second while it runs, then the totals.

For every target and every window, over a whole phase:  scheduled = done + failed + unsent.
"""

from enum import IntEnum

import msgspec


class Outcome(IntEnum):
    """How a scheduled request ended."""

    DONE = 0  # answered with the expected status
    CONNECT = 1  # the target refused the connection it waited for
    RESET = 2  # the connection broke before the reply was whole
    HTTP_4XX = 3  # an unexpected 4xx
    HTTP_5XX = 4  # an unexpected 5xx
    HTTP_OTHER = 5  # any other unexpected status, or not HTTP/1.1
    TIMEOUT = 6  # sent, and not answered in time
    BAD_BODY = 7  # the expected status, and a body that fails its check
    UNSENT = 8  # no connection became free in time, or the run was stopped first
    PENDING = 255  # not ended yet


FAILURES = tuple(outcome for outcome in Outcome if Outcome.CONNECT <= outcome <= Outcome.BAD_BODY)


class TargetCounts(msgspec.Struct, frozen=True):
    """Counters of one target over one second or one phase.

    sent: handed to a connection.  failed: by Outcome name in lower case, only kinds that occurred.
    open: connections established at the end of the window.  broken: connections lost within it.
    """

    scheduled: int
    sent: int
    done: int
    failed: dict[str, int]
    unsent: int
    open: int
    broken: int


class LoadReady(msgspec.Struct, frozen=True, tag="ready"):
    """All connections that could be opened are open; the first phase starts next."""

    wanted: int
    open: int
    seconds: float


class LoadSecond(msgspec.Struct, frozen=True, tag="second"):
    """One second of one phase, by the clock: events counted when they happened.

    second: from 0 where what is measured begins; the last ones cover the drain after the last arrival.  Below 0 are
    those of the warm-up, which hold its counts; what was due in it and ends later is in no second.
    at_ns: CLOCK_MONOTONIC at its end.
    p50_us, p99_us: from the intended time, of what ended in this second, for the eye; None in a closed phase, where
    nothing ended, and of several processes together.
    """

    phase: str
    second: int
    at_ns: int
    targets: dict[str, TargetCounts]
    p50_us: int | None = None
    p99_us: int | None = None


class LoadWaiting(msgspec.Struct, frozen=True, tag="waiting"):
    """One of several processes is ready for a phase, and waits on standard input for its first instant."""

    phase: str


class Percentiles(msgspec.Struct, frozen=True):
    """Of one HDR histogram, in microseconds (3 significant digits); count 0 means nothing was measured."""

    count: int
    p50_us: int
    p90_us: int
    p99_us: int
    p999_us: int
    max_us: int


class TargetResult(msgspec.Struct, frozen=True):
    """Totals of one target over one phase; latency from the intended time, failures and unsent included.

    counts: without the warm-up, but for open and broken.  warm: of the warm-up; None when there was none.
    service: of what was sent, from its first byte to the reply's last.
    """

    counts: TargetCounts
    latency: Percentiles | None
    warm: TargetCounts | None = None
    service: Percentiles | None = None


class Sighting(msgspec.Struct, frozen=True):
    """One request to look for in a server's log.  id: its correlation header, empty when it carried none of ours.

    reason: what was wrong with the reply's body, where that was what failed.
    """

    id: str
    target: str
    path: str
    outcome: str
    intended_ns: int
    latency_us: int
    reason: str = ""


class ProcessResult(msgspec.Struct, frozen=True):
    """How one process of the generator fared in a phase.  part: which, from 0; the others as in PhaseResult."""

    part: int
    lag: Percentiles | None
    cpu_share: float
    stall_max_us: int


class PhaseResult(msgspec.Struct, frozen=True):
    """Totals of one phase, without its warm-up, and how the generator fared.  A distribution of nothing is None.

    started_ns, seconds: of the measured part.  latency: from the intended time (wrk2's corrected figure).
    lag: how late the generator took up each arrival, whatever the connections did.
    cpu_share: CPU seconds of the generator per second of the phase, all its processes together; cpu_share_max: of the
    busiest of them.  stall_max_us: the longest it kept an event waiting.  bodies_checked: replies whose body was
    checked, or equal to one that was.  bodies_unchecked: replies too large, or too many at once, to be checked.
    open_min: fewest connections open at the end of any measured second.
    service: of what was sent, from its first byte to the reply's last (wrk2's uncorrected figure): without the wait
    for a connection.  slowest, first_failed: a few requests to look for in the servers' logs.  processes: one, or each.
    """

    name: str
    started_ns: int
    seconds: float
    stopped: bool
    targets: dict[str, TargetResult]
    latency: Percentiles | None
    lag: Percentiles | None
    cpu_share: float
    stall_max_us: int
    bodies_checked: int
    bodies_unchecked: int
    open_min: int
    cpu_share_max: float = 0.0
    service: Percentiles | None = None
    slowest: tuple[Sighting, ...] = ()
    first_failed: tuple[Sighting, ...] = ()
    processes: tuple[ProcessResult, ...] = ()


class LoadResult(msgspec.Struct, frozen=True, tag="result"):
    """Totals of a run.  generator: which implementation sent the requests ("epoll" or "asyncio")."""

    generator: str
    phases: tuple[PhaseResult, ...]
    stopped: bool


class LoadFailure(msgspec.Struct, frozen=True, tag="failure"):
    """The generator could not run the plan: what failed, why, and what to do next."""

    what: str
    why: str
    next_step: str


LoadLine = LoadReady | LoadWaiting | LoadSecond | LoadResult | LoadFailure
