"""The bus benchmark within a mission, as data."""

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta

from stress.specs.base import PhasePlan, Spec

BusMode = Literal["channels", "single", "ticks", "paced"]
_AROUND_S = 1.2  # of each mode: servers and processes start and end


class Bus(Spec, frozen=True, kw_only=True, tag="bus"):
    """Both buses on servers of their own while the fleet rests: publishers and subscribers counted, mode by mode.

    `seconds`: of publishing, each mode.  `peer`: redis-benchmark beside it, where it is installed.
    """

    modes: tuple[BusMode, ...] = ("channels", "single", "ticks", "paced")
    seconds: Annotated[float, Meta(ge=0.5, le=600)] = 5.0
    peer: bool = True

    def mistakes(self) -> Iterator[str]:
        """Each mode once."""
        if not self.modes or len(set(self.modes)) != len(self.modes):
            yield "modes: each mode once, at least one"

    def plan(self) -> Iterator[PhasePlan]:
        """One step."""
        words = f"both buses on servers of their own, fleet at rest: {', '.join(self.modes)}"
        yield PhasePlan(self.title, words, len(self.modes) * (self.seconds + _AROUND_S))
