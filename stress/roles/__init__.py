"""The roles of a mission's phases: each file carries one out."""

from stress.phase_specs import AnySpec, Calibrate, Faults, Idle, Storm
from stress.roles import calibrate, faults, idle, storm
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
