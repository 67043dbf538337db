"""The roles of a mission's phases: each file carries one out."""

from stress.phase_specs import AnySpec, Backtests, Calibrate, Data, Faults, Idle, InFlight, Search, Storm
from stress.roles import backtests, calibrate, data, faults, idle, inflight, search, storm
from stress.run import Run


async def carry_out(run: Run, phase: AnySpec) -> None:
    """Do what a phase says."""
    match phase:
        case Idle():
            await idle.carry_out(run, phase)
        case Calibrate():
            await calibrate.carry_out(run, phase)
        case Storm():
            await storm.carry_out(run, phase)
        case Faults():
            await faults.carry_out(run, phase)
        case Data():
            await data.carry_out(run, phase)
        case InFlight():
            await inflight.carry_out(run, phase)
        case Search():
            await search.carry_out(run, phase)
        case Backtests():
            await backtests.carry_out(run, phase)
