"""Histories for the checkers: hand-built ones, and a short real replay through the engines' own steps."""

import asyncio
import importlib
import itertools
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from engines.kit.processor import Processor
from engines.marketdata.builder import build
from engines.marketdata.config import ReplayConfig
from engines.marketdata.publisher import Item, Publisher, Retry
from engines.marketdata.replay import messages
from engines.marketdata.request import ReplayRequest
from engines.marketdata.schedule import plan
from engines.wire.bus import MemoryBus
from engines.wire.manifest import discover, pick
from engines.wire.messages import TOPICS, Body, Envelope, Header, Session, Trades
from engines.wire.ticks import LEVEL, QUOTE, TRADE
from stress.checks import collect
from stress.checks.evidence import Evidence
from stress.checks.violation import Check

ENGINES = ("features", "vpin", "risk", "strategy", "marketdata", "portfolio", "collateral", "ml")
SYMBOLS = ("SPX", "ESX", "AAPL")
S = 1_000_000_000


class History:
    """Messages in the order in which they were sent; each gets the next number, stamp and entry id of its stream."""

    def __init__(self) -> None:
        self.sent: list[Envelope] = []
        self._seq: dict[tuple[str, str], int] = {}

    def add(
        self, body: Body, ts: int = 0, producer: str = "venue", cause: Envelope | None = None, trace: str = "r1/window"
    ) -> Envelope:
        key = (producer, body.TOPIC)
        self._seq[key] = seq = self._seq.get(key, 0) + 1
        stamp = len(self.sent) + 1
        header = Header(producer, 1, seq, cause.id if cause else "", 0, trace, ts, 0, stamp)
        message = Envelope(body.TOPIC, f"{stamp}-0", header, body)
        self.sent.append(message)
        return message

    def evidence(self, way_ns: tuple[int, int] | None = None, **facts: Any) -> Evidence:
        """`way_ns`: the venue's latency and jitter, as its sessions then tell them."""
        sent = self.sent
        if way_ns is not None:
            told = {"latency_ns": way_ns[0], "jitter_ns": way_ns[1]}
            sent = [
                msgspec.structs.replace(m, body=msgspec.structs.replace(m.body, **told)) if m.topic == "sessions" else m
                for m in sent
            ]
        topics = {topic: tuple(m for m in sent if m.topic == topic) for topic in TOPICS}
        return Evidence(topics=topics, added={topic: len(found) for topic, found in topics.items()}, **facts)


def session(event: Any = "open", **facts: Any) -> Session:
    made = Session(
        event, "flash-crash-2010", "2010-05-06", SYMBOLS, SYMBOLS[1:], 1, "", 40.0, tick_sizes=(100, 2_500, 100),
        multipliers=(1, 50, 1),
    )  # fmt: skip
    return msgspec.structs.replace(made, **facts)


def trades(*rows: tuple[int, str, int, int]) -> Trades:
    """Trades of (ts, symbol, price, size)."""
    made = np.zeros(len(rows), TRADE)
    for place, (ts, symbol, price, size) in enumerate(rows):
        made[place] = (ts, SYMBOLS.index(symbol), 1, price, size)
    return Trades(SYMBOLS, made.tobytes())


def quote_rows(*rows: tuple[int, str, int, int]) -> bytes:
    made = np.zeros(len(rows), QUOTE)
    for place, (ts, symbol, bid, ask) in enumerate(rows):
        made[place] = (ts, SYMBOLS.index(symbol), bid, ask, 100, 100)
    return made.tobytes()


def level_rows(*rows: tuple[int, int]) -> bytes:
    made = np.zeros(len(rows), LEVEL)
    for place, (ts, level) in enumerate(rows):
        made[place] = (ts, 0, level)
    return made.tobytes()


def words(check: Check, evidence: Evidence) -> list[str]:
    """What a checker finds, entity and words."""
    return [f"{violation.entity}: {violation.words}" for violation in check(evidence)]


def replayed(ticks: int = 20_000, seed: int = 5, request: dict[str, Any] | None = None) -> Evidence:
    """The evidence of one day through the engines over the bus in memory; each batch is worked off before the next."""
    return asyncio.run(_replayed(ReplayRequest(seed=seed, ticks=ticks, **(request or {}))))


async def _replayed(request: ReplayRequest) -> Evidence:
    bus, clock = MemoryBus(), itertools.count(1)

    def stamp() -> int:
        return next(clock)

    day = await build(request)
    units: Sequence[Processor[Any]] = [
        Processor(
            importlib.import_module(f"engines.{name}.service").engine, pick(discover(), name).consumes, bus, stamp
        )
        for name in ENGINES
    ]
    for unit in units:
        await unit.claim()
    publisher = Publisher(bus, "marketdata-tape", lambda: 1, stamp, Retry())
    for batch in plan(day, ReplayConfig(flush_s=0.2)):
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
    return await collect.from_buses({"main": bus, "market": bus})
