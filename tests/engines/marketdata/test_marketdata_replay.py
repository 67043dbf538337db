"""A replay is published exactly once, wherever it is interrupted."""

import asyncio
import functools
import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.kit.origin import Origin
from engines.kit.runtime import Runtime
from engines.marketdata.config import ReplayConfig
from engines.marketdata.day import Day
from engines.marketdata.player import Edge, Player
from engines.marketdata.publisher import TOPICS
from engines.marketdata.request import ReplayRequest
from engines.wire.bus import Bus, Commit, Entry, MemoryBus, Output
from engines.wire.errors import BusError, CommitUnknown, UsageError
from engines.wire.manifest import discover, pick
from engines.wire.messages import Header, Session, decode, decode_header
from engines.wire.redis_bus import RedisBus
from engines.wire.settings import Settings
from tests.engines.marketdata.days import small_day

# Before, inside and after the quick window, with two ticks of one batch.
SECONDS = [0.0, 60.0, 61.0, 9_000.0, 18_580.0, 18_580.2, 18_700.0, 18_900.0, 18_928.0, 19_100.0, 20_000.0, 23_400.0]
FAST = ReplayConfig(settle_s=0.1, drain_s=0.5)
ASKED = Origin("op-1", 900)


class Crash(Exception):
    """The process ends here."""


class Fault(Exception):
    """How an append goes wrong: the first `applied` entries arrive, then the process or the connection dies."""

    def __init__(self, at: int, applied: int, *, crash: bool) -> None:
        self.at, self.applied, self.crash = at, applied, crash


class FaultyBus:
    """A bus whose n-th append fails part of the way."""

    def __init__(self, bus: Bus, faults: Sequence[Fault]) -> None:
        self.bus = bus
        self.faults = {fault.at: fault for fault in faults}
        self.appends = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.bus, name)

    async def append(self, outputs: Sequence[tuple[Output, str]]) -> int:
        fault = self.faults.get(self.appends)
        self.appends += 1
        if fault is None:
            return await self.bus.append(outputs)
        await self.bus.append(outputs[: fault.applied])
        if fault.crash:
            raise Crash
        raise CommitUnknown("the connection broke")


