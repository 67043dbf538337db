"""A load of its own: open in a shape, or closed; without a tape, or beside calm hours of a day."""

import asyncio
import time
from collections.abc import Sequence

import msgspec

from reports import records
from stress.history.stamp import stamp
from stress.load.plan import ClosedPhase, LoadPlan, OpenPhase, Phase, Target
from stress.load.processes import own_cores, processes_of
from stress.load.shapes import STEP_S
from stress.roles import account
from stress.roles.account import Account
from stress.roles.calm import Calm
from stress.run import Run
from stress.specs.load import Closed, Load
from stress.targets import phase_records, targets

_PROBE_S = 1.0


async def carry_out(run: Run, spec: Load) -> None:
    """Load the engines as the phase says, and record each second of it; replay beside it where it says so."""
    if spec.scenario is None:
        await _load(run, spec)
        run.go_on()
        await run.probe("end")
        return
    began, calm = time.monotonic(), Calm(run, spec.scenario, spec.speed)
    await calm.begin()
    try:
        await _load(run, spec)
    finally:
        calm.let_go()
    run.go_on()
    await calm.end()
    trace = f"r{calm.number}/window"
    await account.carry_out(run, Account(f"{spec.title}-after", spec.title, trace, began, spec.drain_s))


async def _load(run: Run, spec: Load) -> None:
    name = spec.title
    load = plan(spec, _targets(run, spec), run.capacity.get(spec.mix, 0.0), run.seed)
    run.phase(name, "start", measured=True)
    run.add(records.LoadTargets(**stamp(), phase=name, engines=list(spec.asked())))
    probing = asyncio.create_task(_watch(run, name))
    try:
        finished = await run.load(load, name, None)
    finally:
        probing.cancel()
    for result in finished.phases:
        if result.name == name:  # not its warm-up
            for record in phase_records(result, spec.mix, spec.connections):
                run.add(record)
    run.phase(name, "end", measured=True)


def plan(spec: Load, chosen: Sequence[Target], capacity: float, seed: int) -> LoadPlan:
    """The generator's plan: a warm-up at the rate it begins with, then the shape."""
    phases: list[Phase] = []
    if isinstance(spec.shape, Closed):
        loop = (spec.shape.concurrency, spec.shape.think_s)
        phases = [ClosedPhase(f"{spec.title}-warm", loop[0], spec.warm_s, loop[1])] if spec.warm_s else []
        phases.append(ClosedPhase(spec.title, loop[0], spec.seconds, loop[1]))
    else:
        rate = spec.curve(capacity)
        first = next(cell for cell in rate if cell > 0)
        warm = OpenPhase(f"{spec.title}-warm", (first,), spec.warm_s, spec.arrivals)
        phases = [warm] if spec.warm_s else []
        phases.append(OpenPhase(spec.title, rate, STEP_S, spec.arrivals))
    return LoadPlan(
        tuple(chosen),
        tuple(phases),
        seed=seed,
        timeout_s=spec.timeout_s,
        processes=processes_of(spec.processes, own_cores()),
    )


def _targets(run: Run, spec: Load) -> list[Target]:
    """The engines that are asked, weighted; each has its share of the connections, and one a process at least."""
    manifests = [manifest for manifest in run.manifests() if manifest.name in spec.asked()]
    return weighted(targets(manifests, run.fleet.known(), spec.mix, spec.connections), spec)


def weighted(found: Sequence[Target], spec: Load) -> list[Target]:
    """The same targets with the phase's weights, connections dealt in proportion to them."""
    weights = [spec.engines.get(target.name, 1.0) for target in found]
    least = processes_of(spec.processes, own_cores())
    spare = spec.connections - least * len(found)
    ideal = [spare * weight / sum(weights) for weight in weights]
    dealt = [least + int(share) for share in ideal]
    rest = spec.connections - sum(dealt)
    for place in sorted(range(len(found)), key=lambda n: int(ideal[n]) - ideal[n])[:rest]:
        dealt[place] += 1
    return [
        msgspec.structs.replace(target, weight=weight, connections=count)
        for target, weight, count in zip(found, weights, dealt, strict=True)
    ]


async def _watch(run: Run, phase: str) -> None:
    """Health of all engines, once a second."""
    while True:
        await run.probe(phase)
        await asyncio.sleep(_PROBE_S)
