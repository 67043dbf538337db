"""Who asks for replays and sees to them.  Start-up is recovery: an unfinished replay goes on where its streams end.

Everything that a restart needs stands in the streams: the last session message names scenario, seed and window, and in
the window its header names the instant at which that began; each topic's last id says what is out.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import msgspec

from engines.kit.origin import Origin
from engines.kit.runtime import Runtime
from engines.marketdata import followers
from engines.marketdata.builder import build
from engines.marketdata.config import ReplayConfig
from engines.marketdata.day import Day
from engines.marketdata.feeds.config import SCENARIO as FEEDS
from engines.marketdata.kept import KeptDay
from engines.marketdata.lob import book
from engines.marketdata.publisher import TOPICS, Item, Publisher, Retry, Sleep
from engines.marketdata.replay import Replay, ReplayStatus
from engines.marketdata.request import ReplayRequest, again
from engines.marketdata.schedule import plan
from engines.wire.bus import parse_id
from engines.wire.errors import BusError, DataError, NautilusError, UsageError
from engines.wire.manifest import discover
from engines.wire.messages import Header, Session, decode, decode_header

S = TypeVar("S")
log = logging.getLogger(__name__)

_POLL_S = 0.05
_FARTHEST_S = 600.0


class Interrupted(NamedTuple):
    """A replay whose close is not in the stream."""

    replay: int
    batch: int  # number of its last session message
    header: Header
    session: Session
    sent_ns: int  # CLOCK_MONOTONIC instant of its newest message


@dataclass(frozen=True)
class Edge:
    """What the player needs of the world besides the buses; tests give their own."""

    build: Callable[[ReplayRequest], Awaitable[Day]] = build
    sleep: Sleep = asyncio.sleep
    warm: Callable[[], None] = book.warm


class Player:
    """The replays of one marketdata process: at most one at a time."""

    def __init__(self, config: ReplayConfig | None = None, edge: Edge | None = None) -> None:
        self._config = config or ReplayConfig()
        self._edge = edge or Edge()
        self._retry = Retry(self._edge.sleep, self._config.retry_s)
        self._wanted: tuple[ReplayRequest, Origin | None] | None = None
        self._building: asyncio.Task[Day] | None = None
        self._stopping = False
        self.publisher: Publisher | None = None  # once what a former process began is finished
        self.status = ReplayStatus()

    # ------------------------------------------------------------------------------------------- requests
    def start(self, request: ReplayRequest, now_ns: int, origin: Origin | None = None) -> ReplayStatus:
        """Ask for a replay; `now_ns` is CLOCK_MONOTONIC, `origin` the request over HTTP that does.

        Raises:
            UsageError: one is under way, or the request makes no scenario.
        """
        if self._wanted is not None or self.status.state in ("building", "running"):
            raise UsageError("A replay is under way.", "There is one tape at a time.", "POST /replay/stop first.")
        request.resolve()
        ahead = (request.window_at_ns - now_ns) / 1e9
        if request.window_at_ns and not 0 <= ahead <= _FARTHEST_S:
            raise UsageError(
                f"The window cannot begin in {ahead:.1f} s.",
                f"window_at_ns is CLOCK_MONOTONIC and may lie up to {_FARTHEST_S:.0f} s ahead.",
            )
        self._wanted = request, origin
        self.status = _building(request, origin)
        return self.status

    def stop(self, origin: Origin | None = None) -> ReplayStatus:
        """End the replay under way: its session closes now.

        Raises:
            UsageError: none is under way.
        """
        if self.status.state not in ("building", "running"):
            raise UsageError("No replay is under way.", f"The last one is {self.status.state}.", "POST /replay first.")
        self._stopping = True
        if origin is not None:
            self.status.stop_request, self.status.stop_requested_ns = origin
        if self._building is not None:
            self._building.cancel()
        return self.status

    # --------------------------------------------------------------------------------------------- source
    async def run(self, runtime: Runtime[S]) -> None:
        """Serve requests until the engine stops; first finish what a former process began."""
        while runtime.holder.epoch == 0:  # the consumer has not claimed yet
            await self._edge.sleep(_POLL_S)
        name = runtime.manifest.name
        epoch, halted = (lambda: runtime.holder.epoch), runtime.halted.is_set
        publisher = Publisher(runtime.market, name, epoch, runtime.mono_ns, self._retry, halted)
        unfinished = await self._unfinished(runtime)
        if unfinished is not None and unfinished.session.scenario == FEEDS:
            await self._close(publisher, unfinished)  # feeds are started again by whoever wants them
        elif unfinished is not None:
            session = unfinished.session
            asked = Origin(session.request, session.requested_ns) if session.request else None
            await self._attempt(runtime, publisher, again(session), unfinished, asked)
        self.publisher = publisher
        while not runtime.stop.is_set():
            wanted, self._wanted = self._wanted, None
            if wanted is not None:
                request, origin = wanted
                await self._attempt(runtime, publisher, request, None, origin)
            await self._edge.sleep(_POLL_S)

    async def _unfinished(self, runtime: Runtime[S]) -> Interrupted | None:
        """The replay that a former process left, from the streams."""
        while True:
            try:
                newest = [entry for topic in TOPICS if (entry := await runtime.market.last(topic)) is not None]
                break
            except BusError as error:
                await self._retry.wait(error)
        for entry in newest:
            if entry.topic == "sessions":
                message = decode(*entry)
                replay, batch = parse_id(entry.id)
                self.status.replay = replay
                if isinstance(message.body, Session) and message.body.event != "close":
                    sent_ns = max(decode_header(other.header).mono_sent for other in newest)
                    return Interrupted(replay, batch, message.header, message.body, sent_ns)
        return None

    async def _attempt(
        self,
        runtime: Runtime[S],
        publisher: Publisher,
        request: ReplayRequest,
        unfinished: Interrupted | None,
        origin: Origin | None,
    ) -> None:
        """One replay, whose failure is told and does not end the engine."""
        before = self.status
        status = self.status = _building(request, origin)
        if self._stopping:
            status.stop_request, status.stop_requested_ns = before.stop_request, before.stop_requested_ns
        try:
            if unfinished is not None:
                status.replay, status.resumed = unfinished.replay, True
                self._check_age(unfinished, runtime.mono_ns())
            warming = asyncio.ensure_future(runtime.compute(self._edge.warm))
            day = await self._day(runtime, request, unfinished)
            await warming  # numba takes most of a second to load: no tick before it, so that no order waits for it
            if day is not None:
                await self._play(runtime, publisher, day, unfinished)
            else:
                status.state, status.stopped = "finished", True
                await self._close(publisher, unfinished)
        except (NautilusError, ValueError) as error:
            log.error("the replay failed: %s", error)
            status.state, status.error = "failed", str(error)
            await self._close(publisher, unfinished)
        finally:
            self._stopping = False
        if status.state in ("finished", "failed"):
            KeptDay(runtime.settings.state).drop()

    def _stops(self) -> bool:
        return self._stopping

    def _check_age(self, unfinished: Interrupted, now_ns: int) -> None:
        age = (now_ns - unfinished.sent_ns) / 1e9
        if not 0 <= age <= self._config.resume_s:
            raise DataError(
                f"Replay {unfinished.replay} was left unfinished too long ago.",
                f"It is resumed within {self._config.resume_s:.0f} s.",
                "Start a new one.",
            )

    async def _day(self, runtime: Runtime[S], request: ReplayRequest, unfinished: Interrupted | None) -> Day | None:
        """The day that the former process kept, else a new one, which is kept; None when its build was stopped."""
        kept = KeptDay(runtime.settings.state)
        if unfinished is not None:
            digest = unfinished.session.digest
            found = await runtime.compute(lambda: kept.read(request, digest))
            if found is not None:
                return found
        day = await self._build(request)
        if day is not None:
            await runtime.compute(lambda: kept.write(day))
        return day

    async def _build(self, request: ReplayRequest) -> Day | None:
        """The day, or None when the build was stopped."""
        if self._stops():
            return None
        self._building = asyncio.ensure_future(self._edge.build(request))
        try:
            return await self._building
        except asyncio.CancelledError:
            if self._stops():
                return None
            raise
        finally:
            self._building = None

    async def _play(self, runtime: Runtime[S], publisher: Publisher, day: Day, unfinished: Interrupted | None) -> None:
        batches = await runtime.compute(lambda: plan(day, self._config))
        window_ns = day.request.window_at_ns
        if unfinished is None:
            positions = await publisher.positions()
            self.status.replay = max(parse_id(last)[0] for last in positions.values()) + 1
        elif day.evidence.digest != unfinished.session.digest:
            raise DataError(
                f"Replay {unfinished.replay} cannot go on.", "The same seed gave another tape.", "Start a new one."
            )
        elif unfinished.session.event == "window":
            window_ns = unfinished.header.mono_intended
        consumers = followers.Followers(
            runtime.main, followers.of(discover()), runtime.mono_ns, self._config.patience_s
        )
        replay = Replay(runtime, publisher, consumers, self._config, self._retry, self.status)
        await replay.play(day, batches, window_ns, self._stops)

    async def _close(self, publisher: Publisher, unfinished: Interrupted | None) -> None:
        """Close the session of a replay that cannot go on."""
        if unfinished is None:
            return
        session = msgspec.structs.replace(unfinished.session, event="close")
        trace = unfinished.header.trace
        ts = unfinished.header.ts_event
        await publisher.publish([Item(unfinished.replay, unfinished.batch + 1, trace, ts, 0, session)])


def _building(request: ReplayRequest, origin: Origin | None) -> ReplayStatus:
    """The status of a replay that was just asked for, by the request over HTTP that did."""
    status = ReplayStatus("building", scenario=request.scenario, seed=request.seed)
    if origin is not None:
        status.request, status.requested_ns = origin
    return status
