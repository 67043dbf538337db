"""What this host, fleet and mix can carry: a short closed loop, before any open one."""

from reports import records
from stress.history.stamp import stamp
from stress.load.plan import ClosedPhase, LoadPlan
from stress.load.processes import own_cores, processes_of
from stress.run import Run
from stress.specs.calibrate import Calibrate
from stress.specs.storm import Storm
from stress.targets import targets


async def carry_out(run: Run, spec: Calibrate) -> None:
    """Measure each mix, and keep its capacity in the run."""
    for mix in spec.mixes:
        name = f"{spec.title}-{mix}"
        run.phase(name, "start", measured=False)
        run.say(spec.title, f"closed loop, {mix} mix")
        warm = ClosedPhase(f"{name}-warm", spec.concurrency, max(1.0, spec.seconds / 4))
        measured = ClosedPhase(name, spec.concurrency, spec.seconds)
        load = LoadPlan(
            targets(run.manifests(), run.fleet.known(), mix, spec.connections),
            (warm, measured),
            seed=run.seed,
            timeout_s=spec.timeout_s,
            processes=processes_of(spec.processes, own_cores()),
        )
        finished = await run.load(load, "", None)
        run.go_on()
        result = finished.phases[-1]
        done = sum(target.counts.done for target in result.targets.values())
        run.capacity[mix] = done / result.seconds
        share = next((storm.share for storm in run.mission.of(Storm) if storm.mix == mix), 1.0)
        run.add(
            records.Calibration(
                **stamp(),
                mix=mix,
                share=share,
                seconds=result.seconds,
                concurrency=spec.concurrency,
                rate_rps=run.capacity[mix],
                errors=sum(sum(target.counts.failed.values()) for target in result.targets.values()),
                r_max_rps=run.capacity[mix] * share,
                processes=load.processes,
            )
        )
        run.phase(name, "end", measured=False)
