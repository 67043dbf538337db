"""The twin in memory and the real server keep the same contract."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

from engines.wire.bus import Bus, Commit, DeadLetter, Entry, MemoryBus, Output, StreamStats, dead_topic
from engines.wire.errors import BusError, Fenced
from engines.wire.redis_bus import RedisBus

Check = Callable[[Bus], Awaitable[None]]


@pytest.fixture(params=["memory", "valkey"])
def run(request: pytest.FixtureRequest, valkey_url: str) -> Iterator[Callable[[Check], None]]:
    def on_bus(check: Check) -> None:
        async def main() -> None:
            bus: Bus = MemoryBus()
            if request.param == "valkey":
                bus = RedisBus(valkey_url)
                await bus._ask([("FLUSHALL",)])
            try:
                await check(bus)
            finally:
                await bus.close()

        asyncio.run(main())

    yield on_bus


def rows(topic: str, *ids: str) -> list[tuple[Output, str]]:
    return [(Output(topic, b"h" + i.encode(), b"b"), i) for i in ids]


def test_append_and_read(run) -> None:
    async def check(bus: Bus) -> None:
        assert await bus.append(rows("a", "1-1", "1-2", "2-1")) == 3
        assert await bus.append(rows("a", "1-2", "2-1", "2-2")) == 1
        assert await bus.read({"a": "1-1", "b": "0-0"}, 10, 0) == [
            Entry("a", "1-2", b"h1-2", b"b"), Entry("a", "2-1", b"h2-1", b"b"), Entry("a", "2-2", b"h2-2", b"b"),
        ]  # fmt: skip
        assert [e.id for e in await bus.read({"a": "0-0"}, 2, 0)] == ["1-1", "1-2"]
        assert await bus.stats("a") == StreamStats(4, 4, "1-1", "2-2")
        assert await bus.stats("none") == StreamStats(0, 0, "0-0", "0-0")
        assert (await bus.last("a")).id == "2-2"
        assert await bus.last("none") is None

    run(check)


def test_commit_is_whole_and_fenced(run) -> None:
    async def check(bus: Bus) -> None:
        first = await bus.claim("x")
        assert (first.epoch, first.state, first.cursors) == (1, None, {})
        entry = Entry("in", "5-0", b"h", b"b")
        commit = Commit(
            owner="x", epoch=1, cursors={"in": "5-0"}, outputs=[Output("out", b"1", b"2")], state=b"s",
            dead=[DeadLetter(entry, "why")], ledger=b"l",
        )  # fmt: skip
        await bus.commit(commit)
        await bus.commit(Commit(owner="x", epoch=1, cursors={"in": "6-0"}, outputs=[Output("out", b"3", b"4")]))
        second = await bus.claim("x")
        assert (second.epoch, second.state, second.state_cursors, second.cursors) == (
            2, b"s", {"in": "5-0"}, {"in": "6-0"},
        )  # fmt: skip
        assert await bus.cursor("x", "in") == "5-0"
        assert await bus.cursor("x", "other") == "0-0"
        assert await bus.cursor("nobody", "in") is None
        with pytest.raises(Fenced):
            await bus.commit(commit)
        assert (await bus.stats("out")).added == 2
        assert (await bus.stats(dead_topic("x"))).added == 1
        await bus.commit(Commit(owner="x", epoch=2, cursors={"in": "7-0"}))
        assert (await bus.saved("x")).cursors == {"in": "7-0"}

    run(check)


def test_trim_keeps_what_was_asked(run) -> None:
    async def check(bus: Bus) -> None:
        await bus.append(rows("t", *(f"1-{n}" for n in range(1, 501))))
        dropped = await bus.trim("t", "1-300")
        stats = await bus.stats("t")
        assert stats.added == 500 and stats.length == 500 - dropped and 0 < dropped <= 299
        assert [e.id for e in await bus.read({"t": "1-299"}, 2, 0)] == ["1-300", "1-301"]

    run(check)


def test_out_of_memory_is_refused_and_nothing_is_applied(valkey_url: str) -> None:
    async def main() -> None:
        bus = RedisBus(valkey_url)
        await bus._ask([("FLUSHALL",)])
        epoch = (await bus.claim("full")).epoch
        await bus._ask([("CONFIG", "SET", "maxmemory", 1), ("CONFIG", "SET", "maxmemory-policy", "noeviction")])
        commit = Commit(owner="full", epoch=epoch, cursors={"in": "1-0"}, outputs=[Output("o", b"h", b"b")])
        try:
            with pytest.raises(BusError, match="refuses") as caught:
                await bus.commit(commit)
            assert type(caught.value) is BusError
            assert (await bus.saved("full")).cursors == {}
        finally:
            await bus._ask([("CONFIG", "SET", "maxmemory", 0)])
        await bus.commit(commit)
        assert (await bus.saved("full")).cursors == {"in": "1-0"}
        await bus.close()

    asyncio.run(main())


def test_an_unreachable_bus_says_so() -> None:
    async def main() -> None:
        bus = RedisBus("unix:///nonexistent/socket")
        for call in (bus.ping(), bus.read({"a": "0-0"}, 1, 0), bus.claim("x")):
            with pytest.raises(BusError):
                await call
        await bus.close()

    asyncio.run(main())
