"""The roles of a mission's phases: each file carries one out."""

from stress.roles import backtests, calibrate, data, faults, idle, inflight, search, storm
from stress.run import Run
from stress.specs import AnySpec
from stress.specs.backtests import Backtests
from stress.specs.calibrate import Calibrate
from stress.specs.data import Data
from stress.specs.faults import Faults
from stress.specs.idle import Idle
from stress.specs.inflight import InFlight
from stress.specs.search import Search
from stress.specs.storm import Storm


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
