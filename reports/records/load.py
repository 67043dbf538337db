"""Records of load: calibration, seconds, summaries, the generator itself, searches."""

from reports.records.base import Amount, Count, HlogUnit, Record, Stress


class Calibration(Record, frozen=True, kw_only=True):
    """Closed-loop capacity of this host, fleet and mix; the open model's peak is ``share`` of it."""

    mix: str
    share: Amount
    seconds: Amount
    concurrency: Count
    rate_rps: Amount
    errors: Count
    r_max_rps: Amount


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
    """One engine's load over a whole phase; scheduled = done + failed + unsent = the count in ``hlog``."""

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


class Generator(Record, frozen=True, kw_only=True):
    """The load generator's own health in a phase: lag is actual minus intended send time."""

    phase: str
    lag_hlog: str
    hlog_unit: HlogUnit = "us"
    lag_p50_ms: Amount
    lag_p99_ms: Amount
    lag_max_ms: Amount
    cpu_share: Amount
    stall_max_ms: Amount


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
    and a p99 below ``limit_ms``.  All requests are in ``hlogs``, the generator's lag is in ``lag_hlog``.
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
