"""A warm-up is sent and counted apart."""

from pathlib import Path

import pytest
from faulty_server import FaultyServer
from load_rig import RunPlan
from test_load_generators import logged

from stress.load.plan import ClosedPhase, LoadPlan, OpenPhase, Request, Target, mistakes
from stress.load.result import LoadSecond

WARM_S, SECONDS, RATE = 1.0, 2.5, 100


def target(server: FaultyServer, path: str = "/ok") -> Target:
    return Target("a", server.port, (Request(path),), 4)


def test_the_warm_up_of_an_open_phase_is_in_no_histogram(
    run_plan: RunPlan, server: FaultyServer, tmp_path: Path
) -> None:
    server.stall_at, server.stall_s = 20, 0.3
    phase = OpenPhase("p", (float(RATE),) * 25, 0.1, "even", warm_s=WARM_S)
    result, lines = run_plan(LoadPlan((target(server),), (phase,)))
    found = result.phases[0]
    counts, warm = found.targets["a"].counts, found.targets["a"].warm
    assert warm is not None
    assert (warm.scheduled, warm.done, counts.scheduled, counts.done) == (100, 100, 150, 150)
    assert server.seen == 250
    for kind in ("a", "generator-lag", "a.service-time"):
        assert logged(tmp_path / f"p.{kind}.hlog").total_count == 150
    assert found.latency is not None and found.latency.count == 150
    assert found.latency.max_us < 300_000  # the stall was in the warm-up
    assert min(s.intended_ns for s in found.slowest) >= found.started_ns
    seconds = [line for line in lines if isinstance(line, LoadSecond)]
    assert [line.second for line in seconds][:3] == [-1, 0, 1]
    assert sum(line.targets["a"].scheduled for line in seconds if line.second >= 0) == 150
    assert sum(line.targets["a"].done for line in seconds if line.second >= 0) == 150
    assert 90 <= sum(line.targets["a"].done for line in seconds if line.second < 0) <= 100


def test_a_closed_phase_warms_up_too(run_plan: RunPlan, server: FaultyServer, tmp_path: Path) -> None:
    result, _ = run_plan(LoadPlan((target(server),), (ClosedPhase("c", 2, 0.6, think_s=0.05, warm_s=0.3),)))
    found = result.phases[0]
    counts, warm = found.targets["a"].counts, found.targets["a"].warm
    assert warm is not None and warm.done > 0 and counts.done > 0
    assert warm.done + counts.done == server.seen
    assert logged(tmp_path / "c.a.hlog").total_count == counts.scheduled
    assert found.seconds < 0.6


def test_without_a_warm_up_there_is_none(run_plan: RunPlan, server: FaultyServer) -> None:
    result, _ = run_plan(LoadPlan((target(server),), (OpenPhase("p", (50.0,) * 2, 0.1),)))
    assert result.phases[0].targets["a"].warm is None


@pytest.mark.parametrize("warm_s", [-0.1, 2.5, 3.0, float("nan")])
def test_a_warm_up_that_leaves_nothing_is_refused(warm_s: float) -> None:
    phase = OpenPhase("p", (1.0,) * 25, 0.1, warm_s=warm_s)
    plan = LoadPlan((Target("a", 1, (Request("/ok"),), 1),), (phase,))
    assert "warm-up" in "".join(mistakes(plan))
