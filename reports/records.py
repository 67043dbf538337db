# budget: one file lists every record, as the schema does
"""Schemas of the run history: one frozen struct per record kind, told apart by the field ``type``.

Times: ``at`` is UTC wall clock (ISO 8601), ``mono_ns`` CLOCK_MONOTONIC in nanoseconds; market times are UTC nanoseconds
since the epoch. Latencies in ``.hlog`` files are integers in microseconds unless ``hlog_unit`` says otherwise.
Every request of a load phase is in its ``.hlog``: answered, failed and unsent alike.
"""

import math
import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

SCHEMA_VERSION = 1
HISTORY = "history.jsonl"
"""The file of a run folder that holds its records."""

Count = Annotated[int, Meta(ge=0)]
Amount = Annotated[float, Meta(ge=0)]
"""A non-negative finite number."""
Stress = Annotated[float, Meta(ge=0, le=1)]
EngineStatus = Literal["starting", "healthy", "degraded", "halted", "down"]
HlogUnit = Literal["ns", "us", "ms"]
NOT_SERVER_ERRORS = frozenset({"timeout", "http_4xx"})
"""Failure kinds that are not the server's error. Any other kind (http_5xx, reset, bad_body, ...) is one."""


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class _Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named part of a record."""


class CriterionTarget(_Part, frozen=True, kw_only=True):
    """A criterion the mission is judged by; target None takes the criterion's own."""

    id: str
    target: float | None = None


class HaltKey(_Part, frozen=True, kw_only=True):
    """What identifies a halt for the comparison of declared and observed ones; ``day``: YYYY-MM-DD of the market.

    Days are compared when every declared halt has one.
    """

    kind: str
    level: int | None = None
    symbol: str | None = None
    day: str | None = None


class LedgerKey(_Part, frozen=True, kw_only=True):
    """One consumer of one topic on one bus."""

    bus: str
    topic: str
    consumer: str


class Expect(_Part, frozen=True, kw_only=True):
    """Outcomes the mission declares in advance: halts and alerts to see, ledger rows that must be there."""

    halts: list[HaltKey] = []
    alerts: list[str] = []
    ledger: list[LedgerKey] = []


class Check(_Part, frozen=True, kw_only=True):
    """One check of an engine's health report."""

    name: str
    status: str
    detail: str = ""


class Pin(_Part, frozen=True, kw_only=True):
    """A property of the tape pinned to the real bar of the day, and what the tape gave."""

    symbol: str
    name: str
    target: float
    got: float


class TapeWindow(_Part, frozen=True, kw_only=True):
    """The measured window in market time (ns) and the speed it was played at."""

    start_ns: int
    end_ns: int
    speed: Amount


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag=_snake):
    """The common head of every record."""

    at: str
    mono_ns: int


class Run(Record, frozen=True, kw_only=True):
    """First record: what was asked for. ``engines`` are the names the mission launches."""

    schema: int = SCHEMA_VERSION
    run_id: str
    mission: str
    title: str
    seed: int
    quick: bool
    version: str
    argv: list[str]
    engines: list[str]
    criteria: list[CriterionTarget]
    plan: dict[str, Any] = {}  # the mission file as written: its shape is the mission's
    expect: Expect = Expect()


class Host(Record, frozen=True, kw_only=True):
    """The machine and the versions of what ran on it."""

    cpu_model: str
    cores: Count
    memory_bytes: Count
    platform: str
    python: str
    packages: dict[str, str]
    bus_version: str
    duckdb_version: str


class Phase(Record, frozen=True, kw_only=True):
    """A phase begins or ends. The phase named ``idle`` gives the normal response."""

    name: str
    event: Literal["start", "end"]
    measured: bool


class Boot(Record, frozen=True, kw_only=True):
    """One engine became ready."""

    engine: str
    port: int
    ready_s: Amount
    pid: int


class FleetBoot(Record, frozen=True, kw_only=True):
    """All engines became ready."""

    seconds: Amount
    engines: Count


class Health(Record, frozen=True, kw_only=True):
    """One probe of one engine; ``response_ms`` runs to the answer or to the giving up."""

    engine: str
    title: str
    port: int
    status: EngineStatus
    response_ms: Amount
    uptime_s: Amount | None = None
    pid: int | None = None
    restarts: Count | None = None
    features: list[str] = []
    checks: list[Check] = []
    error: str | None = None
    phase: str


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


class Ledger(Record, frozen=True, kw_only=True):
    """One consumer's account of one topic over ``seconds``:
    published = processed_unique + dead_lettered + pending + lost; deliveries = processed_unique + dead_lettered +
    redeliveries.
    """

    bus: str
    topic: str
    consumer: str
    seconds: Amount
    published: Count
    processed_unique: Count
    dead_lettered: Count
    pending: Count
    lost: Count
    deliveries: Count
    redeliveries: Count
    reordered: Count


class Hop(Record, frozen=True, kw_only=True):
    """Latency of one stage between engines: tick-to-risk, tick-to-signal, order-to-fill."""

    phase: str
    name: str
    hlog: str
    hlog_unit: HlogUnit = "us"
    count: Count


class Tape(Record, frozen=True, kw_only=True):
    """The day that was replayed."""

    scenario: str
    seed: int
    digest: str
    ticks: Count
    pins: list[Pin]
    window: TapeWindow


class Level(Record, frozen=True, kw_only=True):
    """A point of the price path, for the plot."""

    symbol: str
    market_ns: int
    price: Amount


