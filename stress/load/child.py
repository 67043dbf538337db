"""One generator process: started, talked to, ended."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Protocol

import msgspec

import stress
from stress.load.errors import LoadError
from stress.load.plan import LoadPlan
from stress.load.result import LoadFailure, LoadLine, LoadReady, LoadResult, LoadSecond, LoadWaiting

LINE_MAX = 1 << 20  # bytes

Child = asyncio.subprocess.Process


class Listener(Protocol):
    """Who hears what a child says before its result."""

    def second(self, line: LoadSecond) -> None:
        """A second has passed."""

    def ready(self, line: LoadReady) -> None:
        """Its connections are open."""

    def waiting(self, line: LoadWaiting) -> None:
        """It waits to be told when a phase begins."""


async def start(folder: Path, generator: str, source: str) -> Child:
    """A generator that waits for its plan.  HDR logs will go to `folder`.

    source: "-" when it runs alone, "+" when it is told the first instant of every phase.
    It has a session of its own: Linux shares the processor between sessions first (autogroups, see sched(7)), so that
    what the harness computes meanwhile takes nothing of the generator's share.
    """
    root = str(Path(stress.__file__).parents[1])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "stress.load", source, str(folder), *filter(None, [generator])),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_MAX,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": path},
    )


def tell(child: Child, line: bytes) -> None:
    """Write one line to a child that may be gone already, which its silence then tells."""
    if child.stdin is not None and not child.stdin.is_closing():
        child.stdin.write(line + b"\n")


async def talk(child: Child, plan: LoadPlan, listener: Listener) -> LoadResult:
    """Send the plan, which may hold secrets and so is no argument, and follow the lines to the result.

    Raises LoadError when the child fails or ends without a result.
    """
    assert child.stdout is not None  # noqa: S101 - it was asked for as a pipe
    tell(child, msgspec.json.encode(plan))
    if plan.processes == 1 and child.stdin is not None:
        child.stdin.close()
    decoder = msgspec.json.Decoder(LoadLine)
    async for raw in child.stdout:
        line = decoder.decode(raw)
        match line:
            case LoadSecond():
                listener.second(line)
            case LoadReady():
                listener.ready(line)
            case LoadWaiting():
                listener.waiting(line)
            case LoadResult():
                return line
            case LoadFailure():
                raise LoadError(line.what, line.why, line.next_step)
    code = await child.wait()
    raise LoadError("The load generator ended without a result.", f"Its exit code was {code}.")


def stop(child: Child) -> None:
    """Ask it to send nothing more, to write what it measured and to end."""
    if child.returncode is None:
        child.terminate()
    if child.stdin is not None:
        child.stdin.close()  # ends its wait for a phase


async def end(child: Child, talking: "asyncio.Future[LoadResult]", grace_s: float) -> None:
    """Stop the child: politely while it may still have something to write, then by force."""
    if not talking.done():
        stop(child)
    await asyncio.wait([talking], timeout=grace_s)
    if not talking.cancel() and not talking.cancelled():
        talking.exception()  # the caller has it, or was cancelled and asked for no result
    try:
        async with asyncio.timeout(grace_s):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()
