"""Both generators against a server that misbehaves: nothing is lost, hidden or miscounted."""

import dataclasses
import socket
from pathlib import Path

import numpy as np
import pytest
from faulty_server import FaultyServer
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from load_rig import RunPlan

from stress.load.fold import empty_histogram
from stress.load.plan import Check, ClosedPhase, LoadPlan, OpenPhase, Request, Target
from stress.load.result import LoadReady, LoadSecond, PhaseResult, TargetCounts
from stress.load.session import ended
from stress.load.tables import Bout

VALUE = Check("rows.0.value", 1.5)


def phase_of(count: int, name: str = "p", duration_s: float = 0.15) -> OpenPhase:
    return OpenPhase(name, (count / duration_s,) * 5, step_s=duration_s / 5, arrivals="even")


def plan_of(server: FaultyServer, *paths: str, count: int = 100, connections: int = 8, **plan: object) -> LoadPlan:
    requests = tuple(Request(path, status=404 if path == "/404/expected" else 200) for path in paths)
    settings: dict[str, object] = {"timeout_s": 0.5, **plan}
    return LoadPlan((Target("a", server.port, requests, connections),), (phase_of(count),), **settings)  # type: ignore[arg-type]


def counts_of(phase: PhaseResult, target: str = "a") -> TargetCounts:
    return phase.targets[target].counts


def adds_up(counts: TargetCounts) -> bool:
    return counts.scheduled == counts.done + sum(counts.failed.values()) + counts.unsent


def beyond(histogram: HdrHistogram, ms: int) -> int:
    """How many values are `ms` milliseconds or more."""
    items = histogram.get_recorded_iterator()
    return sum(item.count_at_value_iterated_to for item in items if item.value_iterated_to >= ms * 1000)


def logged(path: Path) -> HdrHistogram:
    total = empty_histogram()
    reader = HistogramLogReader(str(path), total)
    while (interval := reader.get_next_interval_histogram()) is not None:
        total.add(interval)
    reader.close()
    return total


def one_target_each(server: FaultyServer, *paths: str) -> LoadPlan:
    """Twenty or so requests for each path, from connections of its own."""
    targets = tuple(Target(path.strip("/").partition("/")[0], server.port, (Request(path),), 20) for path in paths)
    return LoadPlan(targets, (phase_of(20 * len(paths)),), timeout_s=0.5)


def test_every_form_of_a_good_reply_is_done(run_plan: RunPlan, server: FaultyServer) -> None:
    plan = one_target_each(server, "/ok", "/delay/20", "/chunked", "/big", "/close", "/until-close")
    result, _ = run_plan(plan)
    for target in plan.targets:
        counts = counts_of(result.phases[0], target.name)
        assert counts.done == counts.scheduled > 0, target.name
    assert server.seen == 120


def test_every_failure_has_its_kind(run_plan: RunPlan, server: FaultyServer) -> None:
    kinds = {
        "reset": "reset",
        "half": "reset",
        "500": "http_5xx",
        "404": "http_4xx",
        "302": "http_other",
        "garbage": "http_other",
        "silent": "timeout",
    }
    result, _ = run_plan(one_target_each(server, *(f"/{path}" for path in kinds)))
    for path, kind in kinds.items():
        counts = counts_of(result.phases[0], path)
        assert counts.scheduled > 0
        assert (counts.done, counts.failed, counts.unsent) == (0, {kind: counts.scheduled}, 0), path


def test_the_expected_status_may_be_an_error(run_plan: RunPlan, server: FaultyServer) -> None:
    result, _ = run_plan(plan_of(server, "/404/expected"))
    assert counts_of(result.phases[0]).done == 100


def test_a_mixture_adds_up_in_total_and_over_the_seconds(run_plan: RunPlan, server: FaultyServer) -> None:
    paths = ("/ok", "/500", "/reset", "/close", "/half", "/chunked", "/silent", "/delay/5")
    result, lines = run_plan(plan_of(server, *paths, count=200, connections=4))
    counts = counts_of(result.phases[0])
    assert counts.scheduled == 200
    assert adds_up(counts)
    assert counts.unsent > 0  # silent replies hold the four connections
    seconds = [line.targets["a"] for line in lines if isinstance(line, LoadSecond)]
    for name in ("scheduled", "sent", "done", "unsent", "broken"):
        assert sum(getattr(second, name) for second in seconds) == getattr(counts, name), name
    kinds = {kind for second in seconds for kind in second.failed}
    assert {kind: sum(second.failed.get(kind, 0) for second in seconds) for kind in kinds} == counts.failed


