"""The search for the highest rate in time, as data."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from stress.specs.base import Mix, PhasePlan, Seconds, Spec
from stress.specs.crew import Processes, able, crew_mistakes, crew_words

_OPENING_S = 1.5  # of a step of a search: a generator starts and opens its connections


class Search(Spec, frozen=True, kw_only=True, tag="search"):
    """The highest rate of an open model at which the p99 stays below `limit_ms` and nothing fails.

    Rates are doubled or halved from `first_rps` until the limit lies between two, then bisected until they are less
    than `resolution` apart, in `steps` steps at most.  Each runs `warm_s`, which is discarded, then `step_s`; a rate
    that does not hold is tried once more.
    """

    MEASURES = ("search",)

    mix: Mix
    limit_ms: Annotated[float, Meta(gt=0, le=60_000)] = 10.0
    first_rps: Annotated[float, Meta(gt=0, le=1_000_000)] = 1000.0
    resolution: Annotated[float, Meta(gt=0, le=1)] = 0.1
    steps: Annotated[int, Meta(ge=1, le=100)] = 16
    connections: Annotated[int, Meta(ge=13, le=60_000)] = 260
    warm_s: Seconds = 1.0
    step_s: Seconds = 4.0
    timeout_s: Seconds = 5.0
    processes: Processes = 1

    def mistakes(self) -> Iterator[str]:
        """Every process has a connection to each engine."""
        yield from crew_mistakes(self.processes, self.connections, len(able(self.mix)))

    def plan(self) -> Iterator[PhasePlan]:
        """One step, for as many rates as there may be."""
        words = f"highest rate with a p99 below {self.limit_ms:g} ms, {self.steps} rates at most: {self.mix}"
        words += crew_words(self.processes)
        yield PhasePlan(self.title, words, self.steps * (self.warm_s + self.step_s + _OPENING_S))
