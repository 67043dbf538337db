"""A publisher or subscriber as a process: `python -m stress.busbench`.

Standard input: its plan on one line, then a line that tells a publisher to begin, a subscriber that all is published.
Standard output: a line when it is ready, then its count, both JSON.  Exit: 0 counted, 1 the bus failed.
"""

import asyncio
import sys

import msgspec
import uvloop

from engines.fleet import child
from engines.wire.errors import BusError
from engines.wire.redis_bus import RedisBus
from stress.busbench.plan import Plan, Publish, Published, Seen, Subscribe
from stress.busbench.publish import Publisher
from stress.busbench.subscribe import Subscriber


def main() -> int:
    """Run the plan on standard input."""
    plan: Plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=Plan)
    if sys.platform == "linux":
        child.die_with_parent(plan.parent)
    try:
        print_line(uvloop.run(publish(plan) if isinstance(plan, Publish) else subscribe(plan)))
    except BusError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def print_line(value: object) -> None:
    """One JSON line at once."""
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()


async def publish(plan: Publish) -> Published:
    """Connect, wait for the word, publish."""
    bus = RedisBus(plan.url)
    try:
        await bus.ping()
        print_line("ready")
        sys.stdin.buffer.readline()  # nothing else runs here yet
        return await Publisher(plan, bus).run()
    finally:
        await bus.close()


async def subscribe(plan: Subscribe) -> Seen:
    """Read until the word came, or whoever would give it is gone."""
    bus = RedisBus(plan.url)
    main = bus if plan.bus == "main" else RedisBus(plan.main_url)
    done = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, done.set)
    try:
        await bus.ping()
        await main.ping()
        print_line("ready")
        return await Subscriber(plan, bus, main).run(done)
    finally:
        await bus.close()
        await main.close()


if __name__ == "__main__":
    sys.exit(main())
