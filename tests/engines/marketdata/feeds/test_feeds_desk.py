"""The desk over a bus: every tick once, in order and on time; a slow bus is counted and drops nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.kit.origin import Origin
from engines.marketdata.day import Day
from engines.marketdata.feeds import desk, live
from engines.marketdata.feeds.desk import Edge, FeedDesk
from engines.marketdata.feeds.request import FeedSpec, FeedsRequest, FeedsStatus
from engines.marketdata.feeds.state import FeedState
from engines.marketdata.feeds.stored import StoredFeed
from engines.marketdata.publisher import Publisher, Retry
from engines.marketdata.request import ReplayRequest
from engines.marketdata.venue import Venue, step
from engines.wire.bus import Bus, Entry, MemoryBus, Output
from engines.wire.errors import BusError, UsageError
from engines.wire.messages import Session, decode
from engines.wire.redis_bus import RedisBus
from engines.wire.ticks import TRADE
from tests.engines.marketdata.days import small_day
from tests.engines.marketdata.feeds.parquet import Trade, trades, write

S = 1_000_000_000
MS = 1_000_000
ASKED = Origin("op-1", 70)


class Clock:
    """CLOCK_MONOTONIC that only sleeping moves, at least a microsecond a sleep."""

    def __init__(self) -> None:
        self.now = 1_000 * S

    def mono_ns(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += max(1_000, round(seconds * 1e9))
        await asyncio.sleep(0)


class SlowBus:
    """A bus that needs `takes_s` an append, and fails at some of them."""

    def __init__(self, bus: Bus, clock: Clock, takes_s: float = 0.0, fails: Sequence[int] = ()) -> None:
        self.bus, self.clock, self.takes_s, self.fails, self.appends = bus, clock, takes_s, fails, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.bus, name)

    async def append(self, outputs: Sequence[tuple[Output, str]]) -> int:
        self.appends += 1
        await self.clock.sleep(self.takes_s)
        if self.appends in self.fails:
            raise BusError("the bus is away")
        return await self.bus.append(outputs)


async def compute(make: Callable[[], StoredFeed]) -> StoredFeed:
    return make()


class Rig:
    """A desk, its publisher and a bus."""

    def __init__(self, takes_s: float = 0.0, fails: Sequence[int] = (), bus: Bus | None = None) -> None:
        self.clock = Clock()
        self.bus = SlowBus(bus or MemoryBus(), self.clock, takes_s, fails)
        self.publisher = Publisher(
            self.bus,  # type: ignore[arg-type] # a bus with delays
            "marketdata",
            lambda: 1,
            self.clock.mono_ns,
            Retry(self.clock.sleep),
        )
        self.desk = FeedDesk(
            None, Edge(self.build, self.clock.mono_ns, lambda: 10**18 + self.clock.now, self.clock.sleep)
        )
        self.stop = asyncio.Event()

    async def build(self, request: ReplayRequest) -> Day:
        day = small_day([1.0, 2.0, 3.0], request.seed, request)
        day.trades["symbol"] = day.quotes["symbol"] = 2
        return day

    async def run(self, request: FeedsRequest, until: Callable[[], bool] | None = None) -> FeedsStatus:
        """Until the feeds are over, or `until`."""
        self.desk.start(request, ASKED)
        task = asyncio.create_task(self.desk.run(lambda: self.publisher, compute, self.stop))
        while not task.done() and self.desk.busy and not (until and until()):  # noqa: ASYNC110 # the clock is ours
            await asyncio.sleep(0)
        if not until:
            self.stop.set()
            await task
        return self.desk.status()

    async def entries(self, topic: str) -> list[Entry]:
        return await self.bus.bus.read({topic: "0-0"}, 100_000, 0)


def on_the_bus(entries: list[Entry]) -> np.ndarray:  # type: ignore[type-arg] # of TRADE
    parts = [np.frombuffer(decode(*entry).body.rows, TRADE) for entry in entries]  # type: ignore[attr-defined] # trades
    return np.concatenate([np.empty(0, TRADE), *parts])


def run(work: Awaitable[None]) -> None:
    async def main() -> None:
        await work

    asyncio.run(main())


def files(folder: Path, found: list[list[Trade]], speed: float = 1.0) -> FeedsRequest:
    specs = [FeedSpec(f"S{n}", "file", trades(folder / f"{n}", rows)) for n, rows in enumerate(found)]
    return FeedsRequest(tuple(specs), speed)


TRADES = st.lists(st.tuples(st.integers(0, 400).map(lambda n: n * MS), st.just(1.5), st.integers(1, 99)), max_size=20)


@given(
    st.lists(TRADES, min_size=1, max_size=5),
    st.sampled_from([0.0, 0.03, 0.2]),
    st.lists(st.integers(2, 20), max_size=3),
)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_tick_is_published_once_in_order(
    tmp_path: Path, found: list[list[Trade]], takes_s: float, fails: list[int]
) -> None:
    ends: list[Trade] = [(0, 1.5, 1), (400 * MS, 1.5, 1)]  # so that all feeds overlap
    found = [[ends[0], *rows, ends[1]] for rows in found]

    async def work() -> None:
        rig = Rig(takes_s, fails)
        status = await rig.run(files(tmp_path, found))
        assert (status.state, status.ticks) == ("closed", sum(len(rows) for rows in found))
        entries = await rig.entries("trades")
        assert [decode(*entry).header.seq for entry in entries] == list(range(1, len(entries) + 1))
        rows = on_the_bus(entries)
        assert (np.diff(rows["ts"]) >= 0).all()
        for place, sizes in enumerate(found, 1):
            own = rows[rows["symbol"] == place]
            assert sorted(own["size"].tolist()) == sorted(size for _, _, size in sizes)
        sessions = [decode(*entry) for entry in await rig.entries("sessions")]
        told = [m.body for m in sessions if isinstance(m.body, Session)]
        assert [(body.event, body.request, body.requested_ns) for body in told] == [
            ("open", *ASKED), ("close", *ASKED),
        ]  # fmt: skip
        assert rig.desk.status().request == ASKED.request
        assert {m.header.trace for m in sessions} == {"r1/feeds"}
        for message in sessions:  # the venue takes them, and lets nothing be ordered
            venue, answers = step(Venue(), message)
            assert (venue.instruments, list(answers)) == ({}, [])
        for feed, given_rows in zip(status.feeds, found, strict=True):
            assert (feed.phase, feed.ticks, feed.missing) == ("finished", len(given_rows), 0)

    run(work())


def test_a_slow_bus_is_counted_and_drops_nothing(tmp_path: Path) -> None:
    rows: list[Trade] = [(n * MS, 1.0, 1) for n in range(1_000)]

    async def stalls(takes_s: float) -> FeedsStatus:
        rig = Rig(takes_s)
        status = await rig.run(files(tmp_path, [rows]))
        assert on_the_bus(await rig.entries("trades")).size == 1_000
        return status

    async def work() -> None:
        quick, slow = await stalls(0.0), await stalls(0.2)
        assert (quick.stalls, quick.restamped) == (0, 0)
        assert quick.behind_max_ms is not None
        assert quick.behind_max_ms < 5
        assert slow.stalls > 3
        assert slow.backlog_max >= 150
        assert slow.behind_max_ms is not None
        assert slow.behind_max_ms >= 200

    run(work())


def test_a_burst_is_split_into_messages(tmp_path: Path) -> None:
    async def work() -> None:
        rig = Rig()
        rows: list[Trade] = [(n // 9_000 * 50 * MS, 1.0, n + 1) for n in range(18_000)]
        status = await rig.run(files(tmp_path, [rows]))
        assert (status.messages, status.ticks) == (6, 18_000)
        assert on_the_bus(await rig.entries("trades"))["size"].tolist() == list(range(1, 18_001))

    run(work())


def test_gaps_and_disorder_of_a_source_are_seen(tmp_path: Path) -> None:
    async def work() -> None:
        rig = Rig()
        path = tmp_path / "gaps"

        write(
            path, "SELECT * FROM (VALUES (1, 0, 1.0, 1), (4, 20, 1.0, 1), (3, 10, 1.0, 1)) AS t(seq, ts, price, size)"
        )
        status = await rig.run(FeedsRequest((FeedSpec("A", "file", str(path)),)))
        (feed,) = status.feeds
        assert (feed.missing, feed.reordered, feed.out_of_order) == (2, 1, 1)
        assert rig.desk.counters()["feed_missing"] == 2

    run(work())


def test_one_feed_stops_and_the_others_go_on(tmp_path: Path) -> None:
    rows: list[Trade] = [(n * S, 1.0, 1) for n in range(20)]

    async def work() -> None:
        rig = Rig()
        request = files(tmp_path, [rows, rows])
        await rig.run(request, until=lambda: rig.desk.status().ticks >= 10)
        with pytest.raises(UsageError, match="No feed of S9"):
            rig.desk.stop("S9")
        rig.desk.stop("S0")
        with pytest.raises(UsageError):
            rig.desk.stop("S0")
        with pytest.raises(UsageError, match="Feeds are running"):
            rig.desk.start(request)
        while rig.desk.busy:  # noqa: ASYNC110 # same
            await asyncio.sleep(0)
        first, second = rig.desk.status().feeds
        assert (first.phase, second.phase) == ("stopped", "finished")
        assert first.ticks < second.ticks == 20
        with pytest.raises(UsageError, match="No feed is running"):
            rig.desk.stop("S1")
        again = rig.desk.start(request)
        assert again.state == "starting"

    run(work())


def test_silence_is_stale_only_when_a_tick_was_due() -> None:
    clock = Clock()
    own = live.LiveFeed(FeedSpec("IBM", "ibkr", stale_s=2.0), 1, live.World(clock.mono_ns, clock.mono_ns, {}))
    running = desk._Running(FeedsRequest((own.spec,)), [own], None, clock.now)
    phases = [desk.phase(running, own, FeedState(), clock.now + seconds * S) for seconds in (1, 3)]
    seen = FeedState(ticks=1, seen_ns=clock.now + 2 * S)
    phases += [desk.phase(running, own, seen, clock.now + seconds * S) for seconds in (3, 5)]
    assert phases == ["waiting", "stale", "live", "stale"]


def test_a_pause_of_a_stored_feed_is_no_staleness(tmp_path: Path) -> None:
    async def work() -> None:
        rig = Rig()
        request = files(tmp_path, [[(0, 1.0, 1), (60 * S, 1.0, 1)]])
        seen: set[str] = set()

        def look() -> bool:
            seen.update(feed.phase for feed in rig.desk.status().feeds)
            seen.add(rig.desk.check().status)
            return False

        await rig.run(request, until=look)
        assert "stale" not in seen
        assert "warn" not in seen
        assert {"live", "finished"} <= seen

    run(work())


def test_feeds_that_cannot_run_together_are_refused(tmp_path: Path) -> None:
    file = FeedSpec("A", "file", trades(tmp_path / "a", [(0, 1.0, 1), (1, 1.0, 1)]))
    late = FeedSpec("B", "file", trades(tmp_path / "b", [(5, 1.0, 1), (6, 1.0, 1)]))
    for feeds in ((file, file), (file, FeedSpec("B", "ibkr")), (FeedSpec("A", "file"),), (FeedSpec("A", "tape", "x"),)):
        with pytest.raises(UsageError):
            FeedsRequest(feeds).check()

    async def work() -> None:
        rig = Rig()
        status = await rig.run(FeedsRequest((file, late)))
        assert status.state == "failed"
        assert "no market time in common" in status.error
        assert rig.desk.check().status == "warn"
        assert await rig.entries("sessions") == []

    run(work())


def test_a_tapes_feed_brings_trades_and_quotes() -> None:
    async def work() -> None:
        rig = Rig()
        symbol = ReplayRequest(quick=True).resolve().symbols[2]
        status = await rig.run(FeedsRequest((FeedSpec(symbol, "tape"),), 10.0, ReplayRequest(quick=True)))
        assert status.ticks == 6
        assert len(await rig.entries("quotes")) > 0
        assert on_the_bus(await rig.entries("trades"))["price"].tolist() == [1_001, 1_002, 1_003]

    run(work())


def test_on_a_server_and_after_a_replay(tmp_path: Path, valkey_url: str) -> None:
    async def work() -> None:
        bus = RedisBus(valkey_url)
        await bus._client.flushdb()
        await bus.append([(Output("trades", b"", b""), "7-3")])
        try:
            rig = Rig(bus=bus)
            status = await rig.run(files(tmp_path, [[(n * MS, 1.0, n + 1) for n in range(50)]]))
            assert status.replay == 8
            rows = on_the_bus((await rig.entries("trades"))[1:])
            assert rows["size"].tolist() == list(range(1, 51))
        finally:
            await bus.close()

    run(work())
