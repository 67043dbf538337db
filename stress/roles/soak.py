"""A calm replay for a long time, with a light load beside it: what grows, and what slows down."""

import asyncio
import time

from engines.wire.bus import Bus
from engines.wire.errors import NautilusError
from engines.wire.messages import KEPT, TOPICS
from reports import records
from stress.history.stamp import stamp
from stress.load.plan import LoadPlan, OpenPhase, Target
from stress.load.processes import own_cores, processes_of
from stress.profiler.sampler import count_files, pss_of
from stress.roles import account
from stress.roles.account import Account
from stress.roles.calm import Calm
from stress.run import Run
from stress.specs.soak import THIRDS, Soak
from stress.targets import phase_records, targets

_CELL_S = 1.0  # of the even rate's curve
_PROBE_S = 1.0


async def carry_out(run: Run, spec: Soak) -> None:
    """Replay, load part after part, sample beside it, then account for every message."""
    began = time.monotonic()
    calm = Calm(run, spec.scenario, spec.speed)
    await calm.begin()
    run.add(_begun(run, spec))
    sampling = asyncio.create_task(_sample(run, spec))
    try:
        for third in THIRDS:
            await _part(run, spec, spec.part(third))
            run.go_on()
    finally:
        sampling.cancel()
        calm.let_go()
    if sampling.done() and not sampling.cancelled():
        sampling.result()  # samples that ended early are no soak
    await calm.end()
    trace = f"r{calm.number}/window"
    await account.carry_out(run, Account(f"{spec.title}-after", spec.part(THIRDS[-1]), trace, began, spec.drain_s))


def _begun(run: Run, spec: Soak) -> records.Soak:
    made = {topic for manifest in run.manifests() for topic in manifest.publishes}
    read = {topic for manifest in run.manifests() for topic in manifest.consumes}
    return records.Soak(
        **stamp(),
        phase=spec.title,
        seconds=spec.seconds,
        sample_s=spec.sample_s,
        parts=[spec.part(third) for third in THIRDS],
        trimmed=sorted((made & read) - KEPT),
    )


async def _part(run: Run, spec: Soak, name: str) -> None:
    load = plan(spec, name, targets(run.manifests(), run.fleet.known(), spec.mix, spec.connections), run.seed)
    run.phase(name, "start", measured=True)
    probing = asyncio.create_task(_watch(run, name))
    try:
        finished = await run.load(load, name, None)
    finally:
        probing.cancel()
    for result in finished.phases:
        for record in phase_records(result, spec.mix, spec.connections):
            run.add(record)
    run.phase(name, "end", measured=True)


def plan(spec: Soak, name: str, aims: tuple[Target, ...], seed: int) -> LoadPlan:
    """The generator's plan for one part: an even rate."""
    cells = max(1, round(spec.seconds / len(THIRDS) / _CELL_S))
    return LoadPlan(
        aims,
        (OpenPhase(name, (spec.rps,) * cells, _CELL_S),),
        seed=seed,
        timeout_s=spec.timeout_s,
        processes=processes_of(spec.processes, own_cores()),
    )


async def _watch(run: Run, phase: str) -> None:
    while True:
        await run.probe(phase)
        await asyncio.sleep(_PROBE_S)


async def _sample(run: Run, spec: Soak) -> None:
    """Read the fleet every so often, on time."""
    buses: dict[str, Bus] = {"main": run.fleet.bus("main"), "market": run.fleet.bus("market")}
    due, number = time.monotonic(), 0
    try:
        while True:
            run.add(await _read(run, spec.title, number, buses))
            number += 1
            due += spec.sample_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))
    finally:
        for bus in buses.values():
            await bus.close()


async def _read(run: Run, phase: str, number: int, buses: dict[str, Bus]) -> records.SoakSample:
    try:
        await asyncio.to_thread(run.fleet.refresh)
    except NautilusError:
        run.say(phase, "the supervisor does not answer: its last word on processes is taken")
    sizes, files = await asyncio.to_thread(_processes, dict(run.fleet.pids()))
    entries = {topic: (await buses[bus].stats(topic)).length for topic, bus in sorted(TOPICS.items())}
    return records.SoakSample(**stamp(), phase=phase, number=number, pss_bytes=sizes, files=files, entries=entries)


def _processes(pids: dict[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """Proportional set sizes and open files, of the processes that tell them."""
    sizes = {name: pss_of(pid) for name, pid in sorted(pids.items())}
    files = {name: count_files(pid) for name, pid in sorted(pids.items())}
    return (
        {name: size for name, size in sizes.items() if size is not None},
        {name: count for name, count in files.items() if count is not None},
    )
