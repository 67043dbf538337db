"""The highest rate that the fleet answers in time: short steps of an open model, each after a warm-up."""

from reports import records
from stress import foreign
from stress.history.stamp import stamp
from stress.load.plan import LoadPlan, OpenPhase
from stress.load.processes import own_cores, processes_of
from stress.load.result import PhaseResult
from stress.run import Run
from stress.search import Tried, following
from stress.specs.search import Search
from stress.targets import lag_log, targets

_CELL_S = 0.1  # of the rate curve
_LAG_MS, _LAG_SHARE = 5.0, 0.1  # longest lag of the generator: this, or so much of the p99
_FOREIGN_CORES = 0.25  # what others may take: a fleet at a mission's nice value waits for whoever is not


async def carry_out(run: Run, spec: Search) -> None:
    """Bracket the limit, then bisect."""
    run.phase(spec.title, "start", measured=False)
    tried: list[Tried] = []
    while len(tried) < spec.steps:
        rate = following(tried, spec.first_rps, spec.resolution)
        if rate is None:
            break
        run.say(spec.title, f"{rate:.0f} requests/s")
        step = await _step(run, spec, len(tried), rate)
        run.add(step)
        tried.append(Tried(rate, step.ok, step.void))
    run.phase(spec.title, "end", measured=False)


async def _step(run: Run, spec: Search, number: int, rate: float) -> records.SearchStep:
    name = f"{spec.title}-{number:02d}"
    load = LoadPlan(
        targets(run.manifests(), run.fleet.known(), spec.mix, spec.connections),
        (_constant(f"{name}-warm", rate, spec.warm_s), _constant(name, rate, spec.step_s)),
        seed=run.seed + number,
        timeout_s=spec.timeout_s,
        processes=processes_of(spec.processes, own_cores()),
    )
    share = foreign.Share(run.fleet.pids().values())
    finished = await run.load(load, "", None)
    run.go_on()
    return judged(spec, number, rate, finished.phases[-1], share.cores())


def _constant(name: str, rate: float, seconds: float) -> OpenPhase:
    return OpenPhase(name, (rate,) * max(1, round(seconds / _CELL_S)), _CELL_S)


def judged(
    spec: Search, number: int, rate: float, result: PhaseResult, foreign_cores: float | None = None
) -> records.SearchStep:
    """What a step's load says of its rate; nothing without a request in it, or with others on the machine's cores."""
    counts = [target.counts for target in result.targets.values()]
    p99 = result.latency.p99_us / 1e3 if result.latency is not None else 0.0
    latest = max(result.processes, key=lambda one: one.lag.p99_us if one.lag is not None else -1, default=None)
    lag = latest.lag.p99_us / 1e3 if latest is not None and latest.lag is not None else 0.0
    errors = sum(sum(each.failed.values()) + each.unsent for each in counts)
    scheduled = sum(each.scheduled for each in counts)
    busy = foreign_cores is not None and foreign_cores > _FOREIGN_CORES
    void = scheduled == 0 or busy or lag > max(_LAG_MS, _LAG_SHARE * p99)
    return records.SearchStep(
        **stamp(),
        phase=spec.title,
        number=number,
        rate_rps=rate,
        seconds=result.seconds,
        scheduled=scheduled,
        done=sum(each.done for each in counts),
        errors=errors,
        limit_ms=spec.limit_ms,
        p99_ms=p99,
        lag_p99_ms=lag,
        ok=not void and errors == 0 and p99 < spec.limit_ms,
        void=void,
        foreign_cores=foreign_cores,
        hlogs=[f"latency/{result.name}.{name}.hlog" for name in result.targets],
        lag_hlog=lag_log(result, latest.part if latest is not None else 0),
        processes=max(1, len(result.processes)),
    )
