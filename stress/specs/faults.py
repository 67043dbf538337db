"""Faults while a calm day is replayed, as data: a matrix, a list, or a schedule."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from engines.wire import manifest as manifests
from engines.wire import scenario_file
from engines.wire.errors import UnknownName
from stress.faults.fault import BUSES, Fault
from stress.faults.kinds import KINDS
from stress.specs import strike
from stress.specs.base import TAIL_S, PhasePlan, Seconds, Spec
from stress.specs.strike import Strike

_RECOVERY_S = 1.5


class Faults(Spec, frozen=True, kw_only=True, tag="faults"):
    """Every fault of `kinds` at every one of `targets` that it can be at, then those of `faults`, one after the other;
    or, where they say when (`at_s`), those of `faults` on one timeline of `window_s`.  A calm day is replayed.

    `targets`: names of engines, buses (bus-main, bus-market), the supervisor or the host; "engines" and "buses" are all
    of them.  A lasting fault of the matrix lasts `pause_s`; `limit_s` is the longest wait for a recovery; `rest_s` lies
    between two faults.
    """

    MEASURES = ("health",)

    kinds: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    faults: tuple[Strike, ...] = ()
    scenario: str = "flash-crash-2010"
    speed: Annotated[float, Meta(gt=0, le=1000)] = 10.0
    pause_s: Seconds = 2.0
    limit_s: Seconds = 20.0
    rest_s: Annotated[float, Meta(ge=0, le=600)] = 0.5
    drain_s: Seconds = 30.0
    window_s: Seconds | None = None

    @property
    def scheduled(self) -> bool:
        """Whether its faults strike by the clock."""
        return any(each.at_s is not None for each in self.faults)

    def mistakes(self) -> Iterator[str]:
        """The scenario, kinds, targets and times are there and fit."""
        if self.scenario not in scenario_file.names():
            yield f"scenario: {UnknownName('scenario', self.scenario, scenario_file.names())}"
        yield from self._matrix_mistakes()
        if self.scheduled and (self.kinds or self.targets):
            yield "faults: a schedule (at_s) is a phase of its own, without kinds and targets"
        if self.window_s is not None and not self.scheduled:
            yield "window_s: only a schedule (at_s) has a window"
        yield from strike.mistakes(self.faults, scheduled=self.scheduled, window_s=self.window_s)

    def _matrix_mistakes(self) -> Iterator[str]:
        if not self.kinds and (self.targets or not self.faults):
            yield "kinds: one at least"
        if self.kinds and not self.targets:
            yield "targets: one at least"
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        for kind in unknown:
            yield f"kinds: {UnknownName('kind of fault', kind, KINDS)}"
        known = ("engines", "buses", *strike.everyone())
        for target in self.targets:
            if target not in known:
                yield f"targets: {UnknownName('target', target, known)}"
        if unknown or not self.kinds:
            return
        hit = self.matrix()
        for target in self.targets:
            if target in strike.everyone() and all(name != target for _, name in hit):
                told = (words for kind in self.kinds for words in KINDS[kind].mistakes(target, {}))
                yield f"targets: {'; '.join(dict.fromkeys(told))}"
        for kind in self.kinds:
            if self.targets and all(name != kind for name, _ in hit):
                yield f"kinds: {kind} can be at none of the targets without parameters of its own; list it in faults"

    def matrix(self) -> tuple[tuple[str, str], ...]:
        """(kind, target) of every fault that can be: engines, then buses, then the supervisor and the host."""
        wanted = set(self.targets)
        engines = {manifest.name for manifest in manifests.discover()}
        chosen = [
            name
            for name in strike.everyone()
            if name in wanted or ("buses" in wanted and name in BUSES) or ("engines" in wanted and name in engines)
        ]
        return tuple((kind, name) for name in chosen for kind in self.kinds if not [*KINDS[kind].mistakes(name, {})])

    def all(self) -> tuple[Fault, ...]:
        """The matrix, then the list, as they are injected."""
        strikes = [
            Strike(kind=kind, target=target, for_s=self.pause_s if KINDS[kind].lasting else None)
            for kind, target in self.matrix()
        ]
        return strike.faults(self.title, [*strikes, *self.faults])

    @property
    def seconds(self) -> float:
        """About how long it takes; of a schedule, its window."""
        if self.scheduled:
            return self.window_s or max(each.span()[1] for each in self.faults)
        found = self.all()
        return sum(_RECOVERY_S + self.rest_s + (fault.for_s or 0.0) for fault in found)

    def plan(self) -> Iterator[PhasePlan]:
        """One step, its faults where they are listed, and the account."""
        found = self.all()
        kinds = ", ".join(dict.fromkeys(fault.kind for fault in found))
        how = "on one timeline" if self.scheduled else "one after the other"
        yield PhasePlan(self.title, f"{len(found)} faults ({kinds}), {how}, while a day is replayed", self.seconds)
        yield from strike.rows(self.title, self.faults)
        yield PhasePlan(f"{self.title}-after", "every message drained and counted", TAIL_S)
