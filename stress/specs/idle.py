"""Health without load, as data."""

from collections.abc import Iterator

from stress.specs.base import PhasePlan, Seconds, Spec


class Idle(Spec, frozen=True, kw_only=True, tag="idle"):
    """Health of each engine without load: the normal response."""

    MEASURES = ("health",)

    seconds: Seconds = 5.0

    def plan(self) -> Iterator[PhasePlan]:
        """One step."""
        yield PhasePlan(self.title, "health of each engine without load", self.seconds)
