"""The load role: shapes as plans, weights and connections, and what cannot be flown."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.load.plan import ClosedPhase, OpenPhase, Request, Target, mistakes
from stress.load.processes import processes_of
from stress.mission import FOLDER, MissionErrors, parse
from stress.roles.load import plan, weighted
from stress.specs.load import Closed, Constant, Load, Ramp, Shape, Shaped, Spike, Steps

FLASH = (FOLDER / "flash-crash.toml").read_text()


def load(shape: Shape, **more: object) -> Load:
    return Load(mix="health", shape=shape, **more)  # type: ignore[arg-type]


def aims(*names: str, connections: int = 10) -> list[Target]:
    return [Target(name, 8000 + n, (Request("/health"),), connections) for n, name in enumerate(names)]


def opened(spec: Load, capacity: float = 0.0) -> OpenPhase:
    made = plan(spec, aims("risk", "vpin"), capacity, 7)
    assert not mistakes(made)
    phase = made.phases[-1]
    assert isinstance(phase, OpenPhase) and phase.name == "load"
    return phase


@pytest.mark.parametrize(
    ("shape", "first", "last", "requests"),
    [
        (Constant(rate=50), 50, 50, 500),
        (Ramp(start=0, end=100), 0.5, 99.5, 500),
        (Steps(rates=(10, 20, 40, 80)), 10, 80, 375),
        (Spike(base=10, peak=200, at_s=4, width_s=1), 10, 10, 290),
    ],
)
def test_a_shape_is_its_integral(shape: Shape, first: float, last: float, requests: float) -> None:
    phase = opened(load(shape))
    assert (phase.rate[0], phase.rate[-1]) == (first, last)
    assert sum(phase.rate) * phase.step_s == pytest.approx(requests)
    assert phase.duration_s == pytest.approx(10)


def test_a_share_is_of_the_calibrated_capacity() -> None:
    assert set(opened(load(Constant(rate=0.5), unit="share"), capacity=8000).rate) == {4000.0}


def test_the_warm_up_is_a_phase_apart_at_the_first_rate() -> None:
    made = plan(load(Ramp(start=0, end=100), warm_s=2.0, arrivals="even"), aims("risk"), 0.0, 7)
    warm, measured = made.phases
    assert isinstance(warm, OpenPhase) and isinstance(measured, OpenPhase)
    assert (warm.name, warm.rate, warm.duration_s, warm.arrivals) == ("load-warm", (0.5,), 2.0, "even")
    assert len(plan(load(Constant(rate=1), warm_s=0.0), aims("risk"), 0.0, 7).phases) == 1


def test_a_scenarios_stress_is_stretched_over_the_seconds() -> None:
    phase = opened(load(Shaped(scenario="flash-crash-2010", peak=1000.0), seconds=30.0))
    assert len(phase.rate) == 300 and min(phase.rate) >= 200 and 850 <= max(phase.rate) <= 1150
    assert int(np.argmax(phase.rate)) == pytest.approx(300 * 23.2 / 60, abs=6)  # 14:45:28, where a storm has it too
    flat = opened(load(Shaped(scenario="flash-crash-2010", peak=1000.0, floor=1.0), seconds=30.0))
    assert set(flat.rate) == {1000.0}


def test_beside_calm_hours_there_is_an_account_and_the_day_must_be_one() -> None:
    spec = load(Constant(rate=50), scenario="flash-crash-2010", speed=5.0)
    assert list(spec.mistakes()) == []
    during, after = spec.plan()
    assert "beside calm hours of flash-crash-2010 at 5x" in during.what and after.name == "load-after"
    assert len(list(load(Constant(rate=50)).plan())) == 1
    (mistake,) = load(Constant(rate=50), scenario="flash-crash-2011").mistakes()
    assert "scenario: There is no scenario 'flash-crash-2011'. Did you mean 'flash-crash-2010'?" in mistake


SHAPES = {
    "constant": "rate = 50",
    "ramp": "start = 0, end = 100",
    "steps": "rates = [10, 20]",
    "spike": "base = 10, peak = 200, at_s = 4, width_s = 1",
    "scenario": 'scenario = "flash-crash-2010", peak = 100',
}


@pytest.mark.parametrize("arrivals", ["poisson", "even"])
@pytest.mark.parametrize("kind", SHAPES)
def test_every_shape_and_kind_of_arrivals_can_be_written_in_a_mission(kind: str, arrivals: str) -> None:
    table = f'role = "load"\nmix = "health"\nshape = {{ kind = "{kind}", {SHAPES[kind]} }}\narrivals = "{arrivals}"'
    (spec,) = parse(FLASH.replace("[[phases]]", f"[[phases]]\n{table}\n\n[[phases]]", 1)).of(Load)
    phase = opened(spec)
    assert phase.arrivals == arrivals
    assert phase.duration_s == pytest.approx(10.0)
    assert kind in next(spec.plan()).what


def test_several_processes_share_a_load_and_each_has_its_connections() -> None:
    spec = load(Closed(concurrency=8), processes=3, connections=10)
    made = plan(spec, weighted(aims("risk", "vpin"), spec), 0.0, 7)
    assert made.processes == 3 and not mistakes(made)
    skewed = load(Constant(rate=1), processes=3, engines={"risk": 1000, "vpin": 1}, connections=40)
    assert [each.connections for each in weighted(aims("risk", "vpin"), skewed)] == [37, 3]


@pytest.mark.parametrize(("cores", "processes"), [(1, 1), (2, 1), (7, 1), (8, 2), (12, 3), (16, 4), (128, 4)])
def test_automatic_processes_leave_the_cores_to_the_fleet(cores: int, processes: int) -> None:
    assert processes_of("auto", cores) == processes
    assert processes_of(5, cores) == 5


def test_a_closed_shape_has_think_time() -> None:
    made = plan(load(Closed(concurrency=4, think_s=0.25), seconds=3.0), aims("risk"), 0.0, 7)
    phase = made.phases[-1]
    assert phase == ClosedPhase("load", 4, 3.0, 0.25)
    assert not mistakes(made)


def test_weights_deal_arrivals_and_connections() -> None:
    spec = load(Constant(rate=1), engines={"risk": 3, "vpin": 1}, connections=42)
    found = weighted(aims("risk", "vpin", connections=21), spec)
    assert [(each.weight, each.connections) for each in found] == [(3, 31), (1, 11)]


@given(st.lists(st.floats(0.01, 1000), min_size=1, max_size=13), st.integers(0, 500))
def test_every_connection_is_dealt_and_each_engine_has_one(weights: list[float], spare: int) -> None:
    names = [f"e{n}" for n in range(len(weights))]
    spec = load(Constant(rate=1), engines=dict(zip(names, weights, strict=True)), connections=len(names) + spare)
    dealt = [each.connections for each in weighted(aims(*names), spec)]
    assert sum(dealt) == len(names) + spare and min(dealt) >= 1


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('shape = { kind = "constant" }', "shape: Object missing required field `rate`"),
        ('shape = { kind = "ramp", start = 1, end = 2, rate = 3 }', "unknown field `rate`"),
        ('shape = { kind = "saw" }', "shape: Invalid value 'saw'"),
        ('shape = { kind = "steps", rates = [] }', "shape: steps need a rate at least"),
        ('shape = { kind = "steps", rates = [0, 0] }', "shape: it sends nothing"),
        ('shape = { kind = "spike", base = 1, peak = 2, at_s = 9, width_s = 2 }', "shape: A spike of 2 s at 9 s"),
        ('shape = { kind = "constant", rate = 1 }\nseconds = 1.23', "shape: 1.23 s are no whole number of cells"),
        ('shape = { kind = "closed", concurrency = 999 }', "shape: more requests outstanding than connections"),
        ('shape = { kind = "closed", concurrency = 9 }\nunit = "share"', "unit: a closed shape has no rate"),
        ('shape = { kind = "constant", rate = 1 }\nengines = { riks = 1 }', "Did you mean 'risk'?"),
        ('shape = { kind = "constant", rate = 1 }\nconnections = 5', "connections: fewer than the 13 engines"),
        ('shape = { kind = "scenario", scenario = "flash", peak = 1 }', "shape: "),
        ('shape = { kind = "closed", concurrency = 2 }\nprocesses = 3', "shape: fewer than the 3 processes"),
        ('shape = { kind = "constant", rate = 1 }\nprocesses = 17', "processes: "),
        ('shape = { kind = "constant", rate = 1 }\nprocesses = "many"', "processes: "),
        ('shape = { kind = "constant", rate = 1 }\nprocesses = 11', "processes: 11, which needs 143 connections"),
        ('shape = { kind = "constant", rate = 1 }\nconnections = 20\nprocesses = "auto"', "processes: auto may be 4"),
        ('shape = { kind = "constant", rate = 1 }\nunit = "share"', "unit: no calibration of 'health' comes before it"),
    ],
)
def test_what_cannot_be_flown_is_told(table: str, words: str) -> None:
    with pytest.raises(MissionErrors) as caught:
        parse(FLASH.replace("[[phases]]", f'[[phases]]\nrole = "load"\nmix = "health"\n{table}\n\n[[phases]]', 1))
    assert words in "\n".join(caught.value.mistakes)
    assert len(caught.value.mistakes) == 1
