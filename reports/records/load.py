"""Records of load: calibration, seconds, summaries, the generator itself, searches."""

from typing import Literal

from reports.records.base import Amount, Count, HlogUnit, Record, Stress


class Calibration(Record, frozen=True, kw_only=True):
    """Closed-loop capacity of this host, fleet and mix; the open model's peak is ``share`` of it.

    processes: of the generator.
    """

    mix: str
    share: Amount
    seconds: Amount
    concurrency: Count
    rate_rps: Amount
    errors: Count
    r_max_rps: Amount
    processes: Count = 1


class Load(Record, frozen=True, kw_only=True):
    """One second of one engine's load by the clock, events counted when they happened; ``y`` is the tape's
    stress in that second.
    """

    phase: str
    second: Count
    engine: str
    y: Stress | None = None
    scheduled: Count
    sent: Count
    done: Count
    failed: dict[str, Count] = {}
    unsent: Count
    open_connections: Count


class LoadSummary(Record, frozen=True, kw_only=True):
    """One engine's load over a whole phase; scheduled = done + failed + unsent = the count in ``hlog``.

    service_hlog: times from the sending to the whole reply, of the ``sent`` requests; empty where they were not kept.
    """

    phase: str
    engine: str
    mix: str
    scheduled: Count
    sent: Count
    done: Count
    failed: dict[str, Count] = {}
    unsent: Count
    seconds: Amount
    hlog: str
    hlog_unit: HlogUnit = "us"
    service_hlog: str = ""


class Generator(Record, frozen=True, kw_only=True):
    """The health of one of the load generator's ``processes`` in a phase: lag is actual minus intended send time.

    bodies_checked: replies of the whole phase whose body was checked, or equal to one that was; bodies_unchecked: those
    that could not be.
    """

    phase: str
    lag_hlog: str
    hlog_unit: HlogUnit = "us"
    lag_p50_ms: Amount
    lag_p99_ms: Amount
    lag_max_ms: Amount
    cpu_share: Amount
    stall_max_ms: Amount
    process: Count = 0
    processes: Count = 1
    bodies_checked: Count | None = None
    bodies_unchecked: Count | None = None


class OtherPrograms(Record, frozen=True, kw_only=True):
    """What programs other than the mission's took while a phase's load was sent: the mean number of ``cores`` that they
    kept busy in these ``seconds``, warm-up included.
    """

    phase: str
    seconds: Amount
    cores: Amount


class Exemplar(Record, frozen=True, kw_only=True):
    """One request of a phase to look for in an engine's log: the slowest, or the first that failed.

    request: the id that it carried, empty when it carried none of ours.  due_ns: when it was due, CLOCK_MONOTONIC.
    """

    phase: str
    which: Literal["slowest", "first-failed"]
    request: str
    engine: str
    path: str
    outcome: str
    reason: str = ""
    latency_ms: Amount
    due_ns: int


class Connections(Record, frozen=True, kw_only=True):
    """Connections held open at the peak of a phase."""

    phase: str
    at_peak: Count
    target: Count


class InFlight(Record, frozen=True, kw_only=True):
    """A phase was to keep so many operations unanswered for its first ``seconds``."""

    phase: str
    operations: Count
    seconds: Count


class LoadTargets(Record, frozen=True, kw_only=True):
    """A phase's load goes to these engines only."""

    phase: str
    engines: list[str]


class SearchStep(Record, frozen=True, kw_only=True):
    """One rate that a search tried, after its warm-up; ``errors`` are failed or unsent requests.

    void: the generator's lag was over max(5 ms, a tenth of the p99), or other processes than the mission's took more
    than a quarter of a core (``foreign_cores``), so that it proves nothing; ok: not void, no error
    and a p99 below ``limit_ms``.  All requests are in ``hlogs``, the generator's lag is in ``lag_hlog``, of
    that of its ``processes`` which was latest.
    """

    phase: str
    number: Count
    rate_rps: Amount
    seconds: Amount
    scheduled: Count
    done: Count
    errors: Count
    limit_ms: Amount
    p99_ms: Amount
    lag_p99_ms: Amount
    ok: bool
    void: bool
    foreign_cores: Amount | None = None
    hlogs: list[str]
    lag_hlog: str
    hlog_unit: HlogUnit = "us"
    processes: Count = 1
