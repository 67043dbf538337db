"""The backend's wiring: the recorder, its HTTP face, and the export of runs that closed."""

import asyncio
import contextlib
import datetime as dt
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter

from engines.backend.config import CONFIG
from engines.backend.model import Recorded, Summary, TapeRow, TopicCount, last_trades, run_rows, step, summary
from engines.backend.recorder import Recorder
from engines.kit import damage
from engines.kit.engine import Engine, Source
from engines.kit.runtime import Runtime
from engines.kit.store import FILE, Store, read_messages
from engines.wire.bundle import bars
from engines.wire.bus import Bus
from engines.wire.errors import BusError, DataError, UnknownName
from engines.wire.health import Check
from engines.wire.messages import TOPICS, Fleet
from engines.wire.settings import from_env

log = logging.getLogger(__name__)
_POLL_S = 0.25


class RunRow(msgspec.Struct, frozen=True):
    """One trace as it is recorded; `closed` says that its run's session closed."""

    trace: str
    messages: int
    closed: bool
    topics: dict[str, int]


class Exported(msgspec.Struct, frozen=True):
    """The Parquet files that an export wrote, relative to the store's folder."""

    run: str
    files: tuple[str, ...]


def recorder(engine: Engine[Recorded], topics: Sequence[str], main: Bus, mono_ns: Callable[[], int], /) -> Recorder:
    """The recorder over this process's store."""
    return Recorder(engine, topics, main, mono_ns, Store(from_env().store / FILE))


def _recorder(runtime: Runtime[Recorded]) -> Recorder:
    return cast(Recorder, runtime.holder)


def _parquet(runtime: Runtime[Recorded]) -> Path:
    return runtime.settings.store / "parquet"


def routes(runtime: Runtime[Recorded]) -> Sequence[HTTPRouteHandler]:
    """The backend's HTTP face."""

    @get("/fleet", sync_to_thread=False, summary="The fleet as its supervisor last announced it")
    def fleet() -> Fleet:
        if runtime.state.fleet is None:
            raise DataError("No fleet was announced yet.", "The supervisor announces it every five seconds.")
        return runtime.state.fleet

    @get("/topics", sync_to_thread=False, summary="Messages recorded, per topic")
    def topics() -> dict[str, TopicCount]:
        return runtime.state.topics

    @get("/runs", sync_to_thread=False, summary="Traces recorded, with their counts")
    def runs() -> list[RunRow]:
        closed = set(runtime.state.closed)
        return [
            RunRow(trace, sum(counts.values()), trace.partition("/")[0] in closed, counts)
            for trace, counts in runtime.state.runs.items()
        ]

    @get("/tape", sync_to_thread=False, summary="The last trades, newest first; prices in 1/10,000")
    def tape(
        symbol: FromQuery[str | None] = None, limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 50
    ) -> list[TapeRow]:
        return last_trades(runtime.state, symbol, limit)

    @get("/summary", sync_to_thread=False, summary="Statistics of stored daily bars")
    def statistics(
        symbol: FromQuery[str], start: FromQuery[dt.date | None] = None, end: FromQuery[dt.date | None] = None
    ) -> Summary:
        return summary(bars(symbol, start, end))

    @get("/messages", summary="Exported messages of a topic and trace, the newest ones")
    async def messages(
        topic: FromQuery[str], trace: FromQuery[str], limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100
    ) -> list[dict[str, Any]]:
        if topic not in TOPICS:
            raise UnknownName("topic", topic, TOPICS)
        folder = _parquet(runtime)
        found = await runtime.compute(lambda: read_messages(folder, topic, trace, limit))
        return [msgspec.to_builtins(envelope) for envelope in found]

    @post("/export", status_code=200, summary="Write what is recorded of a run as Parquet; all runs when none is named")
    async def export(run: FromQuery[str | None] = None) -> list[Exported]:
        known = list(dict.fromkeys(trace.partition("/")[0] for trace in runtime.state.runs))
        if run is not None and run not in known:
            raise UnknownName("run", run, known)
        return [await _export(runtime, name) for name in (known if run is None else [run])]

    return [fleet, topics, runs, tape, statistics, messages, export]


