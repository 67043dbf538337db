"""One run of a load plan: open, drive each phase, report every second, fold, write."""

import math
import resource
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stress.load.checks import mistake
from stress.load.errors import LoadError
from stress.load.generator import Generator
from stress.load.plan import LoadPlan, Phase
from stress.load.result import LoadLine, LoadReady, LoadResult, LoadSecond, Outcome, PhaseResult, ProcessResult
from stress.load.tables import BROKEN, LEAD_NS, OPEN, Bout, Mix, arrivals_of, bout_of
from stress.load.totals import row_counts, totals

SAMPLES_S = 0.05  # how often sampled replies are checked
SPARE_FILES = 64
SECOND_NS = 1_000_000_000

Counts = NDArray[np.int64]


@dataclass
class Watch:
    """What the watching thread learns while a phase is driven."""

    counted: Counts  # (2, targets, COLUMNS) of the seconds already reported
    bad: Counts  # (2, targets) replies counted as done whose body failed its check
    checked: int = 0
    open_min: int | None = None
    second: int = 0  # below 0 in the warm-up


Begin = Callable[[Phase, int], int | None]


def at_once(_: Phase, earliest_ns: int) -> int:
    """A phase begins as soon as it can, but not before `earliest_ns`."""
    return max(earliest_ns, time.monotonic_ns() + LEAD_NS)


class Session:
    """Runs a plan with a generator.  `emit` gets every line but the result; HDR logs go to `folder`.

    begin: says when a phase that is ready begins, CLOCK_MONOTONIC, given the earliest; None ends the run.
    """

    def __init__(
        self,
        plan: LoadPlan,
        mix: Mix,
        generator: Generator,
        folder: Path,
        emit: Callable[[LoadLine], None],
        begin: Begin = at_once,
    ):
        self._plan, self._mix, self._generator = plan, mix, generator
        self._folder, self._emit, self._begin = folder, emit, begin
        self._thread = ThreadPoolExecutor(1, "generator")
        self._stopped = threading.Event()
        self._passed: dict[int, bytes] = {}  # by request, the body that passed its check last

    def stop(self) -> None:
        """Schedule nothing more; `run` then returns what was measured.  Safe to call from a signal handler."""
        self._stopped.set()
        self._generator.stop()

    def run(self) -> LoadResult:
        """Every phase in turn.  Raises LoadError when the plan needs more files than the process may open."""
        allow_files(self._plan.connections + SPARE_FILES)
        self._folder.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        opened = self._generator.open(time.monotonic_ns() + round(self._plan.opening_s * 1e9))
        self._emit(LoadReady(self._plan.connections, opened, time.monotonic() - began))
        phases = []
        with self._thread:
            for number, phase in enumerate(self._plan.phases):
                if self._stopped.is_set():
                    break
                phases += self._phase(phase, number)
        return LoadResult(self._generator.name, tuple(phases), self._stopped.is_set())

    def _phase(self, phase: Phase, number: int) -> list[PhaseResult]:
        """One result, or none when nobody says when to begin."""
        arrivals = arrivals_of(phase, number, self._plan, self._mix)
        begin = self._begin(phase, 0 if number else self._plan.start_ns)
        if begin is None:
            return []
        bout = bout_of(phase, number, arrivals, begin, self._plan)
        counts = self._generator.counts
        watch = Watch(np.zeros_like(counts), np.zeros(counts.shape[:2], dtype=np.int64))
        watch.second = -math.ceil(phase.warm_s)
        cpu = time.process_time()
        driven = self._thread.submit(self._generator.drive, bout)
        while not driven.done():
            tick = bout.measured + (watch.second + 1) * SECOND_NS
            wait([driven], max(0.001, min(SAMPLES_S, (tick - time.monotonic_ns()) / SECOND_NS)))
            self._check_samples(bout, watch)
            if time.monotonic_ns() >= tick and not driven.done():
                self._second(phase, bout, watch)
        driven.result()
        self._check_samples(bout, watch)
        self._second(phase, bout, watch)
        return [self._result(phase, bout, watch, time.process_time() - cpu)]

    def _check_samples(self, bout: Bout, watch: Watch) -> None:
        """Check the bodies set aside; a wrong one turns its arrival from done to failed."""
        for sample in self._generator.samples():
            watch.checked += 1
            if self._passed.get(sample.choice) == sample.body:
                continue
            wrong = mistake(self._mix.requests[sample.choice], sample.body)
            if not wrong:
                self._passed[sample.choice] = sample.body
                self._generator.learn(sample.choice, sample.body)
                continue
            watch.bad[int(sample.warm), self._mix.target_of[sample.choice]] += 1
            bout.wrong[sample.arrival] = wrong

    def _second(self, phase: Phase, bout: Bout, watch: Watch) -> None:
        """Report what was counted since the last second."""
        now = corrected(self._generator.counts, watch.bad)
        which = int(watch.second < 0)
        window = now[which] - watch.counted[which]
        window[:, OPEN] = now[0, :, OPEN]
        window[:, BROKEN] = now[0, :, BROKEN] - watch.counted[0, :, BROKEN]
        watch.counted[which], watch.counted[0, :, BROKEN] = now[which], now[0, :, BROKEN]
        opened = int(now[0, :, OPEN].sum())
        if watch.second >= 0:
            watch.open_min = opened if watch.open_min is None else min(opened, watch.open_min)
        targets = {target.name: row_counts(row) for target, row in zip(self._mix.targets, window, strict=True)}
        at = time.monotonic_ns()
        self._emit(LoadSecond(phase.name, watch.second, at, targets, *ended(bout, at, self._plan.timeout_s)))
        watch.second += 1

    def _result(self, phase: Phase, bout: Bout, watch: Watch, cpu_s: float) -> PhaseResult:
        begin = bout.measured if phase.warm_s else bout.begin
        seconds = max(0.0, (time.monotonic_ns() - begin) / SECOND_NS)  # 0: stopped before it began
        spent = seconds + phase.warm_s
        share = cpu_s / spent if seconds else 0.0
        stall_us = self._generator.stall_ns() // 1000
        gauges = corrected(self._generator.counts, watch.bad)[0]
        found = totals(self._plan, self._mix, bout, gauges, self._folder)
        return PhaseResult(
            name=phase.name,
            started_ns=begin,
            seconds=seconds,
            stopped=self._stopped.is_set(),
            targets=found.targets,
            latency=found.latency,
            service=found.service,
            lag=found.lag,
            cpu_share=share,
            cpu_share_max=share,
            stall_max_us=stall_us,
            bodies_checked=watch.checked + self._generator.same(),
            bodies_unchecked=self._generator.unchecked(),
            open_min=watch.open_min or 0,
            slowest=found.slowest,
            first_failed=found.first_failed,
            processes=(ProcessResult(self._plan.part, found.lag, share, stall_us),),
        )


