"""Live feeds from Interactive Brokers: one connection serves all of them, and is made again when it breaks.

A feed's queue is bounded: when it is full the connection's socket is not read until the bus has caught up, so nothing
is dropped here and TWS sees the back-pressure.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import numpy as np

from engines.data.sources import ibkr
from engines.data.sources.endpoint import Endpoint, published
from engines.data.sources.errors import SourceError
from engines.data.sources.ibkr_errors import NAME
from engines.data.sources.ibkr_ladder import Ladder
from engines.data.sources.ibkr_link import Link, Trade
from engines.marketdata.feeds.feed import NO_QUOTES, NO_TRADES, Taken
from engines.marketdata.feeds.request import FeedSpec
from engines.wire.ticks import QUOTE, TRADE, Rows, to_units

log = logging.getLogger(__name__)
MOST_QUEUED = 65_536
_ROWS = 5  # of depth; the touch is what is published
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class World:
    """What live feeds need besides TWS: clocks in nanoseconds, sleep, the environment."""

    mono_ns: Callable[[], int]
    wall_ns: Callable[[], int]
    env: Mapping[str, str]
    sleep: Sleep = asyncio.sleep


class LiveFeed:
    """A symbol's queue between TWS and the bus.  Numbers count what came; TWS numbers nothing."""

    sides_inferred = True
    total: int | None = None

    def __init__(self, spec: FeedSpec, index: int, world: World) -> None:
        self.spec = spec
        self.pauses = 0
        self.resets = 0
        self.breaks = 0
        self.error = ""
        self.over = False
        self._index = index
        self._world = world
        self._trades: list[tuple[int, int, int, int, int]] = []
        self._quotes: list[tuple[int, int, int, int, int, int]] = []
        self._order: list[int] = []  # market times in the order of arrival
        self._seq = 0
        self._first_ns = 0
        self._last: tuple[int, int] = (0, 1)  # price and side of the last trade
        self._touch: tuple[int, int, int, int] | None = None

    @property
    def queued(self) -> int:
        """Ticks that wait."""
        return len(self._order)

    def add_trades(self, trades: Sequence[Trade]) -> None:
        """Trades as they came, stamped on arrival, since TWS's stamp is lost below; the side follows the tick rule."""
        now = self._world.wall_ns()
        for trade in trades:
            price = to_units(trade.price)
            before, side = self._last
            if before and price != before:
                side = 1 if price > before else -1
            self._last = (price, side)
            self._arrived(now)
            self._trades.append((now, self._index, side, price, round(trade.size)))

    def add_book(self, ladder: Ladder) -> None:
        """The touch, where it changed and both sides have one."""
        self.resets = ladder.resets
        if not (ladder.asks and ladder.bids):
            return
        bid, ask = ladder.bids[0], ladder.asks[0]
        touch = (to_units(bid.price), to_units(ask.price), round(bid.size), round(ask.size))
        if touch != self._touch:
            self._touch = touch
            now = self._world.wall_ns()
            self._arrived(now)
            self._quotes.append((now, self._index, *touch))

    def take(self, now_ns: int) -> Taken | None:  # noqa: ARG002 - a live tick is due when it is there
        """Everything that came."""
        if not self._order:
            return None
        ts = np.array(self._order, np.int64)
        seq = np.arange(self._seq - ts.size + 1, self._seq + 1)
        trades: Rows = np.array(self._trades, TRADE) if self._trades else NO_TRADES
        quotes: Rows = np.array(self._quotes, QUOTE) if self._quotes else NO_QUOTES
        self._trades, self._quotes, self._order = [], [], []
        return Taken(seq, ts, trades, quotes, self._first_ns)

    def next_ns(self) -> int | None:
        """Nobody knows."""
        return None

    def _arrived(self, ts_ns: int) -> None:
        if not self._order:
            self._first_ns = self._world.mono_ns()
        self._seq += 1
        self._order.append(ts_ns)


