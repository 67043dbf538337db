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


class Data(Spec, frozen=True, kw_only=True, tag="data"):
    """Every external source of data is asked for a few rows; with `simulate` a simulator of its protocol instead."""

    simulate: bool = False
    timeout_s: Seconds = 10.0

    def plan(self) -> Iterator[PhasePlan]:
        """One step."""
        whom = "simulators of the eight external sources" if self.simulate else "the eight external sources"
        yield PhasePlan(self.title, f"{whom} are asked for a few rows each", 1.0 if self.simulate else self.timeout_s)


class InFlight(Spec, frozen=True, kw_only=True, tag="inflight"):
    """So many operations unanswered at any time, shared evenly by the engines, each on a connection of its own."""

    mix: Mix
    operations: Annotated[int, Meta(ge=13, le=50_000)] = 10_000
    seconds: Annotated[int, Meta(ge=1, le=86_400)] = 10
    timeout_s: Seconds = 30.0

    def plan(self) -> Iterator[PhasePlan]:
        """One step: connections are opened first, and the last answers come after it."""
        seconds = self.operations / _CONNECTS_PER_S + self.seconds + PAUSE_S
        yield PhasePlan(self.title, f"closed loop, {self.operations} operations in flight: {self.mix}", seconds)


class Search(Spec, frozen=True, kw_only=True, tag="search"):
    """The highest rate of an open model at which the p99 stays below `limit_ms` and nothing fails.

    Rates are doubled or halved from `first_rps` until the limit lies between two, then bisected until they are less
    than `resolution` apart, in `steps` steps at most.  Each runs `warm_s`, which is discarded, then `step_s`; a rate
    that does not hold is tried once more.
    """

    mix: Mix
    limit_ms: Annotated[float, Meta(gt=0, le=60_000)] = 10.0
    first_rps: Annotated[float, Meta(gt=0, le=1_000_000)] = 1000.0
    resolution: Annotated[float, Meta(gt=0, le=1)] = 0.1
    steps: Annotated[int, Meta(ge=1, le=100)] = 16
    connections: Annotated[int, Meta(ge=13, le=60_000)] = 260
    warm_s: Seconds = 1.0
    step_s: Seconds = 4.0
    timeout_s: Seconds = 5.0

    def plan(self) -> Iterator[PhasePlan]:
        """One step, for as many rates as there may be."""
        words = f"highest rate with a p99 below {self.limit_ms:g} ms, {self.steps} rates at most: {self.mix}"
        yield PhasePlan(self.title, words, self.steps * (self.warm_s + self.step_s + _OPENING_S))


class Backtests(Spec, frozen=True, kw_only=True, tag="backtests"):
    """Many backtests at once; every `check_every`th is computed again by a loop over the days.

    `sweeps` of them are grids of crossovers; `refused` cannot be run and must be refused.
    """

    singles: Annotated[int, Meta(ge=1, le=100_000)] = 400
    sweeps: Annotated[int, Meta(ge=0, le=10_000)] = 20
    refused: Annotated[int, Meta(ge=0, le=10_000)] = 20
    concurrency: Annotated[int, Meta(ge=1, le=256)] = 32
    check_every: Annotated[int, Meta(ge=1)] = 10
    timeout_s: Seconds = 30.0

    def plan(self) -> Iterator[PhasePlan]:
        """One step."""
        words = f"{self.singles} backtests and {self.sweeps} sweeps, {self.concurrency} at once"
        yield PhasePlan(self.title, words, self.singles * _BACKTEST_S + self.sweeps * _SWEEP_S + PAUSE_S)


_RECOVERY_S = 1.5
_CONNECTS_PER_S = 2000.0
_OPENING_S = 1.5  # of a step of a search: a generator starts and opens its connections
_BACKTEST_S, _SWEEP_S = 0.01, 0.1
_KINDS = (Idle, Calibrate, Storm, Faults, Data, InFlight, Search, Backtests)
AnySpec = Idle | Calibrate | Storm | Faults | Data | InFlight | Search | Backtests
ROLES: dict[str, type[Spec]] = {str(kind.__struct_config__.tag): kind for kind in _KINDS}


def varied(spec: Spec, changes: dict[str, Any]) -> Spec:
    """The phase with some fields changed.  Raises msgspec.ValidationError when a value cannot be."""
    known = {key: value for key, value in msgspec.to_builtins(spec).items() if key not in ("quick", "full", "role")}
    return msgspec.convert({**known, **changes, "role": spec.role}, type(spec))
