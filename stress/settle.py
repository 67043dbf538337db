"""After the tape: wait until every message is consumed, then account for each of them, and collect the latencies."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogWriter

from engines.wire.bus import START, Bus, Counts, Entry, Ledger, parse_id
from engines.wire.errors import MessageError
from engines.wire.manifest import Manifest
from engines.wire.messages import TOPICS, Denied, Envelope, Fill, Halt, Order, RiskAlert, decode
from reports import records
from stress.checks.evidence import Mark
from stress.history.stamp import stamp

Buses = Mapping[str, Bus]
_PAGE = 250  # entries of a topic: a batch of ticks may hold a hundred kilobytes
_POLL_S = 0.25
HIGHEST_US = 60_000_000


class Taken:
    """What the accounts of a run have taken so far: the last entry by topic, events by subject, seconds of traffic."""

    def __init__(self) -> None:
        self.last: dict[str, str] = {}
        self.mark = Mark()  # where the invariants' evidence begins
        self.seen = Counter[str]()
        self.seconds = 0.0

    async def new(self, bus: Bus, topic: str) -> list[Entry]:
        """The entries of a topic that no account has taken; they are taken now."""
        found = await entries_after(bus, topic, self.last.get(topic, START))
        if found:
            self.last[topic] = found[-1].id
        return found

    async def messages(self, bus: Bus, topic: str) -> list[Envelope]:
        """The same, decoded; what nobody can decode is a fault's, and lies in the dead letters of whoever read it."""
        found = []
        for entry in await self.new(bus, topic):
            with contextlib.suppress(MessageError):
                found.append(decode(*entry))
        return found


async def drained(buses: Buses, manifests: Sequence[Manifest], limit_s: float) -> bool:
    """Wait until no consumer has an entry before it, for two looks in a row.  False: the time was up."""
    until = time.monotonic() + limit_s
    calm = 0
    while time.monotonic() < until:
        behind = 0
        for manifest in manifests:
            saved = await buses["main"].saved(manifest.name)
            for topic in manifest.consumes:
                last = (await buses[TOPICS[topic]].stats(topic)).last
                behind += parse_id(saved.cursors.get(topic, START)) < parse_id(last)
        calm = 0 if behind else calm + 1
        if calm == 2:  # an answer to the last message may itself be a message
            return True
        await asyncio.sleep(_POLL_S)
    return False


async def ledger(buses: Buses, manifests: Sequence[Manifest], seconds: float) -> list[records.Ledger]:
    """Every consumer's account of every topic.

    `published` is the bus server's own count, the rest the consumer's committed one; pending entries are counted by
    reading what lies after the cursor.  What is in none of these is lost.
    """
    made = []
    for manifest in manifests:
        saved = await buses["main"].saved(manifest.name)
        book = msgspec.msgpack.decode(saved.ledger, type=Ledger) if saved.ledger else Ledger()
        for topic in manifest.consumes:
            bus = buses[TOPICS[topic]]
            counts = book.topics.get(topic, Counts())
            published = (await bus.stats(topic)).added
            pending = len(await entries_after(bus, topic, saved.cursors.get(topic, START)))
            made.append(
                records.Ledger(
                    **stamp(),
                    bus=TOPICS[topic],
                    topic=topic,
                    consumer=manifest.name,
                    seconds=seconds,
                    published=published,
                    processed_unique=counts.processed,
                    dead_lettered=counts.dead,
                    pending=pending,
                    lost=max(published - counts.processed - counts.dead - pending, counts.missing),
                    deliveries=counts.deliveries,
                    redeliveries=counts.redeliveries,
                    reordered=counts.reordered,
                )
            )
    return made


async def entries_after(bus: Bus, topic: str, cursor: str) -> list[Entry]:
    """All entries of a topic after a cursor."""
    found: list[Entry] = []
    while page := await bus.read({topic: cursor}, _PAGE, 0):
        found += page
        cursor = page[-1].id
    return found


async def outcomes(main: Bus, phase: str, taken: Taken) -> list[records.AnyRecord]:
    """Halts, alerts and refused orders since the last account, and that somebody has listened since the first."""
    halts = await taken.messages(main, "halts")
    alerts = await taken.messages(main, "risk-alerts")
    events = await taken.messages(main, "order-events")
    denied = Counter(message.body.code for message in events if isinstance(message.body, Denied))
    taken.seen.update(halts=len(halts), alerts=len(alerts), denials=denied.total())
    made: list[records.AnyRecord] = [
        records.Denial(**stamp(), phase=phase, code=code, count=count) for code, count in denied.items()
    ]
    for message in halts:
        body = message.body
        if isinstance(body, Halt):
            made.append(
                records.Halt(
                    **stamp(),
                    kind=body.kind,
                    level=body.level or None,
                    symbol=body.symbol,
                    start_ns=body.start_ns,
                    end_ns=body.end_ns,
                    rule=body.rule,
                    source=message.header.producer,
                )
            )
    for message in alerts:
        body = message.body
        if isinstance(body, RiskAlert):
            made.append(
                records.Alert(
                    **stamp(), kind=body.kind, source=message.header.producer, symbol=body.symbol, detail=body.detail
                )
            )
    made.append(records.Observer(**stamp(), subject="halts", seen=taken.seen["halts"]))
    made.append(records.Observer(**stamp(), subject="alerts", seen=taken.seen["alerts"]))
    made.append(records.Observer(**stamp(), subject="denials", seen=taken.seen["denials"]))
    return made


async def order_to_fill(main: Bus, trace: str, taken: Taken) -> HdrHistogram:
    """Microseconds from an order's sending to each of its fills' sending: orders of a trace since the last account."""
    sent: dict[str, int] = {}
    for message in await taken.messages(main, "orders"):
        if isinstance(message.body, Order) and message.header.trace == trace:
            sent[message.body.order_id] = message.header.mono_sent
    histogram = HdrHistogram(1, HIGHEST_US, 3)
    for message in await taken.messages(main, "fills"):
        if isinstance(message.body, Fill) and message.body.order_id in sent:
            took = (message.header.mono_sent - sent[message.body.order_id]) // 1000
            histogram.record_value(min(HIGHEST_US, max(1, took)))
    return histogram


def hop(folder: Path, phase: str, name: str, histogram: HdrHistogram) -> records.Hop | None:
    """Write one hop's latencies as a one-interval HDR log; None when nothing was measured."""
    count = histogram.get_total_count()
    if count == 0:
        return None
    return records.Hop(
        **stamp(), phase=phase, name=name, hlog=log(folder, f"{phase}.hop-{name}", histogram), count=count
    )


def log(folder: Path, name: str, histogram: HdrHistogram) -> str:
    """Write latencies as an HDR log of one interval; its path within the run folder."""
    path = folder / "latency" / f"{name}.hlog"
    path.parent.mkdir(exist_ok=True)
    now_ms = time.time() * 1000
    with path.open("w", encoding="ascii") as file:
        writer = HistogramLogWriter(file)
        writer.output_log_format_version()
        writer.output_base_time(round(now_ms))
        writer.output_legend()
        histogram.set_start_time_stamp(now_ms)
        histogram.set_end_time_stamp(now_ms)
        writer.output_interval_histogram(histogram, max_value_unit_ratio=1000.0)
    return path.relative_to(folder).as_posix()
