"""Closed-loop calibration, as data."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from stress.specs.base import PAUSE_S, Mix, PhasePlan, Seconds, Spec


class Calibrate(Spec, frozen=True, kw_only=True, tag="calibrate"):
    """Closed-loop capacity of this host, fleet and mix."""

    mixes: tuple[Mix, ...] = ("compute", "health")
    concurrency: Annotated[int, Meta(ge=1, le=4096)] = 64
    seconds: Seconds = 8.0
    timeout_s: Seconds = 5.0

    def mistakes(self) -> Iterator[str]:
        """A calibration measures something, once."""
        if not self.mixes or len(set(self.mixes)) != len(self.mixes):
            yield "mixes: each mix once, at least one"

    def plan(self) -> Iterator[PhasePlan]:
        """One step."""
        words = f"closed loop, {self.concurrency} outstanding: {', '.join(self.mixes)}"
        yield PhasePlan(self.title, words, (self.seconds + PAUSE_S) * len(self.mixes))