async def _export(runtime: Runtime[Recorded], run: str) -> Exported:
    """Commit what waits, then write a run's files beside the recorder."""
    unit = _recorder(runtime)
    await unit.flush()
    folder = _parquet(runtime)
    written = await runtime.compute(lambda: unit.store.export(folder, run))
    return Exported(run, tuple(str(file.relative_to(runtime.settings.store)) for file in written))


def sources(runtime: Runtime[Recorded]) -> Sequence[Source]:
    """Exports closed runs; commits what waits when the engine stops."""

    async def finish() -> None:
        try:
            await runtime.stop.wait()
        finally:
            with _explained("what is not committed will be read again"):
                await _recorder(runtime).finish()

    async def export() -> None:
        done: dict[str, int] = {}
        while not runtime.stop.is_set():
            await asyncio.sleep(_POLL_S)
            for run in list(runtime.state.closed):
                rows = run_rows(runtime.state, run)
                if rows == done.get(run):
                    continue
                await asyncio.sleep(CONFIG.quiet_s)
                if rows == run_rows(runtime.state, run):
                    with _explained(f"the run {run} is exported later"):
                        await _export(runtime, run)
                        done[run] = rows

    return [finish, export]


@contextlib.contextmanager
def _explained(consequence: str) -> Iterator[None]:
    """A bus or store that does not answer is logged with its consequence; the consumer claims again."""
    try:
        yield
    except BusError as error:
        log.warning("%s: %s", consequence, error)


def checks(runtime: Runtime[Recorded]) -> Sequence[Check]:
    """Whether messages reach the disk, and how much is there."""
    unit = _recorder(runtime)
    lag, size = unit.lag_s(), unit.store.size()
    if unit.failure is not None:
        recording = Check("recorder", "fail", f"the last commit failed: {unit.failure}")
    else:
        status: Literal["ok", "warn", "fail"]
        status = "fail" if lag > CONFIG.lag_fail_s else "warn" if lag > CONFIG.lag_warn_s else "ok"
        recording = Check("recorder", status, f"{len(unit.pending)} messages wait, {lag:.2f} s; {_last(runtime, unit)}")
    aside = damage.aside(unit.store.file)
    words = f"{size / 2**20:.1f} MB in {unit.store.file.name}"
    words += f"; damaged and set aside: {', '.join(aside)}; what the streams no longer held is only there" * bool(aside)
    return [recording, Check("store", "warn" if size > CONFIG.size_warn or aside else "ok", words)]


def _last(runtime: Runtime[Recorded], unit: Recorder) -> str:
    if unit.last is None:
        return "nothing committed yet"
    age, took = (runtime.mono_ns() - unit.last.at_ns) / 1e9, unit.last.took_ns / 1e6
    return f"last commit {age:.1f} s ago, {unit.last.messages} messages in {took:.1f} ms"


def _features(state: Recorded) -> list[str]:
    return [
        f"{sum(count.rows for count in state.topics.values())} messages recorded of {len(state.topics)} topics",
        f"{len(state.runs)} traces recorded, {len(state.closed)} runs closed",
        f"{state.tape_rows} trades on the tape in memory",
    ]


def _counters(state: Recorded) -> dict[str, int]:
    return {"recorded": sum(count.rows for count in state.topics.values()), "runs_closed": len(state.closed)}


engine = Engine(
    name="backend",
    initial=Recorded,
    step=step,
    state_type=Recorded,
    routes=routes,
    sources=sources,
    checks=checks,
    features=_features,
    counters=_counters,
    data_sources=("bundled daily bars", "both buses"),
    unit=recorder,
)
