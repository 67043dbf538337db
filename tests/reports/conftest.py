"""A small complete run folder, the same bytes each time: three engines, an idle phase and a crash of six seconds."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypedDict

import duckdb
import msgspec
import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogWriter

from reports import chain, records, runs
from reports.records import HISTORY
from reports.records.thresholds import Compare
from reports.samples import COLUMNS
from reports.seal import seal

ENGINES = ("risk", "vpin", "strategy")
SECONDS = 6
PER_SECOND = 100
PORTS = {"risk": 8200, "vpin": 10000, "strategy": 8700}
PIDS = {"risk": 101, "vpin": 102, "strategy": 103}
CRITERIA = (
    "engines-alive", "availability", "normal-response", "zero-loss", "server-errors", "generator-valid", "connections",
    "throughput", "bus-rate", "expected-halts", "expected-alerts", "pss", "tick-to-risk", "honest-health",
    "prompt-answers", "invariants", "expected-denials", "staleness", "shedding-order",
)  # fmt: skip
TARGETS = {"throughput": 250.0, "connections": 500.0, "staleness": 8.0}
THRESHOLDS: tuple[tuple[str, str, bool, Compare, float], ...] = (
    ("p99_ms", "risk", False, "below", 2.5),
    ("errors_share", "all", True, "at most", 0.02),
    ("availability", "all", False, "at least", 99.0),
    ("rps", "all", True, "above", 200.0),
)

Edit = Callable[[list[records.AnyRecord]], list[records.AnyRecord]]


class Stamp(TypedDict):
    """The head of a record."""

    at: str
    mono_ns: int


class Clock:
    """Stamps a tenth of a second apart."""

    def __init__(self) -> None:
        self.ticks = 0

    def __call__(self) -> Stamp:
        self.ticks += 1
        seconds, tenths = divmod(self.ticks, 10)
        at = f"2026-03-04T10:{seconds // 60:02d}:{seconds % 60:02d}.{tenths}00000+00:00"
        return Stamp(at=at, mono_ns=5_000_000_000 + self.ticks * 100_000_000)


def small_history() -> list[records.AnyRecord]:
    """Every record kind that a whole run holds."""
    now = Clock()
    return [*_head(now), *_idle(now), *_crash(now), *_account(now), records.End(status="complete", **now())]


def _head(now: Clock) -> Iterator[records.AnyRecord]:
    ledger = [records.LedgerKey(bus="market", topic="trades", consumer=name) for name in ("risk", "vpin")]
    halt = records.HaltKey(kind="stop-logic", symbol="ESX")
    yield records.Run(
        run_id="20260304_100000_flash-crash",
        mission="flash-crash",
        title="Flash crash of 2010-05-06",
        seed=7,
        quick=True,
        version="0.1.0",
        argv=["nautilus", "stress", "flash-crash", "--quick"],
        engines=list(ENGINES),
        criteria=[records.CriterionTarget(id=name, target=TARGETS.get(name)) for name in CRITERIA],
        thresholds=[
            records.Threshold(
                phase="crash",
                number=number,
                metric=metric,
                scope=scope,
                worst_second=worst,
                compare=compare,
                value=value,
            )
            for number, (metric, scope, worst, compare, value) in enumerate(THRESHOLDS, 1)
        ],
        plan={"share": 0.7, "seconds": SECONDS},
        expect=records.Expect(halts=[halt], alerts=["var-breach"], denials=["HALTED"], ledger=ledger),
        **now(),
    )
    yield records.Host(
        cpu_model="Test CPU", cores=2, memory_bytes=8_000_000_000, platform="Linux", python="3.11.9",
        packages={"numpy": "2.4"}, bus_version="9.0", duckdb_version="2.0", **now(),
    )  # fmt: skip
    for engine in ENGINES:
        yield records.Boot(engine=engine, port=PORTS[engine], ready_s=0.75, pid=PIDS[engine], **now())
    yield records.FleetBoot(seconds=1.5, engines=len(ENGINES), **now())


def probe(engine: str, phase: str, response_ms: float, now: Clock) -> records.Health:
    """A healthy probe."""
    return records.Health(
        engine=engine, title=engine.title(), port=PORTS[engine], status="healthy", response_ms=response_ms,
        uptime_s=9.5, pid=PIDS[engine],
        restarts=0, features=["streaming"], phase=phase,
        checks=[records.Check(name="bus", status="pass")], **now(),
    )  # fmt: skip


def _idle(now: Clock) -> Iterator[records.AnyRecord]:
    yield records.Phase(name="idle", event="start", measured=True, **now())
    for place, engine in enumerate(ENGINES):
        yield probe(engine, "idle", 1.25 + place, now)
    yield records.Phase(name="idle", event="end", measured=True, **now())
    yield records.Calibration(
        mix="health", share=0.7, seconds=2.0, concurrency=64, rate_rps=8000.5, errors=0, r_max_rps=5600.35, **now()
    )
    day = 1_273_104_000_000_000_000
    yield records.Tape(
        scenario="flash-crash-2010", seed=7, digest="ab12cd34", ticks=123_456,
        pins=[records.Pin(symbol="AAPL", name="low", target=199.25, got=199.25)],
        window=records.TapeWindow(start_ns=day, end_ns=day + 2_400_000_000_000, speed=40.0), **now(),
    )  # fmt: skip
    for step in range(5):
        yield records.Level(symbol="SPX", market_ns=day + step * 10**9, price=1150.0 - step, **now())
    for bucket, share in ((51, 0.25), (52, 0.75)):
        at = day + (bucket - 50) * 10**9
        yield records.Toxicity(symbol="SPX", market_ns=at, bucket=bucket, vpin=share, **now())


def _crash(now: Clock) -> Iterator[records.AnyRecord]:
    yield records.Phase(name="crash", event="start", measured=True, **now())
    for second in range(SECONDS):
        for engine in ENGINES:
            failed, unsent = int(second == 3), int(second == 4)
            yield records.Load(
                phase="crash", second=second, engine=engine, y=second / SECONDS, scheduled=PER_SECOND,
                sent=PER_SECOND - unsent, done=PER_SECOND - failed - unsent, unsent=unsent,
                failed={"timeout": failed} if failed else {}, open_connections=200, **now(),
            )  # fmt: skip
    for engine in ENGINES:
        yield probe(engine, "crash", 4.5, now)
    yield records.Phase(name="crash", event="end", measured=True, **now())
    for engine in ENGINES:
        yield records.LoadSummary(
            phase="crash", engine=engine, mix="health", scheduled=PER_SECOND * SECONDS, sent=PER_SECOND * SECONDS - 1,
            done=PER_SECOND * SECONDS - 2, failed={"timeout": 1}, unsent=1, seconds=float(SECONDS),
            hlog=f"latency/crash.{engine}.hlog", service_hlog=f"latency/crash.{engine}.service-time.hlog", **now(),
        )  # fmt: skip
    yield records.Generator(
        phase="crash", lag_hlog="latency/crash.lag.hlog", lag_p50_ms=0.2, lag_p99_ms=0.2, lag_max_ms=0.2,
        cpu_share=0.8, stall_max_ms=3.5, processes=2, bodies_checked=1790, bodies_unchecked=4, **now(),
    )  # fmt: skip
    yield records.Generator(
        phase="crash", lag_hlog="latency/crash.lag-1.hlog", lag_p50_ms=0.1, lag_p99_ms=0.1, lag_max_ms=0.1,
        cpu_share=0.5, stall_max_ms=1.5, process=1, processes=2, bodies_checked=1790, bodies_unchecked=4, **now(),
    )  # fmt: skip
    yield records.OtherPrograms(phase="crash", seconds=float(SECONDS), cores=0.5, **now())
    yield records.Exemplar(
        phase="crash", which="slowest", request="r7-00-00000042", engine="strategy", path="/signal", outcome="done",
        latency_ms=3.99, due_ns=6_000_000_000, **now(),
    )  # fmt: skip
    yield records.Exemplar(
        phase="crash", which="first-failed", request="r7-00-00000121", engine="risk", path="/var", outcome="timeout",
        reason="", latency_ms=1.99, due_ns=8_000_000_000, **now(),
    )  # fmt: skip
    yield records.Connections(phase="crash", at_peak=600, target=500, **now())
    yield records.Hop(phase="crash", name="tick-to-risk", hlog="latency/crash.tick-to-risk.hlog", count=60, **now())
    yield records.Hop(phase="crash", name="tick-to-check", hlog="latency/crash.tick-to-check.hlog", count=60, **now())
    asked = 7_000_000_000
    yield records.Replay(
        phase="crash", number=1, request="20260304_100000_flash-crash-op-1", asked_ns=asked,
        arrived_ns=asked + 1_250_000, opened_ns=asked + 900_000_000, first_tick_due_ns=asked + 15_000_000_000,
        first_tick_ns=asked + 15_002_500_000, **now(),
    )  # fmt: skip
    yield records.FleetEvent(engine="risk", event="ready", state="READY", pid=101, cause="started", **now())


def _account(now: Clock) -> Iterator[records.AnyRecord]:
    start = 1_273_171_528_000_000_000
    yield records.Halt(
        kind="stop-logic",
        symbol="ESX",
        start_ns=start,
        end_ns=start + 5 * 10**9,
        rule="CME stop logic",
        source="risk",
        **now(),
    )
    yield records.Alert(kind="var-breach", source="risk", symbol="ESX", **now())
    yield records.Observer(subject="halts", seen=1, **now())
    yield records.Observer(subject="alerts", seen=1, **now())
    yield records.Denial(phase="crash", code="HALTED", count=3, **now())
    yield records.Observer(subject="denials", seen=3, **now())
    for consumer in ("risk", "vpin"):
        yield records.Ledger(
            bus="market", topic="trades", consumer=consumer, seconds=6.0, published=9000, processed_unique=8999,
            dead_lettered=1, pending=0, lost=0, deliveries=9002, redeliveries=2, reordered=1, **now(),
        )  # fmt: skip
    yield records.Memory(pss_bytes_total=500_000_000, per_process={"risk": 300_000_000, "bus": 200_000_000}, **now())
    for engine in ENGINES:
        yield probe(engine, "recovery", 1.5, now)
    for engine in ENGINES:
        yield testimony(engine, now)
    for number in range(1, 12):
        yield invariant(number, "it holds", now)
    yield invariant(9, "replay is bit-equal", now, outcome="UNKNOWN", why="the mission was run once")


def invariant(number: int, clause: str, now: Clock, **fields: Any) -> records.Invariant:
    """A clause, held over as many messages as ten times its invariant's number."""
    held: dict[str, Any] = {"phase": "crash", "outcome": "HOLDS", "checked": 10 * number, "violations": 0} | fields
    return records.Invariant(number=number, name=f"invariant of {clause}", clause=clause, **held, **now())


