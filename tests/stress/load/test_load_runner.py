"""The generator as a process, through its parent's API."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faulty_server import FaultyServer

import stress
from stress.load.errors import LoadError
from stress.load.plan import LoadPlan, OpenPhase, Request, Target
from stress.load.result import LoadReady, LoadResult, LoadSecond
from stress.load.runner import run

ROOT = Path(stress.__file__).parents[1]


def plan_of(port: int, seconds: int, **settings: float) -> LoadPlan:
    phase = OpenPhase("p", (100.0,) * seconds)
    return LoadPlan((Target("a", port, (Request("/ok"),), 4),), (phase,), **settings)  # type: ignore[arg-type]


def test_a_run_streams_its_seconds_and_ends_with_the_totals(
    server: FaultyServer, tmp_path: Path, generator_name: str
) -> None:
    seconds: list[LoadSecond] = []
    ready: list[LoadReady] = []
    plan = plan_of(server.port, 1)
    result = asyncio.run(run(plan, tmp_path, seconds.append, on_ready=ready.append, generator=generator_name))
    counts = result.phases[0].targets["a"].counts
    assert (result.generator, result.stopped, counts.scheduled, counts.done) == (generator_name, False, 100, 100)
    assert [line.second for line in seconds] == list(range(len(seconds)))
    assert sum(line.targets["a"].done for line in seconds) == 100
    assert (ready[0].wanted, ready[0].open) == (4, 4)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "p.a.hlog",
        "p.a.service-time.hlog",
        "p.generator-lag.hlog",
    ]


def test_a_phase_begins_when_it_is_told_to(server: FaultyServer, tmp_path: Path, generator_name: str) -> None:
    start = time.monotonic_ns() + 3_000_000_000
    result = asyncio.run(
        run(plan_of(server.port, 1, start_ns=start), tmp_path, lambda _: None, generator=generator_name)
    )
    assert result.phases[0].started_ns >= start
    assert result.phases[0].targets["a"].counts.done == 100


def test_stopping_before_the_beginning_measures_nothing(
    server: FaultyServer, tmp_path: Path, generator_name: str
) -> None:
    async def stop_before() -> LoadResult:
        stop = asyncio.Event()

        def ready(_: LoadReady) -> None:
            asyncio.get_running_loop().call_later(0.5, stop.set)

        plan = plan_of(server.port, 5, start_ns=time.monotonic_ns() + 60_000_000_000)
        return await run(plan, tmp_path, lambda _: None, on_ready=ready, stop=stop, generator=generator_name)

    result = asyncio.run(stop_before())
    (phase,) = result.phases
    assert (result.stopped, phase.seconds, phase.cpu_share, phase.lag, phase.latency) == (True, 0.0, 0.0, None, None)
    assert phase.targets["a"].counts.scheduled == 0


def test_cancelling_stops_the_child_and_keeps_what_was_measured(server: FaultyServer, tmp_path: Path) -> None:
    async def cancel_after_one_second() -> int:
        first = asyncio.Event()
        task = asyncio.create_task(run(plan_of(server.port, 60), tmp_path, lambda _: first.set()))
        await first.wait()
        seen = server.seen
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return seen

    seen = asyncio.run(cancel_after_one_second())
    assert 50 < seen < 1000
    after = server.seen
    assert (tmp_path / "p.a.hlog").exists()
    assert server.seen == after < 3000  # the child is gone: nothing is sent any more


def test_stopping_gives_what_was_measured(server: FaultyServer, tmp_path: Path, generator_name: str) -> None:
    async def stop_after_one_second() -> LoadResult:
        stop = asyncio.Event()
        plan = plan_of(server.port, 60)
        return await run(plan, tmp_path, lambda _: stop.set(), stop=stop, generator=generator_name)

    result = asyncio.run(stop_after_one_second())
    counts = result.phases[0].targets["a"].counts
    assert result.stopped
    assert 90 < counts.scheduled < 3000
    assert counts.done + counts.unsent == counts.scheduled


def test_cancelling_before_the_child_has_started_leaves_nothing_behind(server: FaultyServer, tmp_path: Path) -> None:
    async def cancel_at_once() -> None:
        task = asyncio.create_task(run(plan_of(server.port, 60), tmp_path, lambda _: None))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_at_once())
    assert server.seen == 0


def test_a_plan_that_cannot_run_is_refused(server: FaultyServer, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="timeout_s"):
        asyncio.run(run(plan_of(server.port, 1, timeout_s=0), tmp_path, lambda _: None))


def test_the_childs_failure_is_the_parents(tmp_path: Path) -> None:
    target = Target("a", 9, (Request("/ok"),), 4, host="no-such-host.invalid")
    with pytest.raises(LoadError, match="unknown"):
        asyncio.run(run(LoadPlan((target,), (OpenPhase("p", (1.0,)),)), tmp_path, lambda _: None))


PARENT = """
import asyncio, os, signal, sys
from pathlib import Path
from stress.load.plan import LoadPlan, OpenPhase, Request, Target
from stress.load.runner import run
plan = LoadPlan((Target("a", int(sys.argv[1]), (Request("/ok"),), 4),), (OpenPhase("p", (100.0,) * 60),))
asyncio.run(run(plan, Path(sys.argv[2]), lambda _: os.kill(os.getpid(), signal.SIGKILL)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the parent's death is told by Linux alone")
def test_a_generator_whose_parent_is_killed_stops(server: FaultyServer, tmp_path: Path) -> None:
    parent = subprocess.run([sys.executable, "-c", PARENT, str(server.port), str(tmp_path)], cwd=ROOT, check=False)
    assert parent.returncode == -9
    seen = -1
    while seen != server.seen:  # 100 requests a second for a minute, or none any more
        seen = server.seen
        time.sleep(0.5)
    assert 50 < seen < 5000