@pytest.mark.parametrize("connections", [2, 64])
def test_a_stall_is_carried_by_every_request_scheduled_within_it(
    run_plan: RunPlan, server: FaultyServer, tmp_path: Path, connections: int
) -> None:
    server.stall_at, server.stall_s = 100, 0.3
    target = Target("a", server.port, (Request("/ok"),), connections)
    result, _ = run_plan(LoadPlan((target,), (phase_of(500, duration_s=0.5),)))
    assert counts_of(result.phases[0]).done == 500
    histogram = logged(tmp_path / "p.a.hlog")
    # Arrivals come each millisecond; those of the stall's first 250 (150) ms wait at least 50 (150) ms for its end.
    assert beyond(histogram, 50) >= 248
    assert beyond(histogram, 150) >= 148


def test_time_outs_and_unsent_enter_the_record_at_their_full_time(
    run_plan: RunPlan, server: FaultyServer, tmp_path: Path
) -> None:
    result, _ = run_plan(plan_of(server, "/silent", count=120, connections=1, timeout_s=0.4))
    counts = counts_of(result.phases[0])
    assert counts.failed["timeout"] >= 1
    assert counts.unsent > 0
    assert adds_up(counts)
    histogram = logged(tmp_path / "p.a.hlog")
    assert histogram.total_count == counts.scheduled
    assert histogram.get_min_value() >= 399_000


