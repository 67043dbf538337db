"""Runs the feeds of one marketdata process: at most one set at a time, published as a session of their own.

A round takes what is due of every feed, observes it, merges it into one time order and publishes it; the next round
begins when that is on the bus.  So a slow bus makes rounds longer and later, which is counted, and drops nothing.
"""

import asyncio
import datetime as dt
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from engines.kit.origin import Origin
from engines.marketdata.builder import build
from engines.marketdata.day import Day
from engines.marketdata.feeds import live, stored
from engines.marketdata.feeds.config import SCENARIO, FeedsConfig
from engines.marketdata.feeds.feed import Feed
from engines.marketdata.feeds.merge import merge
from engines.marketdata.feeds.request import FeedsRequest, FeedsStatus, FeedStatus, Phase
from engines.marketdata.feeds.state import FeedState, age_s, observe, rate
from engines.marketdata.publisher import Item, Publisher
from engines.marketdata.request import ReplayRequest
from engines.wire.bundle import INDEX
from engines.wire.bus import parse_id
from engines.wire.errors import NautilusError, UsageError
from engines.wire.health import Check
from engines.wire.messages import Session

log = logging.getLogger(__name__)
Compute = Callable[[Callable[[], stored.StoredFeed]], Awaitable[stored.StoredFeed]]
_NEVER = FeedsStatus()
_NOBODY = Origin("", 0)
_CENT = 100  # 1/10,000 of a currency unit


@dataclass(frozen=True)
class Edge:
    """What the desk needs of the world; tests give their own."""

    build: Callable[[ReplayRequest], Awaitable[Day]] = build
    mono_ns: Callable[[], int] = time.monotonic_ns
    wall_ns: Callable[[], int] = time.time_ns
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass
class _Running:
    """One set of feeds."""

    request: FeedsRequest
    feeds: Sequence[Feed]
    live: live.Desk | None
    began_ns: int
    states: dict[str, FeedState] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)
    latest: tuple[int, int] = (0, 0)  # market times up to which trades and quotes are out
    number: int = 1  # of the last batch

    def over(self) -> bool:
        """No feed has anything to come."""
        return all(feed.over or feed.spec.symbol in self.stopped for feed in self.feeds)


