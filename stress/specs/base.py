"""What every phase of a mission's file has in common."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Share = Annotated[float, Meta(gt=0, le=1)]
Mix = Literal["health", "compute"]
WarmUp = Annotated[float, Meta(ge=0, le=600)]
Arrivals = Literal["poisson", "even"]

CLOSE_S, TAIL_S, PAUSE_S = 12.0, 5.0, 3.0
BOOT_S = 4.0
CONNECTS_PER_S = 2000.0  # how fast a generator opens connections


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a mission file."""


class PhasePlan(msgspec.Struct, frozen=True):
    """One phase: what happens and for about how long."""

    name: str
    what: str
    seconds: float


class Spec(Part, frozen=True, kw_only=True, tag_field="role"):
    """A phase.  `quick` and `full`: the fields that `--quick` and `--full` change, with their other values.

    `thresholds` are asked of its figures (`stress.thresholds`); on one of `abort` the mission ends (`stress.abort`).
    `MEASURES`: which groups of metrics these may name.
    """

    MEASURES: ClassVar[tuple[Literal["load", "health", "search"], ...]] = ()

    name: str = ""  # of its records; the role's when empty
    thresholds: tuple[str, ...] = ()
    abort: tuple[str, ...] = ()
    quick: dict[str, Any] = {}
    full: dict[str, Any] = {}

    @property
    def role(self) -> str:
        """Its kind."""
        return str(self.__struct_config__.tag)

    @property
    def title(self) -> str:
        """Its name, or else its role."""
        return self.name or self.role

    def judged(self) -> tuple[str, ...]:
        """The names of its measured parts, which thresholds and abort conditions are of."""
        return (self.title,)

    def mistakes(self) -> Iterator[str]:
        """What types do not show."""
        yield from ()

    def plan(self) -> Iterator[PhasePlan]:
        """What it would do."""
        raise NotImplementedError
