"""One replay: a day's batches onto the market bus, each on its schedule and exactly once.

The window keeps its schedule whatever happens (lateness is measured, not hidden); outside it the replay waits for
consumers.  A replay that a crash interrupted goes on where its streams end, in the window by its first beginning.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Literal, TypeVar

import msgspec

from engines.kit.runtime import Runtime
from engines.marketdata.config import ReplayConfig
from engines.marketdata.day import Day, FindingRow, PinRow
from engines.marketdata.followers import Followers
from engines.marketdata.publisher import TOPICS, Item, Publisher, Retry
from engines.marketdata.schedule import Batch, SegmentName
from engines.wire.bus import parse_id
from engines.wire.errors import BusError
from engines.wire.messages import Body, Busts, Depths, Levels, MeasuredWindow, Quotes, Session, Trades

S = TypeVar("S")
Positions = Mapping[str, tuple[int, int]]
State = Literal["idle", "building", "running", "finished", "failed"]

_BODIES = (Trades, Quotes, Levels, Depths, Busts)
_LEAD_NS = 20_000_000  # the window begins so long after everything is ready
_POLL_S = 0.05


class ReplayStatus(msgspec.Struct):
    """Where the replay stands.  `behind_ms`: the largest lateness of a batch of the window against its schedule.

    `request`, `stop_request`: the ids of the requests that asked for it and for its end; `requested_ns` and
    `stop_requested_ns`: when these arrived, CLOCK_MONOTONIC.
    """

    state: State = "idle"
    replay: int = 0
    scenario: str = ""
    seed: int = 0
    segment: SegmentName | None = None
    ts_ns: int = 0
    speed: float = 0.0
    progress: float = 0.0
    digest: str = ""
    ticks: int = 0
    published: dict[str, int] = {}
    window: MeasuredWindow | None = None
    window_mono_ns: int = 0  # when the window began, CLOCK_MONOTONIC
    pins: tuple[PinRow, ...] = ()
    path: tuple[tuple[str, int, int], ...] = ()  # symbol, market ns, price; once finished
    behind_ms: float | None = None
    waited_ms: float = 0.0  # for consumers, outside the window
    resumed: bool = False
    stopped: bool = False
    released: tuple[str, ...] = ()  # pins that an overlay or an added halt released, and why
    counterfactual: bool = False
    findings: tuple[FindingRow, ...] = ()  # what overlays left in the tape
    error: str = ""
    request: str = ""
    requested_ns: int = 0
    stop_request: str = ""
    stop_requested_ns: int = 0


class Replay(Generic[S]):
    """Publishes the batches that are not in their streams yet.

    `window_ns`: when the window begins or began, CLOCK_MONOTONIC; 0 as soon as the consumers are ready.
    """

    def __init__(
        self,
        runtime: Runtime[S],
        publisher: Publisher,
        followers: Followers,
        config: ReplayConfig,
        retry: Retry,
        status: ReplayStatus,
    ) -> None:
        self._mono_ns = runtime.mono_ns
        self._publisher = publisher
        self._followers = followers
        self._config = config
        self._retry = retry
        self._status = status
        self._began_ns = 0  # of the segment

    async def play(self, day: Day, batches: Sequence[Batch], window_ns: int, stopping: Callable[[], bool]) -> None:
        """Publish to the close, or to the stop, which closes the session at once."""
        positions = {topic: parse_id(last) for topic, last in (await self._publisher.positions()).items()}
        self._show(day)
        segment: SegmentName | None = None
        for batch in batches:
            left = self._left(day, batch, positions)
            if not left:
                continue
            if batch.segment != segment:
                segment = batch.segment
                await self._enter(batch, window_ns, stopping)
            await self._pace(batch, stopping)
            if stopping():
                self._status.stopped = True
                await self._publish(day, _early_close(day, batch, batches[-1], self._status.ts_ns), positions)
                break
            await self._publish(day, batch, positions)
        self._status.state, self._status.path = "finished", day.evidence.path

    def _show(self, day: Day) -> None:
        status = self._status
        status.state, status.window, status.pins = "running", day.window, day.evidence.pins
        status.digest, status.ticks = day.evidence.digest, day.evidence.trades
        status.released, status.counterfactual = day.evidence.released, day.evidence.counterfactual
        status.findings = day.evidence.findings
        status.published = dict.fromkeys(TOPICS, 0)

    def _left(self, day: Day, batch: Batch, positions: Positions) -> list[Body]:
        """The messages of a batch that are not in their streams yet."""
        own = (self._status.replay, batch.number)
        bodies = messages(day, batch)
        left = [self._joined(body) for body in bodies if own > positions[body.TOPIC]]
        if not left:
            self._count(bodies)  # a former process published them
        return left

    def _joined(self, body: Body) -> Body:
        """A session's message with the request by which it came about."""
        if not isinstance(body, Session):
            return body
        status = self._status
        asked = (status.request, status.requested_ns)
        if status.stop_request and body.event == "close":
            asked = (status.stop_request, status.stop_requested_ns)
        return msgspec.structs.replace(body, request=asked[0], requested_ns=asked[1])

    async def _publish(self, day: Day, batch: Batch, positions: Positions) -> None:
        replay, trace = self._status.replay, f"r{self._status.replay}/{batch.segment}"
        intended = self._due_ns(batch) if batch.segment == "window" else 0
        left = self._left(day, batch, positions)
        await self._publisher.publish([Item(replay, batch.number, trace, batch.ts_ns, intended, body) for body in left])
        self._count(messages(day, batch))
        self._tell(day, batch)

    def _due_ns(self, batch: Batch) -> int:
        return self._began_ns + round(batch.due_s * 1e9)

    async def _enter(self, batch: Batch, window_ns: int, stopping: Callable[[], bool]) -> None:
        """Begin a segment: the window after its consumers caught up, any other one with its first batch."""
        if batch.segment != "window":
            self._began_ns = self._mono_ns() - round(batch.due_s * 1e9)
            return
        if batch.event == "window":
            until = self._mono_ns() + round(self._config.drain_s * 1e9)
            until = min(until, window_ns) if window_ns else until
            await self._caught_up(0, until, stopping)
            left_s = (window_ns - self._mono_ns()) / 1e9 if window_ns else self._config.settle_s
            await self._retry.sleep(max(0.0, min(left_s, self._config.settle_s)))
        self._began_ns = self._status.window_mono_ns = window_ns or self._mono_ns() + _LEAD_NS

    async def _pace(self, batch: Batch, stopping: Callable[[], bool]) -> None:
        """Wait until a batch is due, and outside the window for consumers that are too far behind."""
        while not stopping() and (early := self._due_ns(batch) - self._mono_ns()) > 0:
            await self._retry.sleep(min(early / 1e9, 20 * _POLL_S))
        if batch.segment != "window" and batch.number % self._config.check_every == 0:
            began = self._mono_ns()
            await self._caught_up(self._config.in_flight, 0, stopping)
            waited = self._mono_ns() - began
            self._began_ns += waited
            self._status.waited_ms += waited / 1e6

    async def _caught_up(self, most: int, until_ns: int, stopping: Callable[[], bool]) -> None:
        """Wait until every live consumer is `most` batches behind, or fewer; 0 for `until_ns` sets no limit."""
        while not stopping() and (until_ns == 0 or self._mono_ns() < until_ns):
            try:
                if await self._followers.behind(self._publisher.last) <= most:
                    return
            except BusError as error:
                await self._retry.wait(error)
            await self._retry.sleep(_POLL_S)

    def _count(self, bodies: Sequence[Body]) -> None:
        for body in bodies:
            self._status.published[body.TOPIC] += 1

    def _tell(self, day: Day, batch: Batch) -> None:
        status = self._status
        status.segment, status.ts_ns, status.speed = batch.segment, batch.ts_ns, batch.speed
        status.progress = min(1.0, max(0.0, (batch.ts_ns - day.open_ns) / (day.close_ns - day.open_ns)))
        if batch.segment == "window":
            status.behind_ms = max(status.behind_ms or 0.0, (self._mono_ns() - self._due_ns(batch)) / 1e6)


def _early_close(day: Day, instead_of: Batch, close: Batch, ts_ns: int) -> Batch:
    """The close in the place of a batch, at the market time `ts_ns` (0: nothing was published yet)."""
    return close._replace(number=instead_of.number, ts_ns=ts_ns or day.open_ns)


def messages(day: Day, batch: Batch) -> list[Body]:
    """The messages of a batch, in the order in which they are appended."""
    if batch.event is not None:
        return [day.session(batch.event, batch.speed)]
    symbols = day.scenario.symbols
    parts = zip(_BODIES, day.streams, batch.cuts, strict=True)
    return [body(symbols, rows[start:end].tobytes()) for body, rows, (start, end) in parts if start < end]
