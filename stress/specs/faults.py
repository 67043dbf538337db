"""A matrix of faults, as data."""

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta

from engines.wire import manifest as manifests
from engines.wire import scenario_file
from engines.wire.errors import UnknownName
from stress.specs.base import TAIL_S, PhasePlan, Seconds, Spec

_RECOVERY_S = 1.5


class Faults(Spec, frozen=True, kw_only=True, tag="faults"):
    """Every fault of `kinds` at every one of `targets`, one after the other, while a calm day is replayed.

    `targets`: names of engines, buses (bus-main, bus-market) or the supervisor; "engines" and "buses" are all of them.
    A pause lasts `pause_s`; `limit_s` is the longest wait for a recovery; `rest_s` lies between two faults.
    """

    kinds: tuple[Literal["kill", "term", "pause"], ...]
    targets: tuple[str, ...]
    scenario: str = "flash-crash-2010"
    speed: Annotated[float, Meta(gt=0, le=1000)] = 10.0
    pause_s: Seconds = 2.0
    limit_s: Seconds = 20.0
    rest_s: Annotated[float, Meta(ge=0, le=600)] = 0.5
    drain_s: Seconds = 30.0

    def mistakes(self) -> Iterator[str]:
        """The scenario and the targets are there."""
        if self.scenario not in scenario_file.names():
            yield f"scenario: {UnknownName('scenario', self.scenario, scenario_file.names())}"
        if not self.kinds:
            yield "kinds: one at least"
        known = ("engines", "buses", *self.everyone())
        for target in self.targets:
            if target not in known:
                yield f"targets: {UnknownName('target', target, known)}"
        if "supervisor" in self.targets and set(self.kinds) == {"pause"}:
            yield "targets: a paused supervisor is not noticed by anyone; kill it instead"

    @staticmethod
    def everyone() -> tuple[str, ...]:
        """All that can be harmed."""
        return (*(manifest.name for manifest in manifests.discover()), "bus-main", "bus-market", "supervisor")

    def matrix(self) -> tuple[tuple[Literal["kill", "term", "pause"], str], ...]:
        """(kind, target) of every fault, in order: engines, then buses, then the supervisor, which is only killed."""
        wanted = set(self.targets)
        chosen = [
            name
            for name in self.everyone()
            if name in wanted
            or ("buses" in wanted and name.startswith("bus-"))
            or ("engines" in wanted and not name.startswith("bus-") and name != "supervisor")
        ]
        return tuple((kind, name) for name in chosen for kind in self.kinds if name != "supervisor" or kind != "pause")

    def plan(self) -> Iterator[PhasePlan]:
        """One step, and the account."""
        count = len(self.matrix())
        pauses = sum(kind == "pause" for kind, _ in self.matrix())
        seconds = count * (_RECOVERY_S + self.rest_s) + pauses * self.pause_s
        words = f"{count} faults ({', '.join(self.kinds)}), one after the other, while a day is replayed"
        yield PhasePlan(self.title, words, seconds)
        yield PhasePlan(f"{self.title}-after", "every message drained and counted", TAIL_S)
