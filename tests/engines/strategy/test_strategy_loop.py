"""The order loop on a real tape: features, VPIN, risk, strategies and venue in lockstep over the bus in memory."""

import asyncio
import importlib
from collections import Counter, defaultdict

import pytest

from engines.kit.processor import Processor
from engines.marketdata.builder import build
from engines.marketdata.config import ReplayConfig, VenueConfig
from engines.marketdata.day import Day
from engines.marketdata.publisher import Item, Publisher, Retry
from engines.marketdata.replay import messages
from engines.marketdata.request import ReplayRequest
from engines.marketdata.schedule import plan
from engines.wire.bus import MemoryBus
from engines.wire.manifest import discover, pick
from engines.wire.messages import (
    TOPICS,
    Accepted,
    Body,
    Cancelled,
    Denied,
    Envelope,
    Fill,
    Filled,
    Halt,
    Order,
    Rejected,
    decode,
)

ENGINES = ("features", "vpin", "risk", "strategy", "marketdata")
COARSE = ReplayConfig(flush_s=0.2)


async def replayed(day: Day) -> dict[str, list[Envelope]]:
    """Every stream after a day of 20,000 ticks; each batch is worked off before the next one."""
    bus = MemoryBus()
    units = []
    for name in ENGINES:
        consumes = pick(discover(), name).consumes
        unit = Processor(importlib.import_module(f"engines.{name}.service").engine, consumes, bus, lambda: 0)
        await unit.claim()
        units.append(unit)
    publisher = Publisher(bus, "marketdata", lambda: 1, lambda: 0, Retry())
    for batch in plan(day, COARSE):
        trace = f"r1/{batch.segment}"
        await publisher.publish([Item(1, batch.number, trace, batch.ts_ns, 0, body) for body in messages(day, batch)])
        busy = True
        while busy:
            busy = False
            for unit in units:
                if entries := await bus.read(unit.positions, 128, 0):
                    busy = True
                    await unit.process(entries)
    for unit in units:
        assert sum(counts.dead for counts in unit.ledger.topics.values()) == 0
    return {t: [decode(*entry) for entry in await bus.read({t: "0-0"}, 10**6, 0)] for t in TOPICS}


@pytest.fixture(scope="module")
def day() -> Day:
    return asyncio.run(build(ReplayRequest(seed=5, ticks=20_000)))


@pytest.fixture(scope="module")
def streams(day: Day) -> dict[str, list[Envelope]]:
    return asyncio.run(replayed(day))


def of(streams: dict[str, list[Envelope]], topic: str) -> list[Body]:
    return [message.body for message in streams[topic]]


def test_both_strategies_trade_in_the_crash_and_go_home_flat(streams: dict[str, list[Envelope]]) -> None:
    placed = Counter((m.header.trace, m.body.strategy) for m in streams["orders"] if isinstance(m.body, Order))
    assert placed["r1/window", "momentum"] > 0
    assert sum(count for (_, strategy), count in placed.items() if strategy == "reversion") > 0
    held: Counter[tuple[str, str]] = Counter()
    for fill in of(streams, "fills"):
        assert isinstance(fill, Fill)
        held[fill.strategy, fill.symbol] += fill.side * fill.quantity
    assert set(held.values()) == {0}


def test_each_order_has_one_decision_one_ending_and_nothing_after(streams: dict[str, list[Envelope]]) -> None:
    decided: Counter[str] = Counter()
    ended: dict[str, Body] = {}
    for body in of(streams, "order-events"):
        if isinstance(body, Accepted):
            decided[body.order.order_id] += 1
            assert body.order.order_id not in ended
        elif isinstance(body, Denied | Rejected | Cancelled | Filled):
            assert body.order_id not in ended
            ended[body.order_id] = body
            decided[body.order_id] += isinstance(body, Denied)
    placed = {body.order_id: body for body in of(streams, "orders") if isinstance(body, Order)}
    assert decided == Counter(placed.keys())
    assert ended.keys() == placed.keys()
    filled: dict[str, int] = defaultdict(int)
    for fill in of(streams, "fills"):
        assert isinstance(fill, Fill)
        filled[fill.order_id] += fill.quantity
    for name, order in placed.items():
        ending = ended[name]
        left = (
            ending.remaining if isinstance(ending, Cancelled) else 0 if isinstance(ending, Filled) else order.quantity
        )
        assert filled[name] + left == order.quantity


def test_fills_come_after_the_latency_and_outside_halts(streams: dict[str, list[Envelope]]) -> None:
    sent = {m.body.order_id: m for m in streams["orders"] if isinstance(m.body, Order)}
    halts = [body for body in of(streams, "halts") if isinstance(body, Halt)]
    for message in streams["fills"]:
        fill = message.body
        assert isinstance(fill, Fill)
        assert fill.ts_ns >= sent[fill.order_id].header.ts_event + VenueConfig().latency_ns
        assert fill.ts_ns <= message.header.ts_event  # no quote of the future
        assert not any(h.symbol in ("*", fill.symbol) and h.start_ns <= fill.ts_ns < h.end_ns for h in halts)


def test_the_same_day_gives_the_same_messages(day: Day, streams: dict[str, list[Envelope]]) -> None:
    again = asyncio.run(replayed(day))
    for topic, found in streams.items():
        assert [(m.entry_id, m.body) for m in again[topic]] == [(m.entry_id, m.body) for m in found]