class FeedDesk:
    """The feeds.  `start` and `stop` ask; `run` does, and is one of the engine's sources."""

    def __init__(self, config: FeedsConfig | None = None, edge: Edge | None = None) -> None:
        self._config = config or FeedsConfig()
        self._edge = edge or Edge()
        self._wanted: FeedsRequest | None = None
        self._origin = _NOBODY  # the request over HTTP that asked
        self._running: _Running | None = None
        self._totals = _NEVER

    def keep_time(self, wall_ns: Callable[[], int]) -> None:
        """Stamp what live feeds bring with this clock (Unix time, nanoseconds) from the next request on."""
        self._edge = replace(self._edge, wall_ns=wall_ns)

    @property
    def busy(self) -> bool:
        """Feeds run, or are about to."""
        return self._wanted is not None or self._totals.state in ("starting", "running")

    def start(self, request: FeedsRequest, origin: Origin | None = None) -> FeedsStatus:
        """Ask for feeds; `origin` is the request over HTTP that does.

        Raises:
            UsageError: some run already, or these cannot run together.
        """
        if self.busy:
            raise UsageError("Feeds are running.", "There is one set at a time.", "POST /feeds/{symbol}/stop first.")
        request.check()
        self._wanted, self._running, self._origin = request, None, origin or _NOBODY
        self._totals = FeedsStatus(state="starting", speed=request.speed, request=self._origin.request)
        return self._totals

    def stop(self, symbol: str) -> FeedsStatus:
        """End a feed; the session closes with the last one.

        Raises:
            UsageError: there is no such feed, or it ended.
        """
        running = self._running
        if running is None or self._totals.state != "running":
            raise UsageError("No feed is running.", "", "POST /feeds first.")
        known = [feed.spec.symbol for feed in running.feeds if not feed.over]
        if symbol not in known or symbol in running.stopped:
            raise UsageError(f"No feed of {symbol} is running.", f"Running: {', '.join(known) or 'none'}.")
        running.stopped.add(symbol)
        if running.live is not None:
            running.live.stop(symbol)
        return self.status()

    def status(self) -> FeedsStatus:
        """All feeds now."""
        if self._running is None:
            return self._totals
        now = self._edge.mono_ns()
        found = tuple(_status(self._running, feed, now) for feed in self._running.feeds)
        return msgspec.structs.replace(self._totals, feeds=found)

    def check(self) -> Check:
        """The health check: a stale or failed feed, or a bus that holds the feeds up, warns."""
        status = self.status()
        if status.state == "failed":
            return Check("feeds", "warn", status.error)
        if status.state != "running":
            return Check("feeds", "ok", status.state)
        bad = [f"{feed.symbol} is {feed.phase}" for feed in status.feeds if feed.phase in ("stale", "failed")]
        if status.behind_ms is not None and status.behind_ms > self._config.stall_s * 1e3:
            bad.append(f"{status.behind_ms:.0f} ms behind")
        return Check("feeds", "warn" if bad else "ok", ", ".join(bad) or f"{len(status.feeds)} feeds")

    def counters(self) -> dict[str, int]:
        """What feeds did since this process started them last."""
        status = self.status()
        own = {name: getattr(status, name) for name in ("ticks", "messages", "stalls", "restamped")}
        of_feeds = {
            name: sum(getattr(f, name) for f in status.feeds) for name in ("missing", "reordered", "pauses", "breaks")
        }
        return {f"feed_{name}": value for name, value in (own | of_feeds).items()}

    # --------------------------------------------------------------------------------------------- source
    async def run(self, publisher: Callable[[], Publisher | None], compute: Compute, stop: asyncio.Event) -> None:
        """Serve requests until the engine stops; a set of feeds that fails is told and does not end the engine."""
        while not stop.is_set():
            request, to = self._wanted, publisher()
            if request is not None and to is not None:
                try:
                    await self._serve(request, to, compute, stop)
                except NautilusError as error:
                    log.error("the feeds failed: %s", error)
                    self._totals = msgspec.structs.replace(self._totals, state="failed", error=str(error))
                finally:
                    self._wanted = None
            await self._edge.sleep(self._config.idle_s)

    async def _serve(self, request: FeedsRequest, to: Publisher, compute: Compute, stop: asyncio.Event) -> None:
        running = self._running = await self._open(request, compute)
        positions = await to.positions()
        replay = max(parse_id(last)[0] for last in positions.values()) + 1
        self._totals = FeedsStatus(state="running", replay=replay, speed=request.speed, request=self._origin.request)
        await self._tell(running, to, "open")
        began = self._edge.mono_ns() + round(self._config.lead_s * 1e9)
        running.began_ns = began
        held = [feed for feed in running.feeds if isinstance(feed, stored.StoredFeed)]
        for feed in held:
            feed.begin(began, min(each.first_ts for each in held), request.speed)
        streaming = self._stream(running, request)
        try:
            while not running.over() and not stop.is_set():
                await self._round(running, to)
                if streaming is not None and streaming.done():
                    streaming.result()  # a mistake of ours ends the engine, as everywhere
        finally:
            if streaming is not None:
                streaming.cancel()
                await asyncio.gather(streaming, return_exceptions=True)
        await self._tell(running, to, "close")
        self._totals = msgspec.structs.replace(self._totals, state="closed")

    def _stream(self, running: _Running, request: FeedsRequest) -> "asyncio.Task[None] | None":
        if running.live is None:
            return None
        simulated = request.feeds[0].source == "ibkr-simulated"
        return asyncio.create_task(running.live.run(simulated=simulated))

    async def _open(self, request: FeedsRequest, compute: Compute) -> _Running:
        """The feeds, loaded.  Raises NautilusError."""
        world = live.World(self._edge.mono_ns, self._edge.wall_ns, os.environ, self._edge.sleep)
        found: list[Feed] = []
        day: Day | None = None
        for index, spec in enumerate(request.feeds, 1):  # place 0 is the index, which is never traded
            if spec.source == "tape":
                day = day or await self._edge.build(request.tape)
                found.append(stored.from_day(spec, day, index))
            elif spec.source == "file":
                found.append(await compute(lambda spec=spec, index=index: stored.from_file(spec, index)))  # type: ignore[misc] # mypy cannot type a lambda's defaults
            else:
                found.append(live.LiveFeed(spec, index, world))
        own = [feed for feed in found if isinstance(feed, live.LiveFeed)]
        _check_overlap([feed for feed in found if isinstance(feed, stored.StoredFeed)])
        return _Running(request, found, live.Desk(own, world) if own else None, self._edge.mono_ns())

    async def _round(self, running: _Running, to: Publisher) -> None:
        """Publish what is due, then wait until something may be."""
        now = self._edge.mono_ns()
        taken = []
        for feed in running.feeds:
            symbol = feed.spec.symbol
            part = None if symbol in running.stopped else feed.take(now)
            if part is not None:
                running.states[symbol] = observe(running.states.get(symbol, FeedState()), part.seq, part.ts, now)
                taken.append(part)
        if running.live is not None:
            running.live.relieve()
        if taken:
            made = merge(taken, _symbols(running.request), running.latest, self._config.most_rows)
            running.latest = (made.trades_ns, made.quotes_ns)
            due = min(part.due_ns for part in taken)
            replay, trace = self._totals.replay, self._trace()
            numbered = enumerate(made.messages, running.number + 1)
            await to.publish([Item(replay, number, trace, ts, due, body) for number, (body, ts) in numbered])
            running.number += len(made.messages)
            self._count(made.ticks, len(made.messages), made.restamped, self._edge.mono_ns() - due)
        await self._edge.sleep(self._pause(running, now))

    def _pause(self, running: _Running, began_ns: int) -> float:
        now = self._edge.mono_ns()
        known = [at for feed in running.feeds if (at := feed.next_ns()) is not None]
        wait = (min(known) - now) / 1e9 if known else 0.0
        least = self._config.flush_s - (now - began_ns) / 1e9
        return max(0.0, least, min(wait, self._config.idle_s))

    def _count(self, ticks: int, messages: int, restamped: int, late_ns: int) -> None:
        before, late_ms = self._totals, late_ns / 1e6
        self._totals = msgspec.structs.replace(
            before,
            ticks=before.ticks + ticks,
            messages=before.messages + messages,
            restamped=before.restamped + restamped,
            behind_ms=late_ms,
            behind_max_ms=max(before.behind_max_ms or 0.0, late_ms),
            backlog=ticks,
            backlog_max=max(before.backlog_max, ticks),
            stalls=before.stalls + (late_ms > self._config.stall_s * 1e3),
        )

    async def _tell(self, running: _Running, to: Publisher, event: str) -> None:
        """The session message: nothing may be ordered against feeds."""
        first = min(
            (f.first_ts for f in running.feeds if isinstance(f, stored.StoredFeed)), default=self._edge.wall_ns()
        )
        ts_ns = max(running.latest) or first
        symbols = _symbols(running.request)
        body = Session(
            event="open" if event == "open" else "close",
            scenario=SCENARIO,
            date=dt.datetime.fromtimestamp(first / 1e9, dt.UTC).date().isoformat(),
            symbols=symbols,
            orderable=(),
            seed=0,
            digest="",
            speed=running.request.speed,
            tick_sizes=(_CENT,) * len(symbols),
            multipliers=(1,) * len(symbols),
            request=self._origin.request,
            requested_ns=self._origin.arrived_ns,
        )
        running.number += event == "close"
        await to.publish([Item(self._totals.replay, running.number, self._trace(), ts_ns, 0, body)])

    def _trace(self) -> str:
        return f"r{self._totals.replay}/feeds"


