"""A load of its own, as data: constant, in a ramp, in steps, with a spike, as a scenario, or closed."""

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engines.wire import scenario_file
from engines.wire.errors import UnknownName
from stress.load import shapes
from stress.load.errors import LoadError
from stress.specs.base import (
    CONNECTS_PER_S,
    PAUSE_S,
    TAIL_S,
    Arrivals,
    Mix,
    Part,
    PhasePlan,
    Seconds,
    Share,
    Spec,
    WarmUp,
)
from stress.specs.crew import Processes, able, crew_mistakes, crew_words, few_mistakes

Rate = Annotated[float, Meta(ge=0, le=1_000_000)]


class Constant(Part, frozen=True, kw_only=True, tag_field="kind", tag="constant"):
    """The same rate all the time."""

    rate: Annotated[float, Meta(gt=0, le=1_000_000)]


class Ramp(Part, frozen=True, kw_only=True, tag_field="kind", tag="ramp"):
    """A straight line from one rate to another."""

    start: Rate
    end: Rate


class Steps(Part, frozen=True, kw_only=True, tag_field="kind", tag="steps"):
    """One rate after the other, each for the same time."""

    rates: tuple[Rate, ...]


class Spike(Part, frozen=True, kw_only=True, tag_field="kind", tag="spike"):
    """A rate, and another for `width_s` from `at_s` on."""

    base: Rate
    peak: Rate
    at_s: Seconds
    width_s: Seconds


class Shaped(Part, frozen=True, kw_only=True, tag_field="kind", tag="scenario"):
    """The stress y of a scenario's measured window over the phase's seconds: `peak (floor + (1 - floor) y)`."""

    scenario: str
    peak: Annotated[float, Meta(gt=0, le=1_000_000)]
    floor: Share = 0.2


class Closed(Part, frozen=True, kw_only=True, tag_field="kind", tag="closed"):
    """So many requests outstanding: each answer starts the next request after `think_s`."""

    concurrency: Annotated[int, Meta(ge=1, le=50_000)]
    think_s: Annotated[float, Meta(ge=0, le=600)] = 0.0


Shape = Constant | Ramp | Steps | Spike | Shaped | Closed


class Load(Spec, frozen=True, kw_only=True, tag="load"):
    """Requests of a mix in a shape, for `seconds` after `warm_s` that is discarded.

    `unit`: whether the shape's rates are requests per second or shares of the capacity of `mix` that was calibrated.
    `engines`: which engines are asked, each with its weight; all alike when empty.  `processes`: of the generator.
    `scenario`: the day whose calm hours are replayed meanwhile at `speed` times the clock, and then accounted for.
    """

    MEASURES = ("load", "health")

    mix: Mix
    shape: Shape
    seconds: Seconds = 10.0
    warm_s: WarmUp = 1.0
    unit: Literal["rps", "share"] = "rps"
    arrivals: Arrivals = "poisson"
    connections: Annotated[int, Meta(ge=1, le=60_000)] = 130
    engines: dict[str, Annotated[float, Meta(gt=0, le=1e6)]] = msgspec.field(default_factory=dict)
    timeout_s: Seconds = 5.0
    processes: Processes = 1
    scenario: str | None = None
    speed: Annotated[float, Meta(gt=0, le=1000)] = 10.0
    drain_s: Seconds = 30.0

    def asked(self) -> tuple[str, ...]:
        """The engines that get requests."""
        return tuple(name for name in able(self.mix) if not self.engines or name in self.engines)

    def curve(self, capacity: float) -> shapes.Curve:
        """Requests per second in cells of `shapes.STEP_S`; none for a closed shape.  Raises LoadError."""
        unit = capacity if self.unit == "share" else 1.0
        match self.shape:
            case Constant(rate=rate):
                return shapes.constant(unit * rate, self.seconds)
            case Ramp(start=start, end=end):
                return shapes.ramp(unit * start, unit * end, self.seconds)
            case Steps(rates=rates):
                return shapes.steps([(unit * rate, self.seconds / len(rates)) for rate in rates])
            case Spike(base=base, peak=peak, at_s=at_s, width_s=width_s):
                return shapes.spike(unit * base, unit * peak, at_s, width_s, self.seconds)
            case Shaped(scenario=name, peak=peak, floor=floor):
                return shapes.as_stress(scenario_file.load(name), unit * peak, floor, self.seconds)
            case Closed():
                return ()

    def mistakes(self) -> Iterator[str]:
        """The engines are there and have connections; the shape fits into its seconds."""
        known = able(self.mix)
        for engine in self.engines:
            if engine not in known:
                yield f"engines: {UnknownName('engine', engine, known)}"
        asked = len(self.asked())
        if self.connections < asked:
            yield f"connections: fewer than the {asked} engines that are asked"
        else:
            yield from crew_mistakes(self.processes, self.connections, asked)
        if self.scenario is not None and self.scenario not in scenario_file.names():
            yield f"scenario: {UnknownName('scenario', self.scenario, scenario_file.names())}"
        yield from self._shape_mistakes()

    def _shape_mistakes(self) -> Iterator[str]:
        match self.shape:
            case Steps(rates=()):
                yield "shape: steps need a rate at least"
                return
            case Shaped(scenario=name) if name not in scenario_file.names():
                yield f"shape: {UnknownName('scenario', name, scenario_file.names())}"
                return
            case Closed(concurrency=concurrency):
                if concurrency > self.connections:
                    yield "shape: more requests outstanding than connections"
                yield from few_mistakes(self.processes, concurrency, "shape")
                if self.unit == "share":
                    yield "unit: a closed shape has no rate to be a share"
                return
        try:
            rates = self.curve(1.0)
        except LoadError as error:
            yield f"shape: {' '.join(str(error).split())}"
            return
        if not any(rates):
            yield "shape: it sends nothing"

    def plan(self) -> Iterator[PhasePlan]:
        """One step."""
        whom = f"{len(self.asked())} engines"
        if isinstance(self.shape, Closed):
            what = f"closed loop, {self.shape.concurrency} outstanding, {self.mix} of {whom}"
        else:
            unit = "of the capacity" if self.unit == "share" else "requests/s"
            rates = self.curve(1.0)
            kind = str(self.shape.__struct_config__.tag)
            what = f"{kind} of {min(rates):g} to {max(rates):g} {unit}, {self.arrivals} arrivals, {self.mix} of {whom}"
        what += crew_words(self.processes)
        if self.scenario is not None:
            what += f", beside calm hours of {self.scenario} at {self.speed:g}x"
        yield PhasePlan(self.title, what, self.connections / CONNECTS_PER_S + self.warm_s + self.seconds + PAUSE_S)
        if self.scenario is not None:
            yield PhasePlan(f"{self.title}-after", "every message drained and counted", TAIL_S)