def test_a_refused_connection_is_counted_as_such(run_plan: RunPlan, server: FaultyServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    targets = (
        Target("gone", port, (Request("/ok"),), connections=4),
        Target("here", server.port, (Request("/ok"),), connections=4),
    )
    result, lines = run_plan(LoadPlan(targets, (phase_of(50),), timeout_s=1.0, opening_s=0.3))
    gone, here = counts_of(result.phases[0], "gone"), counts_of(result.phases[0], "here")
    assert gone.failed == {"connect": gone.scheduled}
    assert here.done == here.scheduled > 0
    ready = next(line for line in lines if isinstance(line, LoadReady))
    assert (ready.wanted, ready.open) == (8, 4)


def test_connections_are_held_open_and_all_carry_requests(run_plan: RunPlan, server: FaultyServer) -> None:
    target = Target("a", server.port, (Request("/ok"),), connections=300)
    result, _ = run_plan(LoadPlan((target,), (phase_of(150, "one"), phase_of(150, "two"))))
    assert [phase.open_min for phase in result.phases] == [300, 300]
    assert len(server.clients) == 300
    assert [counts_of(phase).broken for phase in result.phases] == [0, 0]


def test_broken_connections_are_counted_and_opened_again(run_plan: RunPlan, server: FaultyServer) -> None:
    result, lines = run_plan(plan_of(server, "/close", count=30, connections=6))
    assert counts_of(result.phases[0]).broken == 30
    assert counts_of(result.phases[0]).done == 30
    assert isinstance(lines[0], LoadReady)
    assert lines[0].open == 6


def test_sampled_bodies_are_checked_whatever_their_form(run_plan: RunPlan, server: FaultyServer) -> None:
    paths = ("/ok", "/chunked", "/close", "/until-close")
    requests = tuple(Request(path, check=VALUE) for path in paths)
    target = Target("a", server.port, requests, connections=8)
    result, _ = run_plan(LoadPlan((target,), (phase_of(100),), sample_every=4))
    assert result.phases[0].bodies_checked == 25  # one in four of a hundred
    assert counts_of(result.phases[0]).failed == {}


def test_a_wrong_body_is_a_failure_although_its_status_is_right(run_plan: RunPlan, server: FaultyServer) -> None:
    request = Request("/wrong", check=VALUE)
    target = Target("a", server.port, (request,), connections=8)
    result, _ = run_plan(LoadPlan((target,), (phase_of(100),), sample_every=10))
    counts = counts_of(result.phases[0])
    assert (counts.done, counts.failed) == (90, {"bad_body": 10})


def test_the_closed_model_keeps_its_concurrency(run_plan: RunPlan, server: FaultyServer) -> None:
    target = Target("a", server.port, (Request("/delay/20"),), connections=8)
    result, _ = run_plan(LoadPlan((target,), (ClosedPhase("c", 3, 0.5),)))
    counts = counts_of(result.phases[0])
    assert adds_up(counts)
    # Three at a time, each at least 20 ms, begun within half a second.
    assert 3 < counts.done <= 3 * (0.5 / 0.02 + 1)


@pytest.mark.parametrize("per_target", [True, False])
def test_each_target_keeps_its_share_of_the_outstanding_where_asked(
    run_plan: RunPlan, server: FaultyServer, per_target: bool
) -> None:
    slow, fast = (
        Target(name, server.port, (Request(f"/delay/{ms}"),), connections=8) for name, ms in (("s", 100), ("f", 5))
    )
    phase = ClosedPhase("c", 8, 0.5, per_target=per_target)
    result, _ = run_plan(LoadPlan((slow, fast), (phase,)))
    s, f = (counts_of(result.phases[0], name) for name in "sf")
    assert adds_up(s) and adds_up(f)
    # Four at a time, each 100 ms: five rounds and the last.  Drawn anew, nearly all eight wait at the slow one.
    assert s.done <= 24 if per_target else s.done > 24
    assert f.done > s.done if per_target else f.done <= 2 * s.done


def test_the_closed_model_thinks(run_plan: RunPlan, server: FaultyServer) -> None:
    target = Target("a", server.port, (Request("/ok"),), connections=8)
    result, _ = run_plan(LoadPlan((target,), (ClosedPhase("c", 2, 0.5, think_s=0.1),)))
    assert 2 < counts_of(result.phases[0]).done <= 2 * (0.5 / 0.1 + 1)


def test_hdr_logs_hold_every_scheduled_request(run_plan: RunPlan, server: FaultyServer, tmp_path: Path) -> None:
    targets = tuple(Target(name, server.port, (Request("/ok"), Request("/500")), 4) for name in ("a", "b"))
    result, _ = run_plan(LoadPlan(targets, (phase_of(360, duration_s=1.2),), timeout_s=1.0))
    phase = result.phases[0]
    for name in ("a", "b"):
        assert logged(tmp_path / f"p.{name}.hlog").total_count == counts_of(phase, name).scheduled
    assert logged(tmp_path / "p.generator-lag.hlog").total_count == 360
    assert phase.latency is not None and phase.latency.count == 360


def test_the_plan_fixes_what_is_sent(run_plan: RunPlan, server: FaultyServer) -> None:
    paths = ("/ok", "/ok/2", "/ok/3")
    run_plan(plan_of(server, *paths, seed=3))
    first, server.paths = sorted(server.paths), []
    run_plan(plan_of(server, *paths, seed=3))
    second, server.paths = sorted(server.paths), []
    run_plan(plan_of(server, *paths, seed=4))
    assert first == second != sorted(server.paths)


def test_a_reply_in_many_small_pieces_keeps_its_latency(run_plan: RunPlan, server: FaultyServer) -> None:
    result, _ = run_plan(plan_of(server, "/big", count=30, connections=16))
    latency = result.phases[0].latency
    assert latency is not None
    assert latency.p50_us >= 2000  # the server sleeps a millisecond between its three parts
    assert np.isfinite(result.phases[0].cpu_share)


def test_a_reply_without_its_fields_is_a_failure(run_plan: RunPlan, server: FaultyServer) -> None:
    request = Request("/wrong", fields={"status": "string", "rows": "array"})
    target = Target("a", server.port, (request,), connections=8)
    result, _ = run_plan(LoadPlan((target,), (phase_of(100),), sample_every=10))
    counts = counts_of(result.phases[0])
    assert (counts.done, counts.failed) == (90, {"bad_body": 10})


def test_a_second_tells_the_latency_of_what_ended_in_it() -> None:
    arrivals = np.zeros(6, dtype=[("intended", "i8"), ("settled", "i8")])
    second = 1_000_000_000
    arrivals["intended"] = [0, second // 2, second, second + 10, second + 20, 2 * second + 5]
    arrivals["settled"] = [900_000, 2 * second - 1, second + 4_000_000, second + 2_000_010, 0, 0]
    bout = Bout(arrivals, 0, 0, 3 * second, 0, -1, 6)
    assert ended(bout, 2 * second, 5.0) == (4_000, 1_499_999)  # 2, 4 and 1,500 ms ended in it
    assert ended(bout, 4 * second, 5.0) == (None, None)
    assert ended(dataclasses.replace(bout, think=0), 2 * second, 5.0) == (None, None)


def test_every_body_is_checked_those_equal_to_a_good_one_without_being_read_again(
    run_plan: RunPlan, server: FaultyServer
) -> None:
    target = Target("a", server.port, (Request("/flips/60", check=VALUE),), connections=1)
    result, _ = run_plan(LoadPlan((target,), (OpenPhase("p", (100.0,), 1.0, "even"),)))
    phase = result.phases[0]
    assert counts_of(phase).failed == {"bad_body": 40}
    assert (phase.bodies_checked, phase.bodies_unchecked) == (100, 0)
    assert [one.reason for one in phase.first_failed] == ["rows.0.value is 2.5, not 1.5"] * 20


def test_a_body_that_is_too_large_to_keep_is_told_as_unchecked(run_plan: RunPlan, server: FaultyServer) -> None:
    target = Target("a", server.port, (Request("/big", check=VALUE),), connections=2)
    result, _ = run_plan(LoadPlan((target,), (OpenPhase("p", (10.0,), 1.0, "even"),)))
    phase = result.phases[0]
    if result.generator == "epoll":
        assert (counts_of(phase).done, phase.bodies_checked, phase.bodies_unchecked) == (10, 0, 10)
    else:
        assert counts_of(phase).failed == {"bad_body": 10}
