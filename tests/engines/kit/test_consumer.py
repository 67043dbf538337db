"""The consumer loop: both buses, restart after poison and unknown commits, end when fenced, drain on stop."""

import asyncio
import dataclasses
from collections.abc import Callable, Sequence

import msgspec
import pytest

from engines.kit.consumer import Consumer
from engines.kit.engine import Engine
from engines.kit.origin import Origin
from engines.kit.processor import Processor
from engines.wire.bus import Commit, Entry, MemoryBus, Output, dead_topic
from engines.wire.errors import BusError, CommitUnknown, Fenced
from engines.wire.messages import (
    Body,
    Cancel,
    Envelope,
    Header,
    Order,
    RiskAlert,
    Session,
    Signal,
    decode,
    encode_body,
    encode_header,
)


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


class Orders(msgspec.Struct):
    open: list[str] = []
    held: bool = False


def desk(state: Orders, envelope: Envelope) -> tuple[Orders, Sequence[Body]]:
    """An order for each signal, unless they are held."""
    body = envelope.body
    assert isinstance(body, Signal)
    if state.held:
        return state, []
    state.open.append(str(body.target))
    return state, [Order(str(body.target), "s", "x", 1, 1, None)]


def withdraw(state: Orders, held: bool) -> Sequence[Body]:
    state.held = held
    gone, state.open = (state.open, []) if held else ([], state.open)
    return [Cancel(order, "s") for order in gone]


DESK = Engine("desk", Orders, desk, Orders, hold=withdraw, open_orders=lambda state: len(state.open))


async def held_desk(bus: SlowReads) -> Processor[Orders]:
    """Three orders, a hold, three signals more."""
    unit, stop = Processor(DESK, ["signals"], bus, lambda: 0), asyncio.Event()
    consumer = Consumer(unit, {bus: ["signals"]}, stop, unit.hold)
    task = asyncio.create_task(consumer.run())
    await bus.append([signal(n, n) for n in (1, 2, 3)])
    await until(lambda: len(unit.state.open) == 3)
    await asyncio.wait_for(consumer.hold(True), 5)
    assert unit.state.open == [] and unit.state.held
    await bus.append([signal(n, n) for n in (4, 5, 6)])
    await until(lambda: unit.ledger.topics["signals"].processed == 6)
    stop.set()
    await task
    return unit


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(3000):
        if holds():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came true")


def test_a_hold_withdraws_and_keeps_orders_back_and_the_next_incarnation_is_free() -> None:
    async def main() -> list[Entry]:
        bus = SlowReads()
        await held_desk(bus)
        saved = await bus.saved("desk")
        assert saved.state is not None, "what was held is committed with its cancels"
        unit, stop = Processor(DESK, ["signals"], bus, lambda: 0), asyncio.Event()
        consumer = Consumer(unit, {bus: ["signals"]}, stop, unit.hold)
        task = asyncio.create_task(consumer.run())
        await bus.append([signal(7, 7)])
        await until(lambda: unit.state.open == ["7"])
        stop.set()
        await task
        return await bus.read({"orders": "0-0"}, 100, 0)

    sent = [decode(*entry).body for entry in asyncio.run(main())]
    ids = [body.order_id for body in sent if isinstance(body, Order)]
    assert ids == ["1", "2", "3", "7"], "4, 5 and 6 came while orders were held"
    assert [body.order_id for body in sent if isinstance(body, Cancel)] == ["1", "2", "3"]


def test_a_hold_whose_commit_breaks_is_done_by_the_next_claim() -> None:
    async def main() -> Processor[Orders]:
        bus = SlowReads()
        unit, stop = Processor(DESK, ["signals"], bus, lambda: 0), asyncio.Event()
        consumer = Consumer(unit, {bus: ["signals"]}, stop, unit.hold)
        task = asyncio.create_task(consumer.run())
        await bus.append([signal(1, 1)])
        await until(lambda: len(unit.state.open) == 1)
        bus.faults = [CommitUnknown("broken")]
        await asyncio.wait_for(consumer.hold(True), 5)
        stop.set()
        await task
        return unit

    unit = asyncio.run(main())
    assert unit.state.held and unit.state.open == [] and unit.epoch == 2


