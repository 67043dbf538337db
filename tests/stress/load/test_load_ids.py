"""Correlation ids: each request carries its own, and the result names those to look for."""

import numpy as np
from faulty_server import FaultyServer
from hypothesis import given
from hypothesis import strategies as st
from load_rig import RunPlan

from stress.load.ids import of_arrival, of_phase, request_id
from stress.load.plan import LoadPlan, OpenPhase, Request, Target, mistakes
from stress.load.tables import mix_of


def plan_of(port: int, requests: tuple[Request, ...] = (Request("/ok"),), **settings: object) -> LoadPlan:
    phases = tuple(OpenPhase(name, (400.0,) * 2, 0.1) for name in ("one", "two"))
    return LoadPlan((Target("a", port, requests, 8),), phases, **settings)  # type: ignore[arg-type]


@given(st.integers(0, 99), st.integers(0, 2**32 - 1))
def test_the_id_in_the_bytes_is_the_id_that_is_reported(phase: int, n: int) -> None:
    mix = mix_of(plan_of(1, (Request("/ok"), Request("/x", method="POST", body="X-Request-Id: no")), run_id="r7"))
    for wire, at in zip(mix.wire, mix.id_at, strict=True):
        written = of_arrival(of_phase(wire, at, phase), at, n)
        assert len(written) == len(wire)
        assert f"\r\nX-Request-Id: {request_id('r7', phase, n)}\r\n".encode() in written


def test_every_request_has_an_id_of_its_own(run_plan: RunPlan, server: FaultyServer) -> None:
    run_plan(plan_of(server.port, (Request("/ok"), Request("/chunked")), run_id="r7"))
    assert sorted(server.ids) == [request_id("r7", phase, n) for phase in (0, 1) for n in range(80)]


def test_a_request_keeps_a_header_of_its_own_and_none_is_sent_where_none_is_wanted(
    run_plan: RunPlan, server: FaultyServer
) -> None:
    result, _ = run_plan(plan_of(server.port, (Request("/ok", headers={"X-Request-Id": "mine"}),)))
    assert set(server.ids) == {"mine"}
    assert {sighting.id for sighting in result.phases[0].slowest} == {""}
    server.ids.clear()
    run_plan(plan_of(server.port, correlate=False))
    assert server.ids == []


def test_the_slowest_and_the_first_failures_are_named(run_plan: RunPlan, server: FaultyServer) -> None:
    requests = (Request("/ok", weight=90), Request("/delay/60", weight=5), Request("/500", weight=5))
    result, _ = run_plan(plan_of(server.port, requests, run_id="r7", seed=5))
    for number, phase in enumerate(result.phases):
        assert [s.latency_us for s in phase.slowest] == sorted((s.latency_us for s in phase.slowest), reverse=True)
        assert phase.slowest[0].path == "/delay/60" and phase.slowest[0].latency_us >= 60_000
        assert len(phase.slowest) == 20
        assert phase.first_failed and {s.path for s in phase.first_failed} == {"/500"}
        assert {s.outcome for s in phase.first_failed} == {"http_5xx"}
        assert len(phase.first_failed) == min(20, phase.targets["a"].counts.failed["http_5xx"])
        times = [s.intended_ns for s in phase.first_failed]
        assert times == sorted(times) and times[0] >= phase.started_ns
        for sighting in (*phase.slowest, *phase.first_failed):
            assert sighting.id.startswith(f"r7-{number:02d}-")
            at = server.ids.index(sighting.id)
            assert server.paths[at] == sighting.path


def test_an_id_that_is_no_header_value_is_refused() -> None:
    assert "run_id" in "".join(mistakes(plan_of(1, run_id="a b")))
    assert "run_id" in "".join(mistakes(plan_of(1, run_id="a\r\nX: y")))
    assert np.array(mix_of(plan_of(1, correlate=False)).id_at).tolist() == [-1]
