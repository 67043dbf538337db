"""Live feeds against the TWS simulator: what it sends is queued once; breaks, refusals and full queues are told."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest

from engines.data.simulators import tws_book
from engines.data.simulators.tws import Behaviour, TwsSimulator
from engines.data.sources.ibkr_ladder import Ladder
from engines.data.sources.ibkr_link import Trade
from engines.marketdata.feeds.live import Desk, LiveFeed, World
from engines.marketdata.feeds.request import FeedSpec
from engines.wire.ticks import to_units


async def quickly(_: float) -> None:
    await asyncio.sleep(0.01)


def feeds_of(symbols: str, env: dict[str, str], *, depth: bool = False) -> list[LiveFeed]:
    world = World(time.monotonic_ns, time.time_ns, env, quickly)
    return [LiveFeed(FeedSpec(symbol, "ibkr", depth=depth), n, world) for n, symbol in enumerate(symbols.split(), 1)]


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not happen within 5 s")


class Session:
    """A simulator and the desk of feeds that it serves."""

    def __init__(self, symbols: str, *, depth: bool = False, most_queued: int = 10_000, **changes: Any) -> None:
        self.tws = TwsSimulator(Behaviour(**{"pace_s": 0.001} | changes))
        self.env = {"IB_HOST": "127.0.0.1"}
        self.feeds = feeds_of(symbols, self.env, depth=depth)
        self.desk = Desk(self.feeds, World(time.monotonic_ns, time.time_ns, self.env, quickly), most_queued)

    async def __aenter__(self) -> "Session":
        await self.tws.start()
        self.env["IB_PORT"] = str(self.tws.port)
        self.task = asyncio.create_task(self.desk.run(simulated=False))
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self.task.done():
            self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(self.task, 5)
        await self.tws.close()


def test_five_symbols_stream_over_one_connection() -> None:
    async def work() -> None:
        async with Session("AAPL AMZN GOOG IBM MSFT") as session:
            await until(lambda: min(feed.queued for feed in session.feeds) >= 30)
            assert len(session.tws.ids) == 1
            for index, feed in enumerate(session.feeds, 1):
                taken = feed.take(0)
                assert taken is not None
                assert taken.seq.tolist() == list(range(1, taken.ts.size + 1))
                sent = list(itertools.islice(tws_book.trades(feed.spec.symbol, 1), taken.trades.size))
                assert taken.trades["price"].tolist() == [to_units(price) for _, price, _ in sent]
                assert taken.trades["size"].tolist() == [size for _, _, size in sent]
                assert set(taken.trades["symbol"]) == {index}
                assert set(taken.trades["side"]) <= {1, -1}
                assert feed.take(0) is None or feed.queued == 0

    asyncio.run(work())


def test_depth_brings_the_touch_and_counts_resets() -> None:
    async def work() -> None:
        async with Session("IBM", depth=True, reset_after=3) as session:
            (feed,) = session.feeds
            quotes: list[tuple[int, ...]] = []

            def enough() -> bool:
                taken = feed.take(0)
                if taken is not None:
                    quotes.extend(taken.quotes.tolist())
                return len(quotes) > 10

            await until(enough)
            assert feed.resets == 1
            touches = {
                (to_units(b.bids[0].price), to_units(b.asks[0].price), b.bids[0].size, b.asks[0].size)
                for b in session.tws.sent["IBM"]
                if isinstance(b, tws_book.Book)
            }
            assert {quote[2:] for quote in quotes} <= touches

    asyncio.run(work())


def test_a_connection_that_breaks_is_made_again() -> None:
    events = [tws_book.Book(asks=(tws_book.Level(2.0, 1),)), tws_book.Drop()]

    async def work() -> None:
        async with Session("IBM", depth=True, events=lambda symbol, rows: iter(events)) as session:
            (feed,) = session.feeds
            await until(lambda: session.tws.received[71] >= 3)
            assert feed.breaks >= 2
            assert not feed.over

    asyncio.run(work())


def test_what_tws_refuses_ends_one_feed() -> None:
    async def work() -> None:
        async with Session("AAPL X1 IBM", refuse={"IBM": 354}) as session:
            await until(lambda: session.feeds[0].queued > 20)
            assert [feed.over for feed in session.feeds] == [False, True, True]
            assert ["200" in feed.error or "354" in feed.error for feed in session.feeds] == [False, True, True]
            session.desk.stop("AAPL")
            await asyncio.wait_for(session.task, 5)

    asyncio.run(work())


def test_a_full_queue_stops_the_socket_and_loses_nothing() -> None:
    async def work() -> None:
        async with Session("IBM", pace_s=0.0, most_queued=200) as session:
            (feed,) = session.feeds
            await until(lambda: feed.pauses == 1)
            await asyncio.sleep(0.05)
            held = feed.queued
            await asyncio.sleep(0.05)
            assert feed.queued == held
            prices: list[int] = []

            def enough() -> bool:
                taken = feed.take(0)
                if taken is not None:
                    prices.extend(taken.trades["price"].tolist())
                session.desk.relieve()
                return len(prices) >= 3_000

            await until(enough)
            wanted = itertools.islice(tws_book.trades("IBM", 1), len(prices))
            assert prices == [to_units(price) for _, price, _ in wanted]

    asyncio.run(work())


def test_nobody_listening_is_tried_again() -> None:
    async def work() -> None:
        env = {"IB_PORT": "1"}
        feeds = feeds_of("IBM", env)
        task = asyncio.create_task(
            Desk(feeds, World(time.monotonic_ns, time.time_ns, env, quickly)).run(simulated=False)
        )
        await until(lambda: "No TWS at" in feeds[0].error)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())


def test_the_touch_is_published_when_it_changes() -> None:
    (feed,) = feeds_of("IBM", {})
    ladder = Ladder()
    ladder.apply(0, 0, 0, 10.0, 5)
    feed.add_book(ladder)
    assert feed.queued == 0
    ladder.apply(0, 0, 1, 9.0, 5)
    feed.add_book(ladder)
    feed.add_book(ladder)
    ladder.apply(1, 0, 1, 8.0, 5)
    feed.add_book(ladder)
    assert feed.queued == 1
    feed.add_trades([Trade(10.0, 1.0), Trade(9.5, 2.0), Trade(9.5, 3.0)])
    taken = feed.take(0)
    assert taken is not None
    assert taken.quotes.tolist()[0][2:] == (90_000, 100_000, 5, 5)
    assert taken.trades["side"].tolist() == [1, -1, -1]
