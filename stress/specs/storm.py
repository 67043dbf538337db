"""A scenario's tape with load, as data."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from engines.wire import scenario_file
from engines.wire.errors import UnknownName
from engines.wire.scenario import Scenario
from stress.specs.base import TAIL_S, Mix, PhasePlan, Seconds, Share, Spec


class Storm(Spec, frozen=True, kw_only=True, tag="storm"):
    """A scenario's tape with the load that follows its stress y: `R_max (floor + (1 - floor) y)`.

    R_max is `share` of the calibrated capacity of `mix`.  `lead_s`: from the replay's start to its measured window;
    `window_s` narrows that window around the low.
    """

    scenario: str
    mix: Mix
    connections: Annotated[int, Meta(ge=13, le=60_000)]
    share: Share = 0.7
    floor: Share = 0.2
    timeout_s: Seconds = 5.0
    lead_s: Seconds = 15.0
    drain_s: Seconds = 30.0
    window_s: Seconds | None = None

    def mistakes(self) -> Iterator[str]:
        """The scenario is one."""
        if self.scenario not in scenario_file.names():
            yield f"scenario: {UnknownName('scenario', self.scenario, scenario_file.names())}"

    def tape(self) -> Scenario:
        """The scenario with its measured window."""
        scenario = scenario_file.load(self.scenario)
        return scenario if self.window_s is None else scenario.quick(self.window_s)

    @property
    def window(self) -> str:
        """The name of its measured part."""
        return self.name or "window"

    def plan(self) -> Iterator[PhasePlan]:
        """Before, the measured window, after."""
        window = self.tape().window
        before = f"{self.name}-before" if self.name else "before"
        after = f"{self.name}-after" if self.name else "after"
        hours = f"{window.start:%H:%M:%S}-{window.end:%H:%M:%S} at {window.speed:g}x, {self.connections} connections"
        yield PhasePlan(before, f"the day until {window.start:%H:%M}, as fast as it is taken", self.lead_s)
        yield PhasePlan(self.window, hours, window.wall_s)
        yield PhasePlan(after, "the rest of the day, then every message drained and counted", TAIL_S)
