"""Closed-loop calibration, as data."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from stress.specs.base import PAUSE_S, Mix, PhasePlan, Seconds, Spec
from stress.specs.crew import Processes, able, crew_mistakes, crew_words, few_mistakes

_SPARE = 20  # connections for each request outstanding: engines answer at their own pace


class Calibrate(Spec, frozen=True, kw_only=True, tag="calibrate"):
    """Closed-loop capacity of this host, fleet and mix.

    `processes`: of the generator, as many as the loads have that are shares of the capacity.
    """

    mixes: tuple[Mix, ...] = ("compute", "health")
    concurrency: Annotated[int, Meta(ge=1, le=4096)] = 64
    seconds: Seconds = 8.0
    timeout_s: Seconds = 5.0
    processes: Processes = 1

    @property
    def connections(self) -> int:
        """Held open over all engines."""
        return _SPARE * self.concurrency

    def mistakes(self) -> Iterator[str]:
        """A calibration measures something, once."""
        if not self.mixes or len(set(self.mixes)) != len(self.mixes):
            yield "mixes: each mix once, at least one"
            return
        yield from crew_mistakes(self.processes, self.connections, max(len(able(mix)) for mix in self.mixes))
        yield from few_mistakes(self.processes, self.concurrency, "concurrency")

    def plan(self) -> Iterator[PhasePlan]:
        """One step."""
        words = f"closed loop, {self.concurrency} outstanding: {', '.join(self.mixes)}{crew_words(self.processes)}"
        yield PhasePlan(self.title, words, (self.seconds + PAUSE_S) * len(self.mixes))
