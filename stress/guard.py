"""Watches a mission for its abort conditions: a listener of its progress, between the run and who shows it."""

import asyncio
import time
from collections.abc import Callable, Mapping

from reports import records
from stress import abort
from stress.history.stamp import stamp
from stress.mission import Mission
from stress.profiler.sampler import pss_of
from stress.progress import Listener, Progress

_WEIGH_S = 2.0  # between two readings of the fleet's memory, which cost tens of milliseconds


class Guard:
    """Hands all progress on, and calls `on_abort` once when a condition has held; `held` says which."""

    def __init__(self, mission: Mission, pids: Callable[[], Mapping[str, int]], on_progress: Listener) -> None:
        self.held: records.Abort | None = None
        self.on_abort: Callable[[records.Abort], None] | None = None
        self._aborts = abort.Aborts(abort.conditions(mission.abort, mission.phases))
        self._weighs = "memory_mb" in self._aborts.metrics
        self._pids = pids
        self._on_progress = on_progress
        self._weighed = 0.0
        self._weighing: asyncio.Future[float | None] | None = None

    @property
    def words(self) -> str:
        """Why the mission was aborted; empty when it was not."""
        if self.held is None:
            return ""
        seconds = (self.held.at_ns - self.held.since_ns) / 1e9
        return f"{self.held.condition} (phase {self.held.phase}: last {self.held.value:g}, held for {seconds:.1f} s)"

    def __call__(self, progress: Progress) -> None:
        """Look at what it shows, and hand it on."""
        self._on_progress(progress)
        if progress.load is not None:
            self._saw(progress.phase, abort.of_second(progress.load), progress.load.at_ns)
        if progress.engines is not None:
            self._saw(progress.phase, abort.of_round(progress.engines), time.monotonic_ns())
            if self._weighs and time.monotonic() - self._weighed >= _WEIGH_S:
                self._weigh(progress.phase)

    def _weigh(self, phase: str) -> None:
        """Read the fleet's memory on a thread."""
        if self._weighing is not None and not self._weighing.done():
            return
        self._weighed = time.monotonic()
        self._weighing = asyncio.get_running_loop().run_in_executor(None, self._memory)
        self._weighing.add_done_callback(lambda done: self._told(phase, done))

    def _told(self, phase: str, done: "asyncio.Future[float | None]") -> None:
        if not done.cancelled() and done.exception() is None:
            megabytes = done.result()
            if megabytes is not None:
                self._saw(phase, {"memory_mb": megabytes}, time.monotonic_ns())

    def _memory(self) -> float | None:
        """Of all processes; None when one of them ended meanwhile."""
        sizes = [pss_of(pid) for pid in self._pids().values()]
        known = [size for size in sizes if size is not None]
        return sum(known) / 1e6 if known and len(known) == len(sizes) else None

    def _saw(self, phase: str, values: Mapping[str, float | None], at_ns: int) -> None:
        held = None if self.held is not None else self._aborts.saw(at_ns, phase, values)
        if held is None:
            return
        self.held = records.Abort(
            **stamp(),
            phase=phase,
            condition=held.condition.text,
            value=held.value,
            since_ns=held.since_ns,
            at_ns=held.at_ns,
        )
        if self.on_abort is not None:
            self.on_abort(self.held)
