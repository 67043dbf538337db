"""The phases that a mission may have, as data: one frozen type a role, told apart by `role` in the mission's file.

Each says what is wrong with it, and what it would do and for how long.  `stress.roles` carries them out.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from engines.wire import manifest as manifests
from engines.wire import scenario_file
from engines.wire.errors import UnknownName
from engines.wire.scenario import Scenario

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Share = Annotated[float, Meta(gt=0, le=1)]
Mix = Literal["health", "compute"]

CLOSE_S, TAIL_S, PAUSE_S = 12.0, 5.0, 3.0
BOOT_S = 4.0


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a mission file."""


class PhasePlan(msgspec.Struct, frozen=True):
    """One phase: what happens and for about how long."""

    name: str
    what: str
    seconds: float


class Spec(Part, frozen=True, kw_only=True, tag_field="role"):
    """A phase.  `quick` and `full`: the fields that `--quick` and `--full` change, with their other values."""

    name: str = ""  # of its records; the role's when empty
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

    def mistakes(self) -> Iterator[str]:
        """What types do not show."""
        yield from ()

    def plan(self) -> Iterator[PhasePlan]:
        """What it would do."""
        raise NotImplementedError


class Idle(Spec, frozen=True, kw_only=True, tag="idle"):
    """Health of each engine without load: the normal response."""

    seconds: Seconds = 5.0

    def plan(self) -> Iterator[PhasePlan]:
        """One step."""
        yield PhasePlan(self.title, "health of each engine without load", self.seconds)


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


class Storm(Spec, frozen=True, kw_only=True, tag="storm"):
    """A scenario's tape with the load that follows its stress y: `R_max (floor + (1 - floor) y)`.

    R_max is `share` of the calibrated capacity of `mix`.  `lead_s`: from the replay's start to its measured window;
    `window_s` narrows that window around the low.
    """

    scenario: str
    mix: Mix
    connections: Annotated[int, Meta(ge=13, le=60_000)]
    share: Share = 0.7
    floor: Share = 0.2
    timeout_s: Seconds = 5.0
    lead_s: Seconds = 15.0
    drain_s: Seconds = 30.0
    window_s: Seconds | None = None

    def mistakes(self) -> Iterator[str]:
        """The scenario is one."""
        if self.scenario not in scenario_file.names():
            yield f"scenario: {UnknownName('scenario', self.scenario, scenario_file.names())}"

    def tape(self) -> Scenario:
        """The scenario with its measured window."""
        scenario = scenario_file.load(self.scenario)
        return scenario if self.window_s is None else scenario.quick(self.window_s)

    @property
    def window(self) -> str:
        """The name of its measured part."""
        return self.name or "window"

    def plan(self) -> Iterator[PhasePlan]:
        """Before, the measured window, after."""
        window = self.tape().window
        before = f"{self.name}-before" if self.name else "before"
        after = f"{self.name}-after" if self.name else "after"
        hours = f"{window.start:%H:%M:%S}-{window.end:%H:%M:%S} at {window.speed:g}x, {self.connections} connections"
        yield PhasePlan(before, f"the day until {window.start:%H:%M}, as fast as it is taken", self.lead_s)
        yield PhasePlan(self.window, hours, window.wall_s)
        yield PhasePlan(after, "the rest of the day, then every message drained and counted", TAIL_S)


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


_RECOVERY_S = 1.5
AnySpec = Idle | Calibrate | Storm | Faults
ROLES: dict[str, type[Spec]] = {str(kind.__struct_config__.tag): kind for kind in (Idle, Calibrate, Storm, Faults)}


def varied(spec: Spec, changes: dict[str, Any]) -> Spec:
    """The phase with some fields changed.  Raises msgspec.ValidationError when a value cannot be."""
    known = {key: value for key, value in msgspec.to_builtins(spec).items() if key not in ("quick", "full", "role")}
    return msgspec.convert({**known, **changes, "role": spec.role}, type(spec))
