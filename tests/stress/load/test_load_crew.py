"""Several processes as one: the same schedule, counts and histograms that add up, one failure for all."""

import asyncio
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
from faulty_server import FaultyServer
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from stress.load.errors import LoadError
from stress.load.fold import empty_histogram, percentiles, read_intervals, record, write_log
from stress.load.ids import request_id
from stress.load.merge import Seconds, merged_log
from stress.load.plan import ClosedPhase, LoadPlan, OpenPhase, Request, Target, mistakes, own_share, part_of
from stress.load.result import LoadReady, LoadResult, LoadSecond, TargetCounts
from stress.load.runner import run
from stress.load.tables import arrivals_of, mix_of


def plan_of(port: int, seconds: int = 1, processes: int = 2, **settings: object) -> LoadPlan:
    target = Target("a", port, (Request("/ok"),), 5)
    phases = (OpenPhase("p", (200.0,) * seconds), ClosedPhase("c", 3, 0.3, think_s=0.02))
    return LoadPlan((target,), phases, processes=processes, **settings)  # type: ignore[arg-type]


@given(st.integers(1, 5), st.sampled_from(["poisson", "even"]), st.integers(0, 99))
def test_the_parts_of_a_schedule_are_the_schedule(processes: int, arrivals: str, seed: int) -> None:
    targets = (Target("a", 1, (Request("/x", weight=3), Request("/y")), 9), Target("b", 2, (Request("/z"),), 7))
    phase = OpenPhase("p", (37.0, 0.0, 101.5), 0.5, arrivals)  # type: ignore[arg-type]
    closed = ClosedPhase("c", 7, 1.0, per_target=True, requests_per_s_max=10)
    whole = LoadPlan(targets, (phase, closed), seed=seed)
    crew = msgspec.structs.replace(whole, processes=processes)
    parts = [part_of(crew, k) for k in range(processes)]
    one = arrivals_of(phase, 0, whole, mix_of(whole))
    together = [arrivals_of(phase, 0, part, mix_of(part)) for part in parts]
    for k, part in enumerate(together):
        assert (part["intended"] == one["intended"][k::processes]).all()
        assert (part["choice"] == one["choice"][k::processes]).all()
    assert sum(len(part) for part in together) == len(one)
    shares = [own_share(part) for part in parts]
    assert [sum(share.targets[t].connections for share in shares) for t in (0, 1)] == [9, 7]
    assert min(target.connections for share in shares for target in share.targets) >= 1
    first = [arrivals_of(closed, 1, part, mix_of(part))["choice"][: len(range(k, 7, processes))] for k, part in
             enumerate(parts)]  # fmt: skip
    dealt = arrivals_of(closed, 1, whole, mix_of(whole))["choice"][:7]
    assert sorted(np.concatenate(first).tolist()) == sorted(dealt.tolist())


def test_a_plan_needs_a_connection_and_an_outstanding_request_for_each_process() -> None:
    found = "\n".join(mistakes(plan_of(1, processes=6)))
    assert "6 processes need as many connections to each target: a" in found
    assert "concurrency must be 6 to 5" in found
    assert mistakes(plan_of(1, processes=3)) == []
    assert "part" in "".join(mistakes(plan_of(1, processes=0)))


def test_two_processes_send_one_schedule(server: FaultyServer, tmp_path: Path, generator_name: str) -> None:
    lines: list[LoadSecond] = []
    ready: list[LoadReady] = []
    plan = plan_of(server.port, run_id="r7")
    result = asyncio.run(run(plan, tmp_path, lines.append, on_ready=ready.append, generator=generator_name))
    opened, closed = result.phases
    counts = opened.targets["a"].counts
    assert (counts.scheduled, counts.sent, counts.done) == (200, 200, 200)
    assert sum(line.targets["a"].done for line in lines if line.phase == "p") == 200
    assert sum(line.targets["a"].done for line in lines) == counts.done + closed.targets["a"].counts.done == server.seen
    for phase in ("p", "c"):
        assert [line.second for line in lines if line.phase == phase] == list(
            range(len([line for line in lines if line.phase == phase]))
        )
    assert [(each.wanted, each.open) for each in ready] == [(5, 5)]
    assert opened.open_min == 5 and len(server.clients) == 5
    assert set(server.ids) >= {request_id("r7", 0, n) for n in range(200)}
    assert len(set(server.ids)) == server.seen
    assert opened.latency is not None and opened.latency.count == 200
    assert opened.lag is not None and opened.lag.count == 200
    assert opened.cpu_share_max < opened.cpu_share < 2 * opened.cpu_share_max + 1e-9
    assert len(opened.slowest) == 20
    assert [one.part for one in opened.processes] == [0, 1]
    for one in opened.processes:
        own, _ = read_intervals(tmp_path / f"p.generator-lag-{one.part}.hlog")
        assert one.lag is not None and sum(each.total_count for each in own.values()) == one.lag.count == 100
    assert not list(tmp_path.glob(".part-*"))
    for kind, histogram in (("a", opened.latency), ("generator-lag", opened.lag), ("a.service-time", opened.service)):
        intervals, _ = read_intervals(tmp_path / f"p.{kind}.hlog")
        assert histogram is not None and sum(each.total_count for each in intervals.values()) == histogram.count