def _symbols(request: FeedsRequest) -> tuple[str, ...]:
    return (INDEX, *(spec.symbol for spec in request.feeds))


def _check_overlap(feeds: Sequence[stored.StoredFeed]) -> None:
    """Raises UsageError unless all stored feeds have some market time in common."""
    if feeds and max(feed.first_ts for feed in feeds) > min(feed.last_ts for feed in feeds):
        spans = ", ".join(f"{f.spec.symbol} {_utc(f.first_ts)} to {_utc(f.last_ts)}" for f in feeds)
        raise UsageError("The feeds have no market time in common.", f"{spans} (UTC).", "Replay them one by one.")


def _utc(ts_ns: int) -> str:
    return f"{dt.datetime.fromtimestamp(ts_ns / 1e9, dt.UTC):%Y-%m-%d %H:%M:%S}"


def _status(running: _Running, feed: Feed, now_ns: int) -> FeedStatus:
    symbol = feed.spec.symbol
    state = running.states.get(symbol, FeedState())
    return FeedStatus(
        symbol=symbol,
        source=feed.spec.source,
        phase=phase(running, feed, state, now_ns),
        ticks=state.ticks,
        total=feed.total,
        seq=state.seq,
        ts_ns=state.ts_ns,
        missing=state.missing,
        reordered=state.reordered,
        out_of_order=state.out_of_order,
        age_s=age_s(state, now_ns),
        longest_s=state.longest_ns / 1e9,
        rate=rate(state, now_ns),
        peak_rate=state.peak_rate,
        sides_inferred=feed.sides_inferred,
        pauses=feed.pauses,
        resets=feed.resets,
        breaks=feed.breaks,
        error=feed.error,
    )


def phase(running: _Running, feed: Feed, state: FeedState, now_ns: int) -> Phase:
    """Where a feed stands.  Silence counts from when its next tick was due, or where nobody knows, from the last."""
    if feed.spec.symbol in running.stopped:
        return "stopped"
    if feed.over:
        return "failed" if feed.error else "finished"
    since = max(state.seen_ns or running.began_ns, feed.next_ns() or 0)
    if (now_ns - since) / 1e9 > feed.spec.stale_s:
        return "stale"
    return "live" if state.ticks else "waiting"
