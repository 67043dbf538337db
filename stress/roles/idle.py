"""The fleet at rest: its normal response."""

import asyncio
import time

from stress.run import Run
from stress.specs.idle import Idle

_EVERY_S = 0.25


async def carry_out(run: Run, spec: Idle) -> None:
    """Ask every engine for its health, again and again."""
    run.phase(spec.title, "start", measured=True)
    until = time.monotonic() + spec.seconds
    while time.monotonic() < until:
        await run.probe(spec.title)
        await asyncio.sleep(_EVERY_S)
    run.phase(spec.title, "end", measured=True)
