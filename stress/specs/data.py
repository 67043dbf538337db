"""The external sources of data, as data."""

from collections.abc import Iterator

from stress.specs.base import PhasePlan, Seconds, Spec


class Data(Spec, frozen=True, kw_only=True, tag="data"):
    """Every external source of data is asked for a few rows; with `simulate` a simulator of its protocol instead."""

    simulate: bool = False
    timeout_s: Seconds = 10.0

    def plan(self) -> Iterator[PhasePlan]:
        """One step."""
        whom = "simulators of the eight external sources" if self.simulate else "the eight external sources"
        yield PhasePlan(self.title, f"{whom} are asked for a few rows each", 1.0 if self.simulate else self.timeout_s)
