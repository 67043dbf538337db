"""Latency and throughput with a number of operations in flight: a closed model in which each engine has its share."""

import asyncio

from reports import records
from stress.history.stamp import stamp
from stress.load.plan import ClosedPhase, LoadPlan
from stress.load.processes import own_cores, processes_of
from stress.run import Run
from stress.specs.inflight import InFlight
from stress.targets import phase_records, targets

_PROBE_S = 1.0


async def carry_out(run: Run, spec: InFlight) -> None:
    """Keep the operations in flight, and record each second of it."""
    name = spec.title
    engines = run.fleet.known().wanted
    processes = processes_of(spec.processes, own_cores())
    connections = spec.operations + (1 + processes) * len(engines)  # a process's shares of both may differ by one
    load = LoadPlan(
        targets(run.manifests(), run.fleet.known(), spec.mix, connections),
        (ClosedPhase(name, spec.operations, spec.seconds, per_target=True),),
        seed=run.seed,
        timeout_s=spec.timeout_s,
        processes=processes,
    )
    run.phase(name, "start", measured=True)
    run.say(name, f"{spec.operations} operations in flight")
    run.add(records.InFlight(**stamp(), phase=name, operations=spec.operations, seconds=spec.seconds))
    probing = asyncio.create_task(_watch(run, name, spec.timeout_s))
    try:
        finished = await run.load(load, name, None)
    finally:
        probing.cancel()
    for result in finished.phases:
        for record in phase_records(result, spec.mix, connections):
            run.add(record)
    run.phase(name, "end", measured=True)
    run.go_on()
    await run.probe("end")


async def _watch(run: Run, phase: str, timeout_s: float) -> None:
    """Health of all engines.  A probe waits behind what is in flight, and so as long as an operation may."""
    while True:
        await run.probe(phase, timeout_s)
        await asyncio.sleep(_PROBE_S)