class Halt(Record, frozen=True, kw_only=True):
    """A halt or pause that was observed, in market time."""

    kind: str
    level: int | None = None
    symbol: str | None = None
    start_ns: int
    end_ns: int | None = None
    rule: str
    source: str


class Alert(Record, frozen=True, kw_only=True):
    """An alert that was observed."""

    kind: str
    source: str
    symbol: str | None = None
    detail: str = ""


class Observer(Record, frozen=True, kw_only=True):
    """Someone listened to a subject since the run's start and has seen ``seen`` events: an absence is a fact then.

    The last one counts; each counts what was recorded before it.
    """

    subject: Literal["halts", "alerts"]
    seen: Count


class FleetEvent(Record, frozen=True, kw_only=True):
    """The supervisor changed an engine's state."""

    engine: str
    event: str
    state: str
    pid: int | None = None
    cause: str = ""


class Fault(Record, frozen=True, kw_only=True):
    """A fault was injected or healed on purpose.  `proof`: what was seen of it; `proven`: that it did happen."""

    id: str
    kind: str
    target: str
    event: Literal["inject", "heal"]
    proven: bool
    proof: str


class Recovery(Record, frozen=True, kw_only=True):
    """How the fleet came back from one fault: CLOCK_MONOTONIC stamps, None for what was not seen in time.

    detected: the supervisor said so; restarted: a new process was there, or the old one ran again; healthy: every
    engine that the fault touched answered healthy; regained: it took new messages again; drained: no consumer was
    behind. `engines` are those whose availability the fault excuses until `regained_ns`.
    """

    id: str
    kind: str
    target: str
    engines: list[str]
    injected_ns: Count
    healed_ns: Count | None = None
    detected_ns: Count | None = None
    restarted_ns: Count | None = None
    healthy_ns: Count | None = None
    regained_ns: Count | None = None
    drained_ns: Count | None = None


class Source(Record, frozen=True, kw_only=True):
    """What an external source of data answered.  ``simulated``: a simulator of its protocol was asked in its place."""

    phase: str
    name: str
    title: str
    simulated: bool
    status: Literal["LIVE", "SIMULATED", "NOT_CONFIGURED", "UNREACHABLE", "ERROR"]
    round_trip_ms: Amount | None = None
    rows: Count | None = None
    newest: str | None = None
    detail: str = ""


class InFlight(Record, frozen=True, kw_only=True):
    """A phase was to keep so many operations unanswered for its first ``seconds``."""

    phase: str
    operations: Count
    seconds: Count


class SearchStep(Record, frozen=True, kw_only=True):
    """One rate that a search tried, after its warm-up; ``errors`` are failed or unsent requests.

    void: the generator's lag was over max(5 ms, a tenth of the p99), so that it proves nothing; ok: not void, no error
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
    hlogs: list[str]
    lag_hlog: str
    hlog_unit: HlogUnit = "us"


class Backtests(Record, frozen=True, kw_only=True):
    """The account of a phase of backtests; ``runs`` counts those within sweeps one by one."""

    phase: str
    concurrency: Count
    seconds: Amount
    executed: Count
    succeeded: Count
    rejected: Count
    failed: Count
    runs: Count


class BacktestResult(Record, frozen=True, kw_only=True):
    """One request for backtests: what should come of it, what came, and ``reason`` where it was refused or failed.

    ``independent``: what an own computation gives of ``values``; empty where it was not computed.
    """

    phase: str
    number: Count
    request: str
    wanted: Literal["succeeded", "rejected"]
    outcome: Literal["succeeded", "rejected", "failed"]
    reason: str = ""
    milliseconds: Amount
    runs: Count
    values: dict[str, float] = {}
    independent: dict[str, float] = {}


class Memory(Record, frozen=True, kw_only=True):
    """Proportional set size of the fleet's processes, by process name."""

    pss_bytes_total: Count
    per_process: dict[str, Count]


class Unavailable(Record, frozen=True, kw_only=True):
    """The host lacks what a criterion needs."""

    criterion: str
    why: str


class End(Record, frozen=True, kw_only=True):
    """Last record."""

    status: Literal["complete", "interrupted", "failed"]
    reason: str = ""


AnyRecord = (
    Run | Host | Phase | Boot | FleetBoot | Health | Calibration | Load | LoadSummary | Generator | Connections
    | Ledger | Hop | Tape | Level | Halt | Alert | Observer | FleetEvent | Fault | Recovery | Memory | Unavailable | End
    | Source | InFlight | SearchStep | Backtests | BacktestResult
)  # fmt: skip

_decoder: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(AnyRecord)
_encoder = msgspec.json.Encoder()


def encode(record: AnyRecord) -> bytes:
    """One line of JSON. Raises ValueError on a number that is not finite: JSON would turn it into null in silence."""
    _refuse_not_finite(record, type(record).__name__)
    return _encoder.encode(record)


def decode(payload: bytes) -> AnyRecord:
    """Raises msgspec.ValidationError (or DecodeError) on an unknown kind, unknown field, wrong type or range."""
    return _decoder.decode(payload)


def _refuse_not_finite(value: object, where: str) -> None:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where} is {value}, and a record holds finite numbers only")
    elif isinstance(value, Struct):
        for name in value.__struct_fields__:
            _refuse_not_finite(getattr(value, name), f"{where}.{name}")
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_not_finite(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_not_finite(item, where)
