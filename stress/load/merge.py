"""What several processes of one plan report, as if one had: counts added, histograms added bucket by bucket."""

import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from hdrh.histogram import HdrHistogram

from stress.load.fold import empty_histogram, percentiles_of, read_intervals, write_intervals
from stress.load.plan import LAG_LOG, SERVICE_LOG, LoadPlan
from stress.load.result import LoadResult, LoadSecond, PhaseResult, Sighting, TargetCounts, TargetResult
from stress.load.totals import SIGHTINGS


def added(counts: Sequence[TargetCounts]) -> TargetCounts:
    """One target's counters over all processes."""
    kinds = sorted({kind for each in counts for kind in each.failed})
    return TargetCounts(
        scheduled=sum(each.scheduled for each in counts),
        sent=sum(each.sent for each in counts),
        done=sum(each.done for each in counts),
        failed={kind: sum(each.failed.get(kind, 0) for each in counts) for kind in kinds},
        unsent=sum(each.unsent for each in counts),
        open=sum(each.open for each in counts),
        broken=sum(each.broken for each in counts),
    )


class Seconds:
    """Gathers the processes' seconds of one phase after the other."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._pending: dict[int, dict[int, LoadSecond]] = {}  # of the present phase, by second and process
        self._last: dict[int, LoadSecond] = {}
        self.open_min: dict[str, int] = {}  # by phase, over its measured seconds

    def add(self, k: int, line: LoadSecond) -> list[LoadSecond]:
        """A second of process `k`; returns what has become whole, in order."""
        self._pending.setdefault(line.second, {})[k] = line
        whole = []
        while self._pending and len(self._pending[min(self._pending)]) == self._plan.processes:
            whole.append(self._merged(min(self._pending)))
        return whole

    def rest(self) -> list[LoadSecond]:
        """The seconds that only some processes had, when the phase is over for all."""
        return [self._merged(second) for second in sorted(self._pending)]

    def _merged(self, second: int) -> LoadSecond:
        """One second of all: who was done with the phase before has nothing in it but its open connections."""
        lines = self._pending.pop(second)
        phase = next(iter(lines.values())).phase
        gone = [line for k, line in self._last.items() if k not in lines and line.phase == phase]
        self._last |= lines
        targets = {}
        for target in self._plan.targets:
            counts = [line.targets[target.name] for line in lines.values()]
            held = [TargetCounts(0, 0, 0, {}, 0, line.targets[target.name].open, 0) for line in gone]
            targets[target.name] = added(counts + held)
        merged = LoadSecond(phase, second, max(line.at_ns for line in lines.values()), targets)
        if second >= 0:
            opened = sum(counts.open for counts in targets.values())
            self.open_min[phase] = min(opened, self.open_min.get(phase, opened))
        return merged


def merged_result(
    plan: LoadPlan, results: Sequence[LoadResult], folders: Sequence[Path], folder: Path, open_min: dict[str, int]
) -> LoadResult:
    """Merge the processes' logs from their folders into `folder`, and their totals.

    A phase that only some began, since the run was stopped, is theirs alone.
    """
    phases = []
    for phase in plan.phases:
        pairs = [(each, at) for result, at in zip(results, folders, strict=True) for each in result.phases
                 if each.name == phase.name]  # fmt: skip
        if pairs:
            found, places = [each for each, _ in pairs], [at for _, at in pairs]
            phases.append(_merged_phase(found, places, folder, open_min.get(phase.name, 0)))
    return LoadResult(results[0].generator, tuple(phases), any(result.stopped for result in results))


def _merged_phase(found: Sequence[PhaseResult], places: Sequence[Path], folder: Path, open_min: int) -> PhaseResult:
    name = found[0].name

    def whole(kind: str) -> HdrHistogram:
        return merged_log([place / f"{name}.{kind}.hlog" for place in places], folder / f"{name}.{kind}.hlog")

    processes = tuple(one for each in found for one in each.processes)
    for one, place in zip(processes, places, strict=True):
        shutil.copyfile(place / f"{name}.{LAG_LOG}.hlog", folder / f"{name}.{LAG_LOG}-{one.part}.hlog")
    histograms = {target: whole(target) for target in found[0].targets}
    services = {target: whole(f"{target}.{SERVICE_LOG}") for target in found[0].targets}
    return PhaseResult(
        name=name,
        started_ns=min(each.started_ns for each in found),
        seconds=max(each.seconds for each in found),
        stopped=any(each.stopped for each in found),
        targets={
            target: _merged_target([each.targets[target] for each in found], histogram, services[target])
            for target, histogram in histograms.items()
        },
        latency=percentiles_of(_sum(histograms.values())),
        lag=percentiles_of(whole(LAG_LOG)),
        cpu_share=sum(each.cpu_share for each in found),
        cpu_share_max=max(each.cpu_share for each in found),
        stall_max_us=max(each.stall_max_us for each in found),
        bodies_checked=sum(each.bodies_checked for each in found),
        bodies_unchecked=sum(each.bodies_unchecked for each in found),
        open_min=open_min,
        service=percentiles_of(_sum(services.values())),
        slowest=_first((one for each in found for one in each.slowest), lambda one: -one.latency_us),
        first_failed=_first((one for each in found for one in each.first_failed), lambda one: one.intended_ns),
        processes=processes,
    )


def _merged_target(parts: Sequence[TargetResult], latency: HdrHistogram, service: HdrHistogram) -> TargetResult:
    warm = [part.warm for part in parts if part.warm is not None]
    return TargetResult(
        counts=added([part.counts for part in parts]),
        latency=percentiles_of(latency),
        warm=added(warm) if warm else None,
        service=percentiles_of(service),
    )


def _first(sightings: Iterable[Sighting], order: Callable[[Sighting], int]) -> tuple[Sighting, ...]:
    return tuple(sorted(sightings, key=order)[:SIGHTINGS])


def _sum(histograms: Iterable[HdrHistogram]) -> HdrHistogram:
    total = empty_histogram()
    for histogram in histograms:
        total.add(histogram)
    return total


def merged_log(sources: Sequence[Path], path: Path) -> HdrHistogram:
    """Write the logs added second by second to `path`; returns the sum of all."""
    logs = [read_intervals(source) for source in sources]
    seconds = sorted({second for log, _ in logs for second in log})
    intervals = {second: _sum(log[second] for log, _ in logs if second in log) for second in seconds}
    write_intervals(path, intervals.items(), min(start for _, start in logs))
    return _sum(intervals.values())