class Desk:
    """The live feeds of a session and their connection."""

    def __init__(self, feeds: Sequence[LiveFeed], world: World, most_queued: int = MOST_QUEUED) -> None:
        self._feeds = feeds
        self._world = world
        self._most = most_queued
        self._waiting = False
        self._link: Link | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self, *, simulated: bool) -> None:
        """Stream until cancelled; a broken connection is made again after 1, 2, 4 … 30 s."""
        async with AsyncExitStack() as stack:
            endpoint = await _simulator(stack) if simulated else published(NAME, self._world.env)
            pause_s = 1.0
            while not all(feed.over for feed in self._feeds):
                before = sum(feed.queued for feed in self._feeds)
                try:
                    await self._connected(endpoint)
                except SourceError as error:
                    log.warning("live feeds: %s", error)
                    for feed in self._feeds:
                        feed.error, feed.breaks = str(error), feed.breaks + 1
                if sum(feed.queued for feed in self._feeds) > before:
                    pause_s = 1.0
                await self._world.sleep(pause_s)
                pause_s = min(30.0, 2 * pause_s)

    def stop(self, symbol: str) -> None:
        """End one feed and its subscriptions."""
        for feed in self._feeds:
            feed.over = feed.over or feed.spec.symbol == symbol
        if symbol in self._tasks:
            self._tasks[symbol].cancel()

    def relieve(self) -> None:
        """Read the socket again once the queues are half empty."""
        if self._waiting and max(feed.queued for feed in self._feeds) <= self._most // 2:
            self._waiting = False
            if self._link is not None:
                self._link.pause(paused=False)

    def _check(self, feed: LiveFeed) -> None:
        if feed.queued >= self._most and not self._waiting:
            self._waiting = True
            feed.pauses += 1
            if self._link is not None:
                self._link.pause(paused=True)

    async def _connected(self, endpoint: Endpoint) -> None:
        async with Link(ibkr.address(endpoint, self._world.env)) as link:
            self._link, self._waiting = link, False
            wanted = [feed for feed in self._feeds if not feed.over]
            tasks = [asyncio.create_task(self._follow(link, feed)) for feed in wanted]
            self._tasks = {feed.spec.symbol: task for feed, task in zip(wanted, tasks, strict=True)}
            try:
                await together(tasks)
            finally:
                self._link = None
                self._tasks = {}

    async def _follow(self, link: Link, feed: LiveFeed) -> None:
        """One feed's subscriptions; what TWS refuses ends this feed only, a broken connection all of them."""

        def trades(found: list[Trade]) -> None:
            feed.error = ""
            feed.add_trades(found)
            self._check(feed)

        def book(ladder: Ladder) -> None:
            feed.add_book(ladder)
            self._check(feed)

        try:
            contract = await link.contract(feed.spec.symbol, "SMART", "USD")
            streams = [asyncio.create_task(link.stream_trades(contract, trades))]
            if feed.spec.depth:
                streams.append(asyncio.create_task(link.stream_depth(contract, _ROWS, book)))
            await together(streams)
        except SourceError as error:
            if error.transient:
                raise
            feed.error, feed.over = str(error), True


async def together(tasks: "Sequence[asyncio.Task[None]]") -> None:
    """Wait for all; the first that fails, or a cancellation, ends the others.

    Not a TaskGroup: one whose child fails at the moment of its own cancellation forgets that it was cancelled.
    """
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for result in ended:
        if isinstance(result, Exception):
            raise result


async def _simulator(stack: AsyncExitStack) -> Endpoint:
    """A TWS simulator that lives as long as `stack`."""
    from engines.data.simulators.tws import HOST, TwsSimulator

    simulator = TwsSimulator()
    await simulator.start()
    stack.push_async_callback(simulator.close)
    return Endpoint(source=NAME, urls={"api": f"tcp://{HOST}:{simulator.port}"}, simulated=True)