def testimony(engine: str, now: Clock) -> records.Testimony:
    """An engine that says what others know."""
    return records.Testimony(
        engine=engine, status="healthy", said_pid=PIDS[engine], said_uptime_s=9.5, said_processed=8999,
        said_dead_lettered=1, said_lag=0, pid=PIDS[engine], age_s=10.25, processed=8999, dead_lettered=1, unread=0,
        still_s=1.5, **now(),
    )  # fmt: skip


def write_history(folder: Path, lines: Sequence[records.AnyRecord]) -> None:
    """A history with a good chain."""
    write_payloads(folder, [records.encode(record) for record in lines])


def write_payloads(folder: Path, payloads: Sequence[bytes]) -> None:
    """A good chain over any payloads."""
    previous, out = chain.GENESIS, []
    for payload in payloads:
        previous, line = chain.link(previous, payload)
        out.append(line)
    (folder / HISTORY).write_bytes(b"".join(out))


def payloads(folder: Path) -> list[bytes]:
    """The JSON of each line."""
    return [line[chain.HEAD :] for line in (folder / HISTORY).read_bytes().splitlines()]


def write_hlog(path: Path, seconds: Sequence[Sequence[int]]) -> None:
    """A log of one interval a second, in microseconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="ascii") as file:
        log = HistogramLogWriter(file)
        log.output_log_format_version()
        for second, values in enumerate(seconds):
            histogram = HdrHistogram(1, 60_000_000, 3)
            for value in values:
                histogram.record_value(value)
            histogram.set_start_time_stamp(second * 1000)
            histogram.set_end_time_stamp(second * 1000 + 1000)
            log.output_interval_histogram(histogram)


def write_samples(path: Path) -> None:
    """Two samples of the host and of one process."""
    rows = [
        (1, "a", "host", "host", None, 40.0, None, None, None, None, 3_000_000_000),
        (1, "a", "process", "risk", 101, None, 90_000_000, 70_000_000, 20, 4, None),
        (2, "b", "host", "host", None, 60.5, None, None, None, None, 3_500_000_000),
        (2, "b", "process", "risk", 101, 55.25, 95_000_000, None, 22, 5, None),
    ]
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    with duckdb.connect() as db:
        db.execute(f"CREATE TABLE samples ({columns})")
        db.executemany(f"INSERT INTO samples VALUES ({', '.join('?' * len(COLUMNS))})", rows)
        db.table("samples").write_parquet(str(path))


@cache
def measured_files() -> dict[str, bytes]:
    """The latency logs and samples by path, made once."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for place, engine in enumerate(ENGINES):
            values = [[1000 * (place + 1) + 10 * item for item in range(PER_SECOND)] for _ in range(SECONDS)]
            write_hlog(folder / f"latency/crash.{engine}.hlog", values)
            served = [[900 * (place + 1)] * PER_SECOND for _ in range(SECONDS)]
            write_hlog(folder / f"latency/crash.{engine}.service-time.hlog", [served[0][1:], *served[1:]])
        write_hlog(folder / "latency/crash.lag.hlog", [[200] * 50] * SECONDS)
        write_hlog(folder / "latency/crash.lag-1.hlog", [[100] * 50] * SECONDS)
        write_hlog(folder / "latency/crash.tick-to-risk.hlog", [list(range(500, 510))] * SECONDS)
        write_hlog(folder / "latency/crash.tick-to-check.hlog", [[500] * 57, [150_000] * 3])
        write_samples(folder / "samples.parquet")
        files = [path for path in folder.rglob("*") if path.is_file()]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def build(folder: Path, edit: Edit = list) -> Path:
    """The three records of a run; ``edit`` changes the history before it is written."""
    (folder / "latency").mkdir(parents=True)
    write_history(folder, edit(small_history()))
    for name, content in measured_files().items():
        (folder / name).write_bytes(content)
    return folder


def finish(folder: Path, plots: bool = False) -> Path:
    """Render and seal."""
    runs.render(folder, with_plots=plots)
    seal(folder)
    return folder


def without_requests(lines: Sequence[records.AnyRecord]) -> list[records.AnyRecord]:
    """Without the records of single requests and the service times, for edits that change the load itself."""
    kept = (line for line in lines if not isinstance(line, records.Exemplar))
    return [
        msgspec.structs.replace(line, service_hlog="") if isinstance(line, records.LoadSummary) else line
        for line in kept
    ]


def change_end(status: Literal["complete", "interrupted", "failed", "aborted", "broken"], reason: str) -> Edit:
    """An edit that ends the run otherwise."""

    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        last = lines[-1]
        return [*lines[:-1], records.End(at=last.at, mono_ns=last.mono_ns, status=status, reason=reason)]

    return edit


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that ``run_folder`` copies."""
    return finish(build(tmp_path_factory.mktemp("runs") / "20260304_100000_flash-crash"))


@pytest.fixture
def run_folder(finished: Path, tmp_path: Path) -> Path:
    """A whole, rendered, sealed run, to be changed at will."""
    return shutil.copytree(finished, tmp_path / finished.name)