def test_a_command_is_committed_before_it_returns_also_when_its_first_commit_breaks() -> None:
    async def main() -> tuple[Processor[Orders], list[Entry]]:
        bus = SlowReads()
        commands = {"clear": lambda state: withdraw(state, True)}
        engine = dataclasses.replace(DESK, commands=commands)
        unit, stop = Processor(engine, ["signals"], bus, lambda: 0), asyncio.Event()
        consumer = Consumer(unit, {bus: ["signals"]}, stop, unit.hold, do=unit.command)
        task = asyncio.create_task(consumer.run())
        await bus.append([signal(1, 1), signal(2, 2)])
        await until(lambda: len(unit.state.open) == 2)
        bus.faults = [CommitUnknown("broken")]
        await asyncio.wait_for(consumer.command("clear", Origin("op-1", 700)), 5)
        await asyncio.wait_for(consumer.hold(True), 5)
        assert unit.state.open == [] and unit.state.held
        stop.set()
        await task
        return unit, await bus.read({"orders": "0-0"}, 100, 0)

    unit, sent = asyncio.run(main())
    found = [decode(*entry) for entry in sent]
    cancels = [each for each in found if isinstance(each.body, Cancel)]
    assert [each.body.order_id for each in cancels if isinstance(each.body, Cancel)] == ["1", "2"]
    assert {(h.trace, h.mono_intended, h.cause) for h in (each.header for each in cancels)} == {
        ("request/op-1", 700, "")
    }
    assert {each.header.trace for each in found if isinstance(each.body, Order)} == {""}
    assert unit.epoch == 2


def test_what_no_request_has_asked_for_bears_no_trace_and_is_due_now() -> None:
    async def main() -> list[Entry]:
        bus = SlowReads()
        unit = Processor(DESK, ["signals"], bus, lambda: 500)
        await unit.claim()
        unit.state.open = ["1"]
        await unit.hold(True)
        return await bus.read({"orders": "0-0"}, 10, 0)

    (sent,) = asyncio.run(main())
    header = decode(*sent).header
    assert (header.trace, header.mono_intended) == ("", 500)


def test_one_that_is_cut_commits_nothing_more() -> None:
    async def main() -> Processor[Orders]:
        bus = SlowReads()
        unit, stop = Processor(DESK, ["signals"], bus, lambda: 0), asyncio.Event()
        consumer = Consumer(unit, {bus: ["signals"]}, stop, unit.hold)
        task = asyncio.create_task(consumer.run())
        await until(consumer.claimed.is_set)
        consumer.cut = True
        await bus.append([signal(1, 1)])
        await asyncio.sleep(0.05)  # time enough to read it; nothing shows that nothing happens
        stop.set()
        await task
        assert await bus.read({"orders": "0-0"}, 10, 0) == []
        return unit

    assert asyncio.run(main()).state.open == []


def test_an_engine_that_holds_orders_commits_its_state_each_time() -> None:
    with pytest.raises(ValueError, match="snapshot_s"):
        Processor(dataclasses.replace(DESK, snapshot_s=1.0), ["signals"], SlowReads(), lambda: 0)


@pytest.mark.parametrize("refusals", [1, 3])  # three: two claims are refused as well
def test_a_refused_commit_is_told_until_one_is_taken(refusals: int) -> None:
    """A bus out of memory: it takes reads and claims, and no commit."""

    async def main() -> tuple[str, str]:
        bus = SlowReads()
        unit, stop = Processor(DESK, ["signals"], bus, lambda: 0), asyncio.Event()
        consumer = Consumer(unit, {bus: ["signals"]}, stop, unit.hold)
        task = asyncio.create_task(consumer.run())
        await consumer.claimed.wait()
        bus.faults = [BusError("OOM", "")] * refusals
        await bus.append([signal(1, 1)])
        await until(lambda: bool(consumer.refused))
        told = consumer.refused
        await until(lambda: len(unit.state.open) == 1 and not bus.faults and not consumer.refused)
        stop.set()
        await task
        return told, consumer.refused

    told, after = asyncio.run(main())
    assert "OOM" in told and after == ""
