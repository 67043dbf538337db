"""The load of a storm as a plan: the tape's stress from the window's first instant, and a warm-up before it."""

import pytest

from stress.load.plan import OpenPhase, Request, Target, mistakes
from stress.roles.storm import plan
from stress.specs.storm import Storm
from stress.targets import STEP_S, rate_curve, stress_curve

AIMS = tuple(Target(f"e{n}", 8000 + n, (Request("/health"),), 10) for n in range(13))
WINDOW_AT = 100_000_000_000


def storm(**more: object) -> Storm:
    return Storm(scenario="flash-crash-2010", mix="health", connections=130, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("warm_s", "cells"), [(0.0, 0), (0.3, 3), (1.0, 10), (2.5, 25)])
def test_the_warm_up_ends_where_the_window_begins(warm_s: float, cells: int) -> None:
    spec = storm(warm_s=warm_s, arrivals="even")
    made = plan(spec, spec.tape(), AIMS, 1000.0, 7, WINDOW_AT)
    assert not mistakes(made)
    (phase,) = made.phases
    assert isinstance(phase, OpenPhase) and phase.arrivals == "even"
    tape = rate_curve(stress_curve(spec.tape(), STEP_S), 700.0, 0.2)
    assert phase.rate[cells:] == tape
    assert phase.rate[:cells] == (tape[0],) * cells
    assert made.start_ns + round(phase.warm_s * 1e9) == WINDOW_AT


def test_its_generator_has_as_many_processes_as_it_says() -> None:
    spec = storm(processes=3)
    assert plan(spec, spec.tape(), AIMS, 1000.0, 7, WINDOW_AT).processes == 3
    assert ", 3 generator processes" in next(step.what for step in spec.plan() if step.name == "window")