def test_a_stop_reaches_all_of_them(server: FaultyServer, tmp_path: Path) -> None:
    async def stop_after_one_second() -> LoadResult:
        stop = asyncio.Event()
        return await run(plan_of(server.port, 60), tmp_path, lambda _: stop.set(), stop=stop)

    result = asyncio.run(stop_after_one_second())
    counts = result.phases[0].targets["a"].counts
    assert result.stopped and [phase.name for phase in result.phases] == ["p"]
    assert 150 < counts.scheduled == counts.done + counts.unsent < 6000
    seen = server.seen
    assert seen == counts.sent


def test_a_stop_while_they_wait_for_their_beginning_ends_them(server: FaultyServer, tmp_path: Path) -> None:
    async def stop_when_ready() -> LoadResult:
        stop = asyncio.Event()
        plan = plan_of(server.port, start_ns=time.monotonic_ns() + 60_000_000_000)
        return await run(plan, tmp_path, lambda _: None, on_ready=lambda _: stop.set(), stop=stop)

    result = asyncio.run(stop_when_ready())
    assert result.stopped and server.seen == 0


def test_cancelling_ends_all_of_them(server: FaultyServer, tmp_path: Path) -> None:
    async def cancel_after_one_second() -> int:
        first = asyncio.Event()
        task = asyncio.create_task(run(plan_of(server.port, 60), tmp_path, lambda _: first.set()))
        await first.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return server.seen

    seen = asyncio.run(cancel_after_one_second())
    time.sleep(0.3)
    assert server.seen == seen > 100


def test_one_failure_is_the_failure_of_all_by_name(server: FaultyServer, tmp_path: Path) -> None:
    (tmp_path / ".part-1").write_text("in the way")
    with pytest.raises(LoadError, match="process 2 of 2"):
        asyncio.run(run(plan_of(server.port, 60), tmp_path, lambda _: None))
    seen = server.seen
    time.sleep(0.3)
    assert server.seen == seen


times = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 90_000_000)), max_size=30)


@settings(max_examples=15, deadline=None)
@given(st.lists(times, min_size=1, max_size=3))
def test_a_merged_log_is_the_sum_of_its_parts(tmp_path_factory: pytest.TempPathFactory, parts: list[object]) -> None:
    folder = tmp_path_factory.mktemp("merge")
    arrays = [np.array(sorted(part), dtype=np.int64).reshape(-1, 2) for part in parts]  # type: ignore[call-overload]
    for k, array in enumerate(arrays):
        write_log(folder / f"{k}.hlog", array[:, 0], array[:, 1], 1_700_000_000.0 + k / 1e4)
    total = merged_log([folder / f"{k}.hlog" for k in range(len(parts))], folder / "merged.hlog")
    pooled = np.concatenate(arrays)
    assert _same(total, pooled[:, 1])
    intervals, start = read_intervals(folder / "merged.hlog")
    assert start == 1_700_000_000.0
    assert sorted(intervals) == sorted(set(pooled[:, 0].tolist()))
    for second, interval in intervals.items():
        assert _same(interval, pooled[pooled[:, 0] == second, 1])


def _same(histogram: HdrHistogram, us: np.ndarray) -> bool:
    wanted = empty_histogram()
    record(wanted, us)
    places = zip(histogram.get_recorded_iterator(), wanted.get_recorded_iterator(), strict=True)
    equal = all(
        (a.value_iterated_to, a.count_at_value_iterated_to) == (b.value_iterated_to, b.count_at_value_iterated_to)
        for a, b in places
    )
    return equal and (percentiles(us) is None or histogram.total_count == len(us))


def test_seconds_become_whole_in_order_and_the_open_stay_open() -> None:
    gathered = Seconds(plan_of(1))

    def line(second: int, done: int, opened: int) -> LoadSecond:
        return LoadSecond("p", second, second, {"a": TargetCounts(done, done, done, {}, 0, opened, 0)})

    assert gathered.add(0, line(0, 1, 3)) == []
    assert gathered.add(0, line(1, 2, 3)) == []
    (whole,) = gathered.add(1, line(0, 10, 2))
    assert (whole.second, whole.targets["a"].done, whole.targets["a"].open) == (0, 11, 5)
    (alone,) = gathered.rest()
    assert (alone.second, alone.targets["a"].done, alone.targets["a"].open) == (1, 2, 5)
    assert gathered.open_min == {"p": 5}
