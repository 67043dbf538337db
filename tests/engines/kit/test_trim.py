"""Trimming never drops what a consumer has not read."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from engines.kit.trim import trim
from engines.wire.bus import Commit, MemoryBus, Output
from engines.wire.manifest import Manifest

MANIFESTS = (
    Manifest(name="p", title="", port=2000, publishes=("features", "orders")),
    Manifest(name="a", title="", port=2001, consumes=("features", "orders")),
    Manifest(name="b", title="", port=2002, consumes=("features",)),
    Manifest(name="never-started", title="", port=2003, consumes=("features",)),
)


@given(st.integers(0, 20), st.integers(0, 20), st.booleans())
def test_the_slowest_consumer_decides(a: int, b: int, snapshot: bool) -> None:
    async def main() -> None:
        bus = MemoryBus()
        for topic in ("features", "orders"):
            await bus.append([(Output(topic, b"", b""), f"1-{n}") for n in range(1, 21)])
        for name, at in (("a", a), ("b", b)):
            epoch = (await bus.claim(name)).epoch
            state = b"s" if snapshot else None  # without a snapshot it is replayed from the start
            await bus.commit(Commit(owner=name, epoch=epoch, cursors={"features": f"1-{at}"}, state=state))
        await trim(("features", "orders"), MANIFESTS, {"main": bus, "market": bus})
        left = {entry.id for entry in await bus.read({"features": "0-0"}, 100, 0)}
        slowest = min(a, b) if snapshot else 0
        assert left >= {f"1-{n}" for n in range(slowest + 1, 21)}
        assert len(left) == 20 - max(0, slowest - 1)
        assert (await bus.stats("orders")).length == 20

    asyncio.run(main())
