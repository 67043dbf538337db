"""A wall clock that a drill steps: everything that an engine stamps with wall time follows it, and nothing else."""

import ast
import asyncio
import logging
import time
from collections.abc import Iterator
from pathlib import Path

from engines.kit.wallclock import WallClock
from engines.marketdata.feeds.desk import FeedDesk
from engines.marketdata.feeds.request import FeedSpec, FeedsRequest
from engines.marketdata.feeds.stored import StoredFeed
from engines.marketdata.publisher import Publisher
from engines.wire import manifest
from engines.wire.bus import MemoryBus
from engines.wire.messages import decode_header

HOUR_NS = 3_600 * 10**9
ENGINES = Path(manifest.__file__).parents[1]
# Wall time that is no stamp of an engine's work: the clock itself, what the host's clock says beside the step that a
# drill reports, and the moment of a process's birth.
ALLOWED = {"kit/wallclock.py": {"time_ns"}, "kit/drill.py": {"time_ns"}, "kit/vitals.py": {"now"}}
WALL = {"time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.strftime", "datetime.now", "date.today"}


def wall_calls(path: Path) -> Iterator[str]:
    """Names of what reads the host's wall clock in a file: called, or handed on."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value).rpartition(".")[2]
            owner = {"dt": "datetime"}.get(owner, owner)
            if f"{owner}.{node.attr}" in WALL | {"datetime.utcnow", "datetime.today"}:
                yield node.attr


def test_a_step_moves_the_wall_clock_and_not_the_monotonic_one() -> None:
    clock = WallClock()
    before = time.time_ns()
    assert before <= clock.ns() <= time.time_ns()
    clock.step(-3_600.0)
    assert clock.ahead_s == -3_600.0
    assert before - HOUR_NS <= clock.ns() <= time.time_ns() - HOUR_NS
    mono, told = time.monotonic(), clock.read()
    assert mono <= told.mono <= time.monotonic()
    assert before / 1e9 - 3_601 <= told.wall <= time.time() - 3_599
    clock.step(0)
    assert before <= clock.ns() <= time.time_ns()


def test_a_log_is_dated_by_it() -> None:
    clock = WallClock()
    record = logging.LogRecord("n", logging.INFO, "", 0, "", None, None)
    created, msecs = record.created, record.msecs
    assert clock.date(record) and (record.created, record.msecs) == (created, msecs)
    clock.step(-1.25)
    assert clock.date(record) and record.created == created - 1.25
    assert record.msecs == record.created % 1 * 1000


def test_nothing_in_an_engine_takes_wall_time_from_elsewhere() -> None:
    files = [path for found in manifest.discover() for path in (ENGINES / found.name).rglob("*.py")]
    files += list((ENGINES / "kit").glob("*.py"))
    assert len(files) > 100
    for path in files:
        place = path.relative_to(ENGINES).as_posix()
        if place == "marketdata/feeds/desk.py":
            continue  # its default, which the engine's wiring replaces: below
        assert set(wall_calls(path)) <= ALLOWED.get(place, set()), place


def test_live_feeds_are_stamped_by_it_and_their_staleness_is_not_disturbed() -> None:
    async def work() -> None:
        clock, bus, stop, desk = WallClock(), MemoryBus(), asyncio.Event(), FeedDesk()
        desk.keep_time(clock.ns)
        publisher = Publisher(bus, "marketdata", lambda: 1, time.monotonic_ns, None)  # type: ignore[arg-type] # a bus that does not fail
        desk.start(FeedsRequest((FeedSpec("IBM", "ibkr-simulated", depth=True, stale_s=30.0),)))

        async def compute(make: object) -> StoredFeed:
            raise AssertionError(make)

        task = asyncio.create_task(desk.run(lambda: publisher, compute, stop))
        await _until(lambda: ticks(desk) > 5)
        clock.step(7_200.0)
        seen = ticks(desk)
        await _until(lambda: ticks(desk) > seen + 5)
        ahead = time.time_ns() + 7_200 * 10**9
        assert desk.status().feeds[0].phase == "live"
        assert abs(desk.status().feeds[0].ts_ns - ahead) < 60 * 10**9
        clock.step(0)
        seen, jumps = ticks(desk), desk.status().feeds[0].out_of_order
        await _until(lambda: ticks(desk) > seen + 5)
        assert desk.status().feeds[0].out_of_order > jumps  # the way back is noticed
        assert desk.status().restamped > 0  # and what is published stays in order
        assert desk.status().feeds[0].phase == "live"
        stop.set()
        await task
        entries = [e for topic in ("trades", "quotes") for e in await bus.read({topic: "0-0"}, 100_000, 0)]
        stamps = [decode_header(entry.header).ts_event for entry in entries]
        assert any(abs(stamp - ahead) < 60 * 10**9 for stamp in stamps)  # the step is on the bus
        sent = [decode_header(entry.header).mono_sent for entry in entries]
        assert all(0 <= time.monotonic_ns() - at < 60 * 10**9 for at in sent)

    asyncio.run(work())


def ticks(desk: FeedDesk) -> int:
    """Of its feeds."""
    return sum(feed.ticks for feed in desk.status().feeds)


async def _until(holds) -> None:  # type: ignore[no-untyped-def]
    for _ in range(2_000):
        if holds():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not happen within 10 s")
