"""Runs the load generator as a child process and streams what it reports."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

import stress
from stress.load.errors import LoadError
from stress.load.plan import LoadPlan, checked
from stress.load.result import LoadFailure, LoadLine, LoadReady, LoadResult, LoadSecond

START_S = 120.0  # imports, and compiling when nothing is cached yet
FOLD_SHARE = 0.2  # folding and writing, per second of load
LINE_MAX = 1 << 20  # bytes


async def run(
    plan: LoadPlan,
    folder: Path,
    on_line: Callable[[LoadSecond], None],
    *,
    on_ready: Callable[[LoadReady], None] | None = None,
    stop: asyncio.Event | None = None,
    generator: str = "",
) -> LoadResult:
    """Run the plan in its own process; HDR logs go to `folder`.

    on_line: called for every second of every phase as it passes; on_ready: once, when the connections are open.
    generator: "epoll" or "asyncio"; by default the better one of this system.
    stop: once set, the child stops sending; the result then holds what was measured, marked as stopped.
    On cancellation the child stops sending, writes what it measured and ends before CancelledError leaves here.
    Raises LoadError when the plan cannot be run, the child fails, or it takes longer than its plan allows.
    """
    checked(plan)
    child = await _start(folder, generator)
    limit_s = START_S + plan.opening_s + (1 + FOLD_SHARE) * plan.duration_s + len(plan.phases) * (plan.timeout_s + 1)
    talk = asyncio.ensure_future(_talk(child, plan, on_line, on_ready))
    stopper = asyncio.ensure_future(_stop_when_set(child, stop))
    try:
        async with asyncio.timeout(limit_s):
            return await asyncio.shield(talk)
    except TimeoutError as error:
        raise LoadError("The load generator did not end.", f"Its plan allows {limit_s:.0f} s.") from error
    finally:
        stopper.cancel()
        await _end(child, talk, 2 * plan.timeout_s + 1 + FOLD_SHARE * plan.duration_s)


async def _start(folder: Path, generator: str) -> asyncio.subprocess.Process:
    root = str(Path(stress.__file__).parents[1])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "stress.load", "-", str(folder), *filter(None, [generator])),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_MAX,
        env={**os.environ, "PYTHONPATH": path},
    )


async def _stop_when_set(child: asyncio.subprocess.Process, stop: asyncio.Event | None) -> None:
    if stop is not None:
        await stop.wait()
        if child.returncode is None:
            child.terminate()


async def _talk(
    child: asyncio.subprocess.Process,
    plan: LoadPlan,
    on_line: Callable[[LoadSecond], None],
    on_ready: Callable[[LoadReady], None] | None,
) -> LoadResult:
    """Send the plan, which may hold secrets and so is no argument, and follow the lines to the result."""
    assert child.stdin is not None and child.stdout is not None  # noqa: S101 - both were asked for as pipes
    child.stdin.write(msgspec.json.encode(plan))
    await child.stdin.drain()
    child.stdin.close()
    decoder = msgspec.json.Decoder(LoadLine)
    async for raw in child.stdout:
        line = decoder.decode(raw)
        match line:
            case LoadSecond():
                on_line(line)
            case LoadReady():
                if on_ready is not None:
                    on_ready(line)
            case LoadResult():
                return line
            case LoadFailure():
                raise LoadError(line.what, line.why, line.next_step)
    code = await child.wait()
    raise LoadError("The load generator ended without a result.", f"Its exit code was {code}.")


async def _end(child: asyncio.subprocess.Process, talk: "asyncio.Future[LoadResult]", grace_s: float) -> None:
    """Stop the child: politely while it may still have something to write, then by force."""
    if child.returncode is None and not talk.done():
        child.terminate()
    await asyncio.wait([talk], timeout=grace_s)
    if not talk.cancel() and not talk.cancelled():
        talk.exception()  # the caller has it, or was cancelled and asked for no result
    try:
        async with asyncio.timeout(grace_s):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()
