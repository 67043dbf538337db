"""A running fleet of the user's own as a mission's: neither started nor stopped by it."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from engines.fleet import folders
from engines.fleet.status import Event, FleetStatus
from engines.wire.errors import NautilusError
from engines.wire.settings import home
from stress.attach import BUSY, AttachRefused, facts_of, refusals
from stress.claim import Holder, claimed
from stress.faults.drill import Drill
from stress.faults.fault import SUPERVISOR
from stress.faults.kinds import KINDS
from stress.fleet import MissionFleet
from stress.mission import Mission
from stress.specs import AnySpec
from stress.specs.faults import Faults
from stress.specs.storm import Storm


def unsuitable(mission: Mission) -> list[str]:
    """What in a mission cannot be done to a fleet that it did not start."""
    found = []
    for phase in mission.phases:
        hit = set(_faults(phase))
        if any(target == SUPERVISOR for _, target in hit):
            found.append(f"{phase.title} ends the supervisor, which only a fleet of the mission's own survives.")
        drills = sorted({kind for kind, _ in hit if isinstance(KINDS.get(kind), Drill)})
        if any(kind == "corrupt-store" for kind, _ in hit):
            found.append(f"{phase.title} damages the recorder's store, and yours would lose what only it holds.")
        if drills:
            found.append(f"{phase.title} wants {', '.join(drills)}, which only engines of a mission's own fleet play.")
    return found


def _faults(phase: AnySpec) -> Iterator[tuple[str, str]]:
    """Kind and target of everything that a phase injects."""
    if isinstance(phase, Faults):
        yield from phase.matrix()
    if isinstance(phase, Faults | Storm):
        yield from ((each.kind, each.target) for each in phase.faults)


class AttachedFleet(MissionFleet):
    """The user's own running fleet: neither started nor stopped, and its files stay where they are."""

    attached = True

    def __init__(self, name: str) -> None:
        super().__init__(home(), name)

    def up(self, on_event: Callable[[Event], None]) -> FleetStatus:  # noqa: ARG002 - nothing starts
        """It is up already.  Raises NotRunning when it is not."""
        return self.refresh()

    def down(self, *, now: bool = False) -> None:  # noqa: ARG002 - nothing stops
        """End a replay that the mission left; all else goes on."""
        with contextlib.suppress(NautilusError):  # marketdata is gone: so is its replay
            if self.get("marketdata", "/replay")["state"] in BUSY:
                self.post("marketdata", "/replay/stop", {})

    def keep_logs(self, target: Path) -> None:
        """They are not the mission's to move."""


@contextlib.contextmanager
def attached(name: str, holder: Holder, mission: Mission) -> Iterator[AttachedFleet]:
    """The running fleet of that name, for this mission alone.

    Raises:
        NotRunning: there is none.
        FleetTaken: another mission is on it.
        AttachRefused: with everything that speaks against it.
    """
    fleet = AttachedFleet(name)
    status = fleet.refresh()
    with claimed(folders.of(name, fleet.home).state, holder):
        reasons = [*refusals(status, fleet.health(), facts_of(fleet)), *unsuitable(mission)]
        if reasons:
            raise AttachRefused(name, reasons)
        yield fleet
