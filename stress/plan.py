"""What a mission would do: phases, load, disk, pins, rulebook and expected halts.  `--dry-run` prints it."""

import msgspec

from engines.wire.scenario_brief import ScenarioBrief, brief
from stress.mission import Mission
from stress.options import Options
from stress.specs.base import BOOT_S, CLOSE_S, PhasePlan
from stress.specs.storm import Storm

_DISK_MB_PER_S = 0.5


class TapePlan(msgspec.Struct, frozen=True, kw_only=True):
    """One day that is replayed, what is known of it, and the connections beside it."""

    connections: int
    scenario: ScenarioBrief


class MissionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.plan/1` document."""

    schema: str = "nautilus.plan/1"
    mission: str
    title: str
    seed: int
    quick: bool
    full: bool
    phases: tuple[PhasePlan, ...]
    seconds: float
    disk_mb: float
    expected_halts: tuple[str, ...]
    tapes: tuple[TapePlan, ...]


def steps(mission: Mission) -> tuple[PhasePlan, ...]:
    """What happens, in order."""
    return (
        PhasePlan("boot", "thirteen engines, two buses and a store come up", BOOT_S),
        *(step for phase in mission.phases for step in phase.plan()),
        PhasePlan("close", "the fleet stops; the records are sealed and rendered", CLOSE_S),
    )


def plan(mission: Mission, options: Options) -> MissionPlan:
    """Everything that is known before a run."""
    varied = mission.varied(quick=options.quick, full=options.full)
    found = steps(varied)
    seconds = sum(step.seconds for step in found)
    return MissionPlan(
        mission=mission.name,
        title=mission.title,
        seed=mission.seed if options.seed is None else options.seed,
        quick=options.quick,
        full=options.full,
        phases=found,
        seconds=round(seconds, 1),
        disk_mb=round(seconds * _DISK_MB_PER_S, 1),
        expected_halts=tuple(f"{halt.kind} {halt.symbol}" for halt in mission.expect.halts),
        tapes=tuple(TapePlan(connections=s.connections, scenario=brief(s.tape())) for s in varied.of(Storm)),
    )
