"""Loads the book's compiled kernel while a tape is being built, so that no order waits for it.

numba costs most of a second to import, which neither a start nor an engine without a replay should pay.
"""

import asyncio
from collections.abc import Awaitable, Callable

from engines.kit.runtime import Runtime
from engines.marketdata.lob import book
from engines.marketdata.venue_state import Venue

_POLL_S = 0.1


async def warm(
    runtime: Runtime[Venue], wanted: Callable[[], bool], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Once a replay is `wanted`, load the kernel on a worker, then end."""
    while not runtime.stop.is_set():
        if wanted():
            await runtime.compute(book.warm)
            return
        await sleep(_POLL_S)
