"""Several generator processes as one: they begin each phase together, and their seconds are heard as one."""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from stress.load import child as children
from stress.load.child import Child
from stress.load.errors import LoadError
from stress.load.merge import Seconds
from stress.load.plan import LoadPlan, part_of
from stress.load.result import LoadReady, LoadResult, LoadSecond, LoadWaiting

LEAD_NS = 50_000_000  # from telling the last process to a phase's first instant

OnLine = Callable[[LoadSecond], None]
OnReady = Callable[[LoadReady], None]


class Crew:
    """The processes of one plan; `on_line` hears their merged seconds, `on_ready` once that all are ready."""

    def __init__(self, plan: LoadPlan, on_line: OnLine, on_ready: OnReady | None) -> None:
        self._plan, self._on_line, self._on_ready = plan, on_line, on_ready
        self._children: list[Child] = []
        self._talks: list[asyncio.Future[LoadResult]] = []
        self._ready: list[LoadReady] = []
        self._waiting = 0
        self._earliest_ns = plan.start_ns
        self.seconds = Seconds(plan)

    async def start(self, folders: Sequence[Path], generator: str) -> None:
        """One process a folder, and its part of the plan to each."""
        for k, folder in enumerate(folders):
            child = await children.start(folder, generator, "+" if self._plan.processes > 1 else "-")
            self._children.append(child)
            self._talks.append(asyncio.ensure_future(self._follow(k, child)))

    async def _follow(self, k: int, child: Child) -> LoadResult:
        try:
            return await children.talk(child, part_of(self._plan, k), _Ear(self, k))
        except LoadError as error:
            if self._plan.processes == 1:
                raise
            who = f"It was process {k + 1} of {self._plan.processes}."
            raise LoadError(error.what, f"{error.why} {who}".strip(), error.next_step) from error

    async def results(self, stop: asyncio.Event | None) -> list[LoadResult]:
        """What each process measured.  Raises LoadError as soon as one fails."""
        stopper = asyncio.ensure_future(self._stop_when_set(stop))
        try:
            found = await asyncio.gather(*(asyncio.shield(talk) for talk in self._talks))
        finally:
            stopper.cancel()
        self._say(self.seconds.rest())
        return list(found)

    async def _stop_when_set(self, stop: asyncio.Event | None) -> None:
        if stop is not None:
            await stop.wait()
            for child in self._children:
                children.stop(child)

    async def end(self, grace_s: float) -> None:
        """Nothing of it runs afterwards."""
        pairs = zip(self._children, self._talks, strict=True)
        await asyncio.gather(*(children.end(*pair, grace_s) for pair in pairs))

    def second(self, k: int, line: LoadSecond) -> None:
        """Of process `k`."""
        self._say(self.seconds.add(k, line))

    def _say(self, lines: Sequence[LoadSecond]) -> None:
        for line in lines:
            self._on_line(line)

    def ready(self, line: LoadReady) -> None:
        """Of one process; said once all are."""
        self._ready.append(line)
        if len(self._ready) == self._plan.processes and self._on_ready is not None:
            wanted, opened = sum(each.wanted for each in self._ready), sum(each.open for each in self._ready)
            self._on_ready(LoadReady(wanted, opened, max(each.seconds for each in self._ready)))

    def waiting(self) -> None:
        """When all processes wait, all are told the same instant."""
        self._waiting += 1
        if self._waiting < self._plan.processes:
            return
        self._waiting = 0
        self._say(self.seconds.rest())
        begin = max(self._earliest_ns, time.monotonic_ns() + LEAD_NS)
        self._earliest_ns = 0
        for child in self._children:
            children.tell(child, b"%d" % begin)


class _Ear:
    """Listens to one process."""

    def __init__(self, crew: Crew, k: int) -> None:
        self._crew, self._k = crew, k

    def second(self, line: LoadSecond) -> None:
        self._crew.second(self._k, line)

    def ready(self, line: LoadReady) -> None:
        self._crew.ready(line)

    def waiting(self, _: LoadWaiting) -> None:
        self._crew.waiting()
