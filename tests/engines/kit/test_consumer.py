"""The consumer loop: both buses, restart after poison and unknown commits, end when fenced, drain on stop."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from engines.kit.consumer import Consumer
from engines.kit.engine import Engine
from engines.kit.processor import Processor
from engines.wire.bus import Commit, Entry, MemoryBus, Output, dead_topic
from engines.wire.errors import BusError, CommitUnknown, Fenced
from engines.wire.messages import Body, Envelope, Header, RiskAlert, Session, Signal, encode_body, encode_header


class Sum(msgspec.Struct):
    total: int = 0


def step(state: Sum, envelope: Envelope) -> tuple[Sum, Sequence[Body]]:
    body = envelope.body
    if isinstance(body, Session):
        state.total += 1000
        return state, []
    assert isinstance(body, Signal)
    if body.target == 13:
        raise ValueError("thirteen")
    state.total += body.target
    return state, [RiskAlert("sum", "", state.total, 0, "")]


class SlowReads(MemoryBus):
    """Yields to the loop like a socket does; fails reads and commits on demand."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[Exception] = []

    async def read(self, cursors, count: int, block_ms: int) -> list[Entry]:
        await asyncio.sleep(0.001)
        return await super().read(cursors, count, block_ms)

    async def commit(self, commit: Commit) -> None:
        await asyncio.sleep(0)
        if self.faults:
            raise self.faults.pop(0)
        await super().commit(commit)


def signal(target: int, n: int) -> tuple[Output, str]:
    header = Header("t", 1, n, "", 0, "", 0, 0, 0)
    return Output("signals", encode_header(header), encode_body(Signal("s", "x", target, ""))), f"{n}-1"


def session() -> tuple[Output, str]:
    header = Header("t", 1, 1, "", 0, "", 0, 0, 0)
    body = Session("open", "s", "2010-05-06", ("SPX",), (), 1, "", 1.0)
    return Output("sessions", encode_header(header), encode_body(body)), "1-1"


async def consume(main: SlowReads, market: SlowReads, until: int) -> Processor[Sum]:
    unit = Processor(Engine("adder", Sum, step, Sum), ["signals", "sessions"], main, lambda: 0)
    stop = asyncio.Event()
    consumer = Consumer(unit, {main: ["signals"], market: ["sessions"]}, stop)
    task = asyncio.create_task(consumer.run())
    for _ in range(3000):
        if unit.state.total == until or task.done():
            break
        await asyncio.sleep(0.001)
    stop.set()
    await task
    return unit


def run(targets: list[int], faults: list[Exception], until: int) -> tuple[SlowReads, Processor[Sum]]:
    async def main() -> tuple[SlowReads, Processor[Sum]]:
        main_bus, market = SlowReads(), SlowReads()
        await main_bus.append([signal(target, n + 1) for n, target in enumerate(targets)])
        await market.append([session()])
        main_bus.faults = faults
        return main_bus, await consume(main_bus, market, until)

    return asyncio.run(main())


@pytest.mark.parametrize(
    "faults",
    [
        [],
        [CommitUnknown("broken")],
        [BusError("out of memory")],
        [CommitUnknown("a"), BusError("b"), CommitUnknown("c")],
    ],
)
def test_everything_once_whatever_breaks(faults: list[Exception]) -> None:
    bus, unit = run([1, 2, 13, 4], faults, 1007)
    assert unit.state.total == 1007
    assert asyncio.run(bus.stats("risk-alerts")).added == 3
    assert asyncio.run(bus.stats(dead_topic("adder"))).added == 1
    counts = unit.ledger.topics["signals"]
    assert (counts.processed, counts.dead, counts.missing) == (3, 1, 0)


def test_fenced_ends_it() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        run([1], [Fenced("over")], 1001)
    assert caught.group_contains(Fenced)


def test_a_large_backlog_is_read_whole() -> None:
    bus, unit = run([1] * 700, [], 1700)
    assert unit.state.total == 1700
    assert asyncio.run(bus.stats("risk-alerts")).added == 700
