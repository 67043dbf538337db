"""A process that does nothing but record, to be killed: argv is main URL, market URL, DuckDB file.

With a fourth argument, `POINT:N`, it kills itself at its N-th passage of a point of the commit.
"""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from engines.backend.config import Grouping
from engines.backend.model import Recorded, step
from engines.backend.recorder import Recorder
from engines.kit import store
from engines.kit.consumer import Consumer
from engines.kit.engine import Engine
from engines.kit.store import Store
from engines.wire.redis_bus import RedisBus

MAIN = ["signals", "fleet"]
MARKET = ["trades", "sessions"]


POINTS = ("move", "insert", "inserted", "committed", "told")


def die_at(point: str, passage: int) -> None:
    """Plant a kill: before the position moves, before and after the rows are inserted, after DuckDB's commit, after
    the bus's."""
    passed = 0

    def reach(name: str) -> None:
        nonlocal passed
        passed += name == point
        if passed >= passage:
            os.kill(os.getpid(), signal.SIGKILL)

    move, insert, write, commit = store._move, store._insert, store.Store.write, RedisBus.commit

    def moving(*args: object) -> None:
        reach("move")
        move(*args)

    def inserting(*args: object) -> None:
        reach("insert")
        insert(*args)
        reach("inserted")

    def writing(*args: object) -> None:
        write(*args)
        reach("committed")

    async def telling(*args: object) -> None:
        await commit(*args)
        reach("told")

    store._move, store._insert, store.Store.write, RedisBus.commit = moving, inserting, writing, telling


async def record(main_url: str, market_url: str, file: str) -> None:
    main, market = RedisBus(main_url), RedisBus(market_url)
    grouping = Grouping(wait_s=0.01)
    engine = Engine("backend", Recorded, step, Recorded)
    unit = Recorder(engine, [*MAIN, *MARKET], main, time.monotonic_ns, Store(Path(file)), grouping)
    await Consumer(unit, {main: MAIN, market: MARKET}, asyncio.Event()).run()


if __name__ == "__main__":
    if len(sys.argv) > 4:
        planted, _, nth = sys.argv[4].partition(":")
        die_at(planted, int(nth))
    asyncio.run(record(*sys.argv[1:4]))
