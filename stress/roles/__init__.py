"""The roles of a mission's phases: each file carries one out."""

from stress.roles import (
    backtests,
    bus,
    calibrate,
    data,
    drill,
    faults,
    hardware,
    idle,
    inflight,
    load,
    search,
    soak,
    storm,
)
from stress.run import Run
from stress.specs import AnySpec
from stress.specs.backtests import Backtests
from stress.specs.bus import Bus
from stress.specs.calibrate import Calibrate
from stress.specs.data import Data
from stress.specs.drill import KillSwitch, ReverseStress
from stress.specs.faults import Faults
from stress.specs.hardware import Hardware
from stress.specs.idle import Idle
from stress.specs.inflight import InFlight
from stress.specs.load import Load
from stress.specs.search import Search
from stress.specs.soak import Soak
from stress.specs.storm import Storm


async def prepare(run: Run) -> None:
    """What phases want done before the fleet starts."""
    for phase in run.mission.of(Hardware):
        await hardware.prepare(run, phase)


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
        case KillSwitch():
            await drill.kill(run, phase)
        case ReverseStress():
            await drill.reverse(run, phase)
        case Load():
            await load.carry_out(run, phase)
        case Search():
            await search.carry_out(run, phase)
        case Backtests():
            await backtests.carry_out(run, phase)
        case Bus():
            await bus.carry_out(run, phase)
        case Hardware():
            await hardware.carry_out(run, phase)
        case Soak():
            await soak.carry_out(run, phase)
