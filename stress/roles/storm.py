"""A scenario's tape, the load that follows it and the faults of its schedule, side by side; then the account."""

import asyncio
import time
from typing import Any

from engines.wire.errors import NautilusError
from engines.wire.scenario import Scenario
from engines.wire.session import epoch_ns
from engines.wire.ticks import PRICE_SCALE
from reports import records
from stress.faults.fault import Fault
from stress.faults.overlay import TAPE, Laid
from stress.history.stamp import stamp
from stress.load.plan import LoadPlan, OpenPhase, Target
from stress.load.processes import own_cores, processes_of
from stress.roles import account, opening, operations
from stress.roles.account import Account
from stress.roles.injection import Due, Injection
from stress.run import Run
from stress.specs import strike
from stress.specs.storm import Storm
from stress.targets import STEP_S, phase_records, rate_curve, stress_curve, targets

_OPENING_S = 8.0  # from the generator's start to its connections being open
_PROBE_S = 1.0
_LOOK_S = 0.25  # between two looks at everyone's health while faults strike
_REPLAY_S = 60.0


async def carry_out(run: Run, spec: Storm) -> None:
    """Replay the day, load its measured window, wait for the rest, account for everything."""
    scenario = spec.tape()
    began = time.monotonic()
    lead = max(spec.lead_s, _OPENING_S + spec.warm_s)
    window_at = time.monotonic_ns() + int(lead * 1e9)
    request = _request(_told(run, spec, scenario), scenario, run.seed, window_at)
    ask = operations.asked(run)
    await asyncio.to_thread(run.fleet.post, "marketdata", "/replay", request, ask.request)
    await opening.begin(run, spec.window, scenario, lead - _OPENING_S - spec.warm_s)
    aims = targets(run.manifests(), run.fleet.known(), spec.mix, spec.connections)
    load = plan(spec, scenario, aims, run.capacity[spec.mix], run.seed, window_at)
    run.phase(spec.window, "start", measured=True)
    probing = asyncio.create_task(_watch(run, spec.window, window_at))
    faults = asyncio.create_task(_strike(run, spec, scenario, window_at))
    first = asyncio.create_task(operations.first_trades(run, window_at))
    try:
        result = await run.load(load, spec.window, stress_curve(scenario, 1.0))
        for measured in result.phases:  # none when it was stopped before it began
            for record in phase_records(measured, spec.mix, spec.connections):
                run.add(record)
        run.phase(spec.window, "end", measured=True)
        run.go_on()
        await faults  # all are healed by now; recoveries may still be under way
        tick = await first
    finally:
        probing.cancel()
        await _over(faults)
        await _over(first)
    status = await _replayed(run)
    _tape(run, scenario, status)
    run.add(await operations.replay(run, spec.window, status["replay"], ask, tick))
    after = f"{spec.name}-after" if spec.name else "after"
    trace = f"r{status['replay']}/window"
    await account.carry_out(run, Account(after, spec.window, trace, began, spec.drain_s))


def plan(
    spec: Storm, scenario: Scenario, aims: tuple[Target, ...], capacity: float, seed: int, window_at: int
) -> LoadPlan:
    """The generator's plan: the rate that follows the tape from `window_at` (CLOCK_MONOTONIC, ns), a warm-up before."""
    rate = rate_curve(stress_curve(scenario, STEP_S), capacity * spec.share, spec.floor)
    warm = round(spec.warm_s / STEP_S)
    return LoadPlan(
        aims,
        (OpenPhase(spec.window, rate[:1] * warm + rate, STEP_S, spec.arrivals, round(warm * STEP_S, 9)),),
        seed=seed,
        timeout_s=spec.timeout_s,
        processes=processes_of(spec.processes, own_cores()),
        start_ns=window_at - round(warm * STEP_S * 1e9),
    )


async def _strike(run: Run, spec: Storm, scenario: Scenario, window_at: int) -> None:
    """Every fault and overlay at its time; whatever ends this, what is in force is taken back."""
    if not spec.faults and not spec.overlays:
        return
    due: list[Due] = [
        Due(each.at_s or 0.0, fault)
        for each, fault in zip(spec.faults, strike.faults(spec.window, spec.faults), strict=True)
    ]
    for place, each in enumerate(spec.overlays):
        laid = each.over(scenario)
        start, end = epoch_ns(scenario.date, laid.start), epoch_ns(scenario.date, laid.end)
        fault = Fault(f"{spec.window}-overlay-{place:03d}-{each.kind}", each.kind, TAPE, each.for_s)
        due.append(Due(each.at_s, fault, Laid(each.kind, each.symbol, start, end, run.fleet)))
    injection = Injection(run, spec.window, spec.limit_s, keep=False, every_s=_LOOK_S)
    try:
        await injection.schedule(due, window_at)
    finally:
        await injection.close()


async def _over(task: "asyncio.Task[Any]") -> None:
    """End a task and wait for its own tidying up; what it raised has been raised already, or comes second."""
    task.cancel()
    await asyncio.wait([task])


def _told(run: Run, spec: Storm, scenario: Scenario) -> str:
    """How the replay is told of its scenario: by name, or with overlays by a file of its own in the run folder."""
    if not spec.overlays:
        return scenario.name
    path = run.folder / f"scenario-{spec.window}.toml"
    path.write_text(spec.text(), "utf-8")
    return str(path)


def _request(told: str, scenario: Scenario, seed: int, window_at: int) -> dict[str, object]:
    return {
        "scenario": told,
        "seed": seed,
        "window": {
            "start": scenario.window.start.isoformat(),
            "end": scenario.window.end.isoformat(),
            "speed": scenario.window.speed,
        },
        "window_at_ns": window_at,
    }


async def _watch(run: Run, phase: str, window_at: int) -> None:
    """Health of all engines, once a second while the window lasts."""
    await asyncio.sleep(max(0.0, (window_at - time.monotonic_ns()) / 1e9))
    while True:
        await run.probe(phase)
        await asyncio.sleep(_PROBE_S)


async def _replayed(run: Run) -> dict[str, Any]:
    """Wait for the rest of the day."""
    until = time.monotonic() + _REPLAY_S
    while time.monotonic() < until:
        status: dict[str, Any] = await asyncio.to_thread(run.fleet.get, "marketdata", "/replay")
        run.say("after", f"replaying the rest of the day: {status['state']}")
        if status["state"] == "finished":
            return status
        if status["state"] == "failed":
            break
        await asyncio.sleep(0.25)
    raise NautilusError(
        "The replay did not finish.", str(status.get("error", "")), "Read logs/marketdata.log in the run folder."
    )


def _tape(run: Run, scenario: Scenario, status: dict[str, Any]) -> None:
    window = status["window"]
    run.add(
        records.Tape(
            **stamp(),
            scenario=scenario.name,
            seed=run.seed,
            digest=status["digest"],
            ticks=status["ticks"],
            pins=[records.Pin(**pin) for pin in status["pins"]],
            window=records.TapeWindow(start_ns=window["start_ns"], end_ns=window["end_ns"], speed=window["speed"]),
        )
    )
    for symbol, market_ns, price in status["path"]:
        run.add(records.Level(**stamp(), symbol=symbol, market_ns=market_ns, price=price / PRICE_SCALE))
