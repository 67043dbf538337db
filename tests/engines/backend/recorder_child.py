"""A process that does nothing but record, to be killed: argv is main URL, market URL, DuckDB file."""

import asyncio
import sys
import time
from pathlib import Path

from engines.backend.config import Grouping
from engines.backend.model import Recorded, step
from engines.backend.recorder import Recorder
from engines.kit.consumer import Consumer
from engines.kit.engine import Engine
from engines.kit.store import Store
from engines.wire.redis_bus import RedisBus

MAIN = ["signals", "fleet"]
MARKET = ["trades", "sessions"]


async def record(main_url: str, market_url: str, file: str) -> None:
    main, market = RedisBus(main_url), RedisBus(market_url)
    grouping = Grouping(wait_s=0.01)
    engine = Engine("backend", Recorded, step, Recorded)
    unit = Recorder(engine, [*MAIN, *MARKET], main, time.monotonic_ns, Store(Path(file)), grouping)
    await Consumer(unit, {main: MAIN, market: MARKET}, asyncio.Event()).run()


if __name__ == "__main__":
    asyncio.run(record(*sys.argv[1:]))