def ended(bout: Bout, at_ns: int, timeout_s: float) -> tuple[int | None, int | None]:
    """p50 and p99 (microseconds) of what ended in the second before `at_ns`; Nones in a closed phase, or of nothing."""
    if bout.think >= 0:
        return None, None
    arrivals = bout.arrivals[: bout.scheduled]
    intended = arrivals["intended"]
    low, high = np.searchsorted(intended, (at_ns - SECOND_NS - round(timeout_s * SECOND_NS), at_ns))
    settled = arrivals["settled"][low:high]
    now = (settled > at_ns - SECOND_NS) & (settled <= at_ns)
    spent = (settled[now] - intended[low:high][now]) // 1000
    if not len(spent):
        return None, None
    p50, p99 = np.percentile(spent, (50, 99), method="higher")
    return int(p50), int(p99)


def corrected(counts: Counts, bad: Counts) -> Counts:
    """A copy of the counters with the replies whose body was wrong moved from done to failed."""
    now = counts.copy()
    now[..., Outcome.DONE] -= bad
    now[..., Outcome.BAD_BODY] += bad
    return now


def allow_files(wanted: int) -> None:
    """Raise the soft limit of open files to what is wanted.  Raises LoadError when the hard limit is lower."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and wanted > hard:
        raise LoadError(
            f"The plan needs {wanted} open files.",
            f"This process may open {hard}.",
            f"Raise the limit (ulimit -Hn {wanted}) or ask for fewer connections.",
        )
    if soft != resource.RLIM_INFINITY and wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
