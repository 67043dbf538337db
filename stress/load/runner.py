"""Runs the load generator as child processes and streams what they report."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

from stress.load.crew import Crew
from stress.load.errors import LoadError
from stress.load.merge import merged_result
from stress.load.plan import LoadPlan, checked
from stress.load.result import LoadReady, LoadResult, LoadSecond

START_S = 120.0  # imports, and compiling when nothing is cached yet
FOLD_SHARE = 0.2  # folding and writing, per second of load


async def run(
    plan: LoadPlan,
    folder: Path,
    on_line: Callable[[LoadSecond], None],
    *,
    on_ready: Callable[[LoadReady], None] | None = None,
    stop: asyncio.Event | None = None,
    generator: str = "",
) -> LoadResult:
    """Run the plan in `plan.processes` processes of its own; HDR logs go to `folder`.

    on_line: called for every second of every phase as it passes; on_ready: once, when the connections are open.
    generator: "epoll" or "asyncio"; by default the better one of this system.
    stop: once set, nothing more is sent; the result then holds what was measured, marked as stopped.
    On cancellation the children stop sending, write what they measured and end before CancelledError leaves here.
    Several processes begin each phase together and share its schedule; their counts and histograms are merged.
    Raises LoadError when the plan cannot be run, a child fails, or it takes longer than its plan allows.
    """
    checked(plan)
    many = plan.processes > 1
    folders = [folder / f".part-{k}" for k in range(plan.processes)] if many else [folder]
    fold_s = FOLD_SHARE * plan.duration_s
    limit_s = START_S + plan.opening_s + plan.duration_s + fold_s + len(plan.phases) * (plan.timeout_s + 1)
    crew = Crew(plan, on_line, on_ready)
    try:
        async with asyncio.timeout(limit_s):
            await crew.start(folders, generator)
            results = await crew.results(stop)
    except TimeoutError as error:
        raise LoadError("The load generator did not end.", f"Its plan allows {limit_s:.0f} s.") from error
    finally:
        await crew.end(2 * plan.timeout_s + 1 + fold_s)
    if not many:
        return results[0]
    merged = merged_result(plan, results, folders, folder, crew.seconds.open_min)
    for part in folders:
        shutil.rmtree(part)
    return merged