class Clock:
    """CLOCK_MONOTONIC that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1_000_000_000_000

    def mono_ns(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += round(seconds * 1e9)
        await asyncio.sleep(0)


class Holder:
    """Stands for the processor: state and epoch."""

    state = None

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch


class Rig:
    """Incarnations of a player over one bus."""

    def __init__(
        self,
        market: Bus,
        faults: Sequence[Fault] = (),
        request: ReplayRequest | None = None,
        folder: Path = Path("/nowhere"),
    ) -> None:
        self.folder = folder
        self.builds = 0
        self.market = FaultyBus(market, faults)
        self.main = MemoryBus()
        self.clock = Clock()
        self.epochs = itertools.count(1)
        self.request = request or ReplayRequest(seed=7, quick=True)
        self.workers = ThreadPoolExecutor(1)
        self.holder = Holder(0)
        self.player = Player()

    async def build(self, request: ReplayRequest) -> Day:
        self.builds += 1
        return small_day(SECONDS, request.seed, request)

    async def incarnation(self, start: bool) -> None:
        """One process: until its replay is over, or Crash."""
        self.holder = Holder(next(self.epochs))
        self.player = Player(FAST, Edge(self.build, self.clock.sleep))
        runtime = Runtime(
            pick(discover(), "marketdata"), Settings(state=self.folder), self.main, self.market,  # type: ignore[arg-type] # a bus with faults
            self.holder, self.workers, asyncio.Event(), asyncio.Event(), self.clock.mono_ns,
        )  # fmt: skip
        if start:
            self.player.start(self.request, self.clock.now, ASKED)
        task = asyncio.create_task(self.player.run(runtime))
        while not task.done() and self.player.status.state not in ("finished", "failed"):
            await self.clock.sleep(0)
        if task.done():
            task.result()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def streams(self) -> dict[str, list[Entry]]:
        return {topic: await self.market.bus.read({topic: "0-0"}, 10_000, 0) for topic in TOPICS}


async def through(rig: Rig) -> dict[str, list[Entry]]:
    """Start a replay and go on through every crash."""
    start = True
    while True:
        try:
            await rig.incarnation(start)
        except Crash:
            sessions = (await rig.streams())["sessions"]
            start = not sessions
            if start or b"close" not in sessions[-1].body:
                continue
        return await rig.streams()


def contents(streams: dict[str, list[Entry]]) -> dict[str, list[tuple[str, bytes]]]:
    return {topic: [(entry.id, entry.body) for entry in entries] for topic, entries in streams.items()}


def headers(streams: dict[str, list[Entry]]) -> dict[str, list[Header]]:
    return {topic: [decode_header(entry.header) for entry in entries] for topic, entries in streams.items()}


@functools.cache
def undisturbed() -> dict[str, list[Entry]]:
    return asyncio.run(through(Rig(MemoryBus())))


def check_sequences(streams: dict[str, list[Entry]]) -> None:
    """Contiguous per epoch and topic, epochs in order."""
    for found in headers(streams).values():
        for _, of_epoch in itertools.groupby(found, key=lambda h: h.epoch):
            seqs = [h.seq for h in of_epoch]
            assert seqs == list(range(1, len(seqs) + 1))
        assert [h.epoch for h in found] == sorted(h.epoch for h in found)


FAULTS = st.lists(st.builds(Fault, st.integers(0, 22), st.integers(0, 3), crash=st.booleans()), max_size=6)


@given(faults=FAULTS)
@settings(max_examples=60, deadline=None)
def test_interrupted_anywhere_the_streams_are_the_same(faults: list[Fault]) -> None:
    whole = undisturbed()

    async def scenario() -> None:
        broken = await through(Rig(MemoryBus(), faults))
        assert contents(broken) == contents(whole)
        check_sequences(broken)

    asyncio.run(scenario())


def test_a_replay_goes_on_with_the_day_that_was_kept(tmp_path: Path) -> None:
    """Four processes, one build; the same streams as from a folder in which nothing can be kept."""
    faults = [Fault(at, 0, crash=True) for at in (6, 9, 12)]
    kept, built = Rig(MemoryBus(), faults, folder=tmp_path), Rig(MemoryBus(), faults)
    assert contents(asyncio.run(through(kept))) == contents(asyncio.run(through(built))) == contents(undisturbed())
    assert (kept.builds, built.builds) == (1, 4)
    assert list(tmp_path.iterdir()) == []  # it is over


@pytest.mark.parametrize("at", range(0, 18, 3))
def test_interrupted_on_a_server_the_streams_are_the_same(at: int, valkey_url: str) -> None:
    whole = contents(undisturbed())

    async def scenario() -> None:
        bus = RedisBus(valkey_url)
        await bus._client.flushdb()
        faults = [Fault(at, 1, crash=True), Fault(at + 3, 1, crash=False)]
        try:
            broken = await through(Rig(bus, faults))
            assert contents(broken) == whole
            check_sequences(broken)
        finally:
            await bus.close()

    asyncio.run(scenario())


def test_messages_of_the_window_say_when_they_were_due() -> None:
    streams = undisturbed()
    sessions = [decode(*entry) for entry in streams["sessions"]]
    assert [m.body.event for m in sessions if isinstance(m.body, Session)] == ["open", "window", "window-end", "close"]
    assert {(m.body.request, m.body.requested_ns) for m in sessions if isinstance(m.body, Session)} == {ASKED}
    began = sessions[1].header.mono_intended
    start_s = 18_568.0
    for header in headers(streams)["trades"]:
        assert (header.producer, header.cause) == ("marketdata", "")
        if header.trace == "r1/window":
            assert header.mono_sent >= header.mono_intended >= began
        else:
            assert header.mono_intended == 0
    inside = [h for h in headers(streams)["trades"] if h.trace == "r1/window"]
    assert [h.mono_intended - began for h in inside] == [
        round((s - start_s) / 40 * 1e9) for s in (18_580.0, 18_700.0, 18_900.0, 18_928.0, 19_100.0)
    ]


def test_a_window_resumed_keeps_its_first_schedule() -> None:
    whole = headers(undisturbed())
    in_window = whole["sessions"][1].ordinal + 2  # the window's third batch; appends count from 0, batches from 1

    async def scenario() -> None:
        broken = headers(await through(Rig(MemoryBus(), [Fault(in_window, 1, crash=True)])))
        assert {h.epoch for h in broken["trades"]} == {1, 2}
        assert [h.mono_intended for h in broken["trades"]] == [h.mono_intended for h in whole["trades"]]

    asyncio.run(scenario())


def test_the_window_begins_when_it_was_asked_to() -> None:
    async def scenario() -> None:
        rig = Rig(MemoryBus())
        at = rig.clock.now + 30_000_000_000
        rig.request = ReplayRequest(seed=7, quick=True, window_at_ns=at)
        streams = await through(rig)
        assert headers(streams)["sessions"][1].mono_intended == at
        assert rig.player.status.behind_ms == 0
        late = ReplayRequest(seed=7, window_at_ns=rig.clock.now - 1)
        with pytest.raises(UsageError, match="cannot begin"):
            rig.player.start(late, rig.clock.now)

    asyncio.run(scenario())


def test_replays_are_numbered_on_after_a_restart() -> None:
    async def scenario() -> None:
        rig = Rig(MemoryBus())
        await rig.incarnation(start=True)
        await rig.incarnation(start=True)
        assert {entry.id.split("-")[0] for entry in (await rig.streams())["trades"]} == {"1", "2"}
        assert rig.player.status.replay == 2
        assert rig.player.status.published["trades"] == len((await rig.streams())["trades"]) / 2

    asyncio.run(scenario())


def test_a_replay_left_too_long_is_closed() -> None:
    async def scenario() -> None:
        rig = Rig(MemoryBus(), [Fault(4, 0, crash=True)])
        with pytest.raises(Crash):
            await rig.incarnation(start=True)
        rig.clock.now += int(FAST.resume_s * 1e9) + 1
        await rig.incarnation(start=False)
        assert rig.player.status.state == "failed"
        last = decode(*(await rig.streams())["sessions"][-1])
        assert isinstance(last.body, Session)
        assert last.body.event == "close"
        await rig.incarnation(start=True)
        assert (rig.player.status.state, rig.player.status.replay) == ("finished", 2)

    asyncio.run(scenario())


def test_a_stop_closes_the_session() -> None:
    whole = undisturbed()

    async def scenario() -> None:
        rig = Rig(MemoryBus())
        plain = rig.clock.sleep

        async def stopping_sleep(seconds: float) -> None:
            await plain(seconds)
            status = rig.player.status
            if status.state == "running" and status.segment == "window" and not rig.player._stopping:
                rig.player.stop(Origin("op-2", 950))

        rig.clock.sleep = stopping_sleep  # type: ignore[method-assign] # the stop comes while it waits
        streams = await through(rig)
        told = [m.body for m in (decode(*e) for e in streams["sessions"]) if isinstance(m.body, Session)]
        assert [(body.event, body.request) for body in told] == [
            ("open", "op-1"),
            ("window", "op-1"),
            ("close", "op-2"),
        ]
        assert (rig.player.status.request, rig.player.status.stop_request) == ("op-1", "op-2")
        assert (rig.player.status.state, rig.player.status.stopped) == ("finished", True)
        assert 0 < len(streams["trades"]) < len(whole["trades"])
        with pytest.raises(UsageError, match="No replay"):
            rig.player.stop()

    asyncio.run(scenario())


def test_who_stopped_a_replay_before_it_was_begun_is_told() -> None:
    async def scenario() -> None:
        rig = Rig(MemoryBus())
        plain = rig.clock.sleep

        async def stopping_sleep(seconds: float) -> None:
            if rig.player.status.state == "building" and not rig.player._stopping:
                rig.player.stop(Origin("op-2", 950))
            await plain(seconds)

        rig.clock.sleep = stopping_sleep  # type: ignore[method-assign] # the stop comes before the player looks
        await rig.incarnation(start=True)
        status = rig.player.status
        assert (status.state, status.stopped, status.request, status.stop_request) == ("finished", True, "op-1", "op-2")
        assert (await rig.streams())["sessions"] == []

    asyncio.run(scenario())


def test_one_replay_at_a_time_and_only_of_what_there_is() -> None:
    player = Player()
    with pytest.raises(UsageError, match="flash-crsh"):
        player.start(ReplayRequest("flash-crsh"), 0)
    player.start(ReplayRequest(), 0)
    with pytest.raises(UsageError, match="under way"):
        player.start(ReplayRequest(), 0)


async def consumer_at(bus: MemoryBus, owner: str, cursors: dict[str, str]) -> None:
    saved = await bus.claim(owner)
    await bus.commit(Commit(owner=owner, epoch=saved.epoch, cursors=cursors))


def test_a_slow_consumer_paces_the_replay_and_a_dead_one_does_not_stop_it() -> None:
    from engines.marketdata.followers import Followers

    async def scenario() -> None:
        bus, clock = MemoryBus(), Clock()
        followers = Followers(bus, {"risk": ("trades",), "vpin": ("trades",), "ml": ("sessions",)}, clock.mono_ns, 3.0)
        assert await followers.behind({"trades": "2-50"}) == 0  # nobody ever ran
        await consumer_at(bus, "risk", {"trades": "2-40"})
        await consumer_at(bus, "vpin", {"trades": "1-900"})
        assert await followers.behind({"trades": "2-50"}) == 50  # vpin has seen nothing of replay 2
        await clock.sleep(2)
        await consumer_at(bus, "risk", {"trades": "2-45"})
        assert await followers.behind({"trades": "2-50"}) == 50
        await clock.sleep(2)
        assert await followers.behind({"trades": "2-50"}) == 5  # vpin has not moved for 4 s
        await consumer_at(bus, "vpin", {"trades": "2-10"})
        assert await followers.behind({"trades": "2-50"}) == 40

    asyncio.run(scenario())


def test_a_bus_that_refuses_for_a_while_is_tried_again() -> None:
    class Refusing(MemoryBus):
        refusals = 3

        async def append(self, outputs: Sequence[tuple[Output, str]]) -> int:
            if self.refusals:
                self.refusals -= 1
                raise BusError("out of memory")
            return await super().append(outputs)

    assert contents(asyncio.run(through(Rig(Refusing())))) == contents(undisturbed())


def test_a_new_incarnation_in_the_same_process_counts_from_one() -> None:
    """The consumer claims again after a poisonous message: the epoch moves while the replay goes on."""

    async def scenario() -> None:
        rig = Rig(MemoryBus())
        plain = rig.clock.sleep

        async def reclaiming_sleep(seconds: float) -> None:
            await plain(seconds)
            if rig.player.status.segment == "window":
                rig.holder.epoch = 5

        rig.clock.sleep = reclaiming_sleep  # type: ignore[method-assign] # the claim comes while it waits
        streams = await through(rig)
        assert {h.epoch for h in headers(streams)["trades"]} == {1, 5}
        check_sequences(streams)

    asyncio.run(scenario())
