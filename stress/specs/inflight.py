"""Operations in flight, as data."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from stress.specs.base import CONNECTS_PER_S, PAUSE_S, Mix, PhasePlan, Seconds, Spec
from stress.specs.crew import Processes, crew_words, few_mistakes


class InFlight(Spec, frozen=True, kw_only=True, tag="inflight"):
    """So many operations unanswered at any time, shared evenly by the engines, each on a connection of its own."""

    MEASURES = ("load", "health")

    mix: Mix
    operations: Annotated[int, Meta(ge=13, le=50_000)] = 10_000
    seconds: Annotated[int, Meta(ge=1, le=86_400)] = 10
    timeout_s: Seconds = 30.0
    processes: Processes = 1

    def mistakes(self) -> Iterator[str]:
        """Every process has an operation in flight."""
        yield from few_mistakes(self.processes, self.operations, "operations")

    def plan(self) -> Iterator[PhasePlan]:
        """One step: connections are opened first, and the last answers come after it."""
        seconds = self.operations / CONNECTS_PER_S + self.seconds + PAUSE_S
        words = f"closed loop, {self.operations} operations in flight: {self.mix}{crew_words(self.processes)}"
        yield PhasePlan(self.title, words, seconds)
