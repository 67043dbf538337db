"""A long calm replay under light load, as data."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from engines.wire import scenario_file
from engines.wire.errors import UnknownName
from stress.specs.base import PAUSE_S, TAIL_S, Mix, PhasePlan, Seconds, Spec
from stress.specs.crew import Processes, able, crew_mistakes, crew_words

THIRDS = ("first", "middle", "last")


class Soak(Spec, frozen=True, kw_only=True, tag="soak"):
    """Calm hours of a day are replayed again and again under a light even load, in three equal parts.

    Every `sample_s` the fleet's memory, open files and stream lengths are read.  What grows shows in the samples,
    what slows down in the latency of the last part against the first.
    """

    MEASURES = ("load", "health")

    mix: Mix = "health"
    seconds: Annotated[float, Meta(ge=30, le=86_400)] = 600.0
    sample_s: Seconds = 30.0
    rps: Annotated[float, Meta(gt=0, le=100_000)] = 260.0
    connections: Annotated[int, Meta(ge=13, le=60_000)] = 65
    processes: Processes = 1
    scenario: str = "flash-crash-2010"
    speed: Annotated[float, Meta(gt=0, le=1000)] = 10.0
    timeout_s: Seconds = 5.0
    drain_s: Seconds = 30.0

    def mistakes(self) -> Iterator[str]:
        """The scenario is there, each part has a sample at least, and every process its connections."""
        yield from crew_mistakes(self.processes, self.connections, len(able(self.mix)))
        if self.scenario not in scenario_file.names():
            yield f"scenario: {UnknownName('scenario', self.scenario, scenario_file.names())}"
        if self.sample_s > self.seconds / len(THIRDS):
            yield "sample_s: longer than a third of the soak"

    def judged(self) -> tuple[str, ...]:
        """Its parts."""
        return tuple(self.part(third) for third in THIRDS)

    def part(self, third: str) -> str:
        """The name of a part's phase."""
        return f"{self.title}-{third}"

    def plan(self) -> Iterator[PhasePlan]:
        """Three parts, and the account."""
        for third in THIRDS:
            words = f"calm hours at {self.speed:g}x, {self.rps:g} requests/s: {self.mix}{crew_words(self.processes)}"
            yield PhasePlan(self.part(third), words, self.seconds / len(THIRDS) + PAUSE_S)
        yield PhasePlan(f"{self.title}-after", "every message drained and counted", TAIL_S)
