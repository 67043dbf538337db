"""Drills of the account's last defences, as data: the kill switch, and how far the market may fall."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from engines.wire import scenario_file
from engines.wire.errors import UnknownName
from stress.specs.base import TAIL_S, PhasePlan, Seconds, Spec

_LEAD_S = 6.0  # a replay begins, and positions with it


class Replayed(Spec, frozen=True, kw_only=True):
    """What happens while calm hours of a day are replayed."""

    scenario: str = "flash-crash-2010"
    speed: Annotated[float, Meta(gt=0, le=1000)] = 10.0
    drain_s: Seconds = 30.0

    def mistakes(self) -> Iterator[str]:
        """The scenario is there."""
        if self.scenario not in scenario_file.names():
            yield f"scenario: {UnknownName('scenario', self.scenario, scenario_file.names())}"


class KillSwitch(Replayed, frozen=True, kw_only=True, tag="kill-switch"):
    """The strategies' kill switch is thrown while they hold positions and have orders open.

    `seek_s`: longest wait for a position and an open order of theirs; without an order there is only a position to
    close.  `limit_s`: how long the closing is watched, and after how long the residual exposure is taken.
    """

    MEASURES = ("health",)

    seek_s: Seconds = 30.0
    limit_s: Annotated[float, Meta(ge=3, le=600)] = 10.0

    def plan(self) -> Iterator[PhasePlan]:
        """The drill, and the account."""
        words = f"positions within {self.seek_s:g} s, then the kill switch: everything withdrawn and closed"
        yield PhasePlan(self.title, words, _LEAD_S + self.seek_s / 2 + self.limit_s / 2)
        yield PhasePlan(f"{self.title}-after", "every message drained and counted", TAIL_S)


class ReverseStress(Replayed, frozen=True, kw_only=True, tag="reverse-stress"):
    """The smallest uniform fall of all marks that reaches the risk engine's loss limit, by bisection.

    The engine computes each step itself, on what it holds after the replay was stopped.  `resolution`: as a fraction.
    `most`: the largest fall that is tried.
    """

    resolution: Annotated[float, Meta(ge=1e-6, le=0.1)] = 0.0005
    most: Annotated[float, Meta(gt=0, le=1)] = 1.0

    def mistakes(self) -> Iterator[str]:
        """The scenario is there, and the resolution is finer than the range."""
        yield from Replayed.mistakes(self)
        if self.resolution >= self.most:
            yield "resolution: not finer than the largest fall"

    def plan(self) -> Iterator[PhasePlan]:
        """The search, and the account."""
        words = f"the smallest fall that reaches the loss limit, to {self.resolution:.2%}"
        yield PhasePlan(self.title, words, _LEAD_S + 2.0)
        yield PhasePlan(f"{self.title}-after", "every message drained and counted", TAIL_S)
