"""A scenario's tape with load and, on the same timeline, faults and overlays, as data."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

from msgspec import Meta

from engines.wire import scenario_file
from engines.wire.errors import UnknownName
from engines.wire.scenario import Overlay, OverlayKind, Scenario
from engines.wire.scenario_rules import problems
from engines.wire.session import session_s, wall_time
from stress.specs import strike
from stress.specs.base import TAIL_S, Arrivals, Mix, Part, PhasePlan, Seconds, Share, Spec, WarmUp
from stress.specs.crew import Processes, able, crew_mistakes, crew_words
from stress.specs.strike import Strike


class Laid(Part, frozen=True, kw_only=True):
    """An overlay of the tape for `for_s`, `at_s` after the window's start (seconds of the run, not of the market)."""

    kind: OverlayKind
    at_s: Annotated[float, Meta(ge=0, le=86_400)]
    for_s: Seconds
    symbol: str = "*"
    amount: Annotated[float, Meta(ge=0)] = 0.0

    def over(self, scenario: Scenario) -> Overlay:
        """The same in market time."""
        window = scenario.window
        start = session_s(window.start) + self.at_s * window.speed
        return Overlay(
            self.kind, wall_time(start), wall_time(start + self.for_s * window.speed), self.symbol, self.amount
        )


class Storm(Spec, frozen=True, kw_only=True, tag="storm"):
    """A scenario's tape with the load that follows its stress y: `R_max (floor + (1 - floor) y)`.

    R_max is `share` of the calibrated capacity of `mix`.  `warm_s`: load before the window, at the rate that it begins
    with, which is discarded.  `lead_s`: from the replay's start to its measured window;
    `window_s` narrows that window around the low, `speed` is that of the market in it (1: real time).  `faults` strike
    while it lasts, each at its `at_s`; `overlays` are laid over the tape; `limit_s` is the longest wait for a step
    of a recovery.
    """

    MEASURES = ("load", "health")

    scenario: str
    mix: Mix
    connections: Annotated[int, Meta(ge=13, le=60_000)]
    share: Share = 0.7
    floor: Share = 0.2
    arrivals: Arrivals = "poisson"
    warm_s: WarmUp = 1.0
    processes: Processes = 1
    timeout_s: Seconds = 5.0
    lead_s: Seconds = 15.0
    drain_s: Seconds = 30.0
    window_s: Seconds | None = None
    speed: Annotated[float, Meta(ge=1, le=1000)] | None = None
    faults: tuple[Strike, ...] = ()
    overlays: tuple[Laid, ...] = ()
    limit_s: Seconds = 20.0

    def mistakes(self) -> Iterator[str]:
        """The scenario is one; faults and overlays fit into its window; every process has its connections."""
        yield from crew_mistakes(self.processes, self.connections, len(able(self.mix)))
        if self.scenario not in scenario_file.names():
            yield f"scenario: {UnknownName('scenario', self.scenario, scenario_file.names())}"
            yield from strike.mistakes(self.faults, scheduled=True, window_s=None)
            return
        window_s = self._bare().window.wall_s
        yield from strike.mistakes(self.faults, scheduled=True, window_s=window_s)
        late = {place: end for place, end in enumerate(o.at_s + o.for_s for o in self.overlays) if end > window_s}
        for place, end in late.items():
            yield f"overlays[{place}]: it ends at {end:g} s, after the window's end at {window_s:g} s"
        if self.overlays and not late:
            yield from problems(self.tape())

    def _bare(self) -> Scenario:
        scenario = scenario_file.load(self.scenario)
        if self.speed is not None:
            scenario = replace(scenario, window=replace(scenario.window, speed=self.speed))
        return scenario if self.window_s is None else scenario.quick(self.window_s)

    def tape(self) -> Scenario:
        """The scenario with its measured window and its overlays."""
        scenario = self._bare()
        laid = tuple(each.over(scenario) for each in self.overlays)
        return replace(scenario, overlays=scenario.overlays + laid) if laid else scenario

    def judged(self) -> tuple[str, ...]:
        """Its measured part."""
        return (self.window,)

    def text(self) -> str:
        """The scenario's own file with the overlays in it."""
        shipped = (scenario_file.FOLDER / f"{self.scenario}.toml").read_text("utf-8")
        scenario = self._bare()
        return shipped + "".join(_toml(each.over(scenario)) for each in self.overlays)

    @property
    def window(self) -> str:
        """The name of its measured part."""
        return self.name or "window"

    def plan(self) -> Iterator[PhasePlan]:
        """Before, the measured window with its schedule, after."""
        window = self.tape().window
        before = f"{self.name}-before" if self.name else "before"
        after = f"{self.name}-after" if self.name else "after"
        hours = f"{window.start:%H:%M:%S}-{window.end:%H:%M:%S} at {window.speed:g}x, {self.connections} connections"
        hours += crew_words(self.processes)
        yield PhasePlan(before, f"the day until {window.start:%H:%M}, as fast as it is taken", self.lead_s)
        yield PhasePlan(self.window, hours, window.wall_s)
        yield from strike.rows(self.window, self.faults)
        for place, each in enumerate(self.overlays):
            what = f"+{each.at_s:g} s: overlay {each.kind} of {_of(each.symbol)} for {each.for_s:g} s"
            yield PhasePlan(f"{self.window}-overlay-{place:03d}", what, 0.0)
        yield PhasePlan(after, "the rest of the day, then every message drained and counted", TAIL_S)


def _of(symbol: str) -> str:
    return "every symbol" if symbol == "*" else symbol


def _toml(overlay: Overlay) -> str:
    times = f"start = {_time(overlay.start)}\nend = {_time(overlay.end)}"
    return f'\n[[overlays]]\nkind = "{overlay.kind}"\n{times}\nsymbol = "{overlay.symbol}"\namount = {overlay.amount}\n'


def _time(time: dt.time) -> str:
    return time.isoformat(timespec="microseconds")
