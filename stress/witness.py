"""What engines say of themselves at the end of a run, and what their supervisor and the bus know of the same.

Nobody is believed: an engine's pid is compared with the one that its supervisor started, its counters with the ledger
that it committed, and its silence about waiting messages with the entries behind its cursors.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from engines.fleet.status import EngineStatus
from engines.wire.bus import START, Bus, Ledger, parse_id
from engines.wire.errors import BusError, NotRunning
from engines.wire.health import HealthReport
from engines.wire.manifest import Manifest
from engines.wire.messages import TOPICS
from reports import records
from stress.fleet import EngineRefused, MissionFleet
from stress.history.stamp import stamp
from stress.run import Run
from stress.settle import entries_after

STILL_S = 1.5  # an engine renews its report once a second
TRIES = 3

Buses = Mapping[str, Bus]


class Known(NamedTuple):
    """What the bus knows of a consumer: its committed counts and cursors, and where entries lie behind them."""

    processed: int
    dead_lettered: int
    cursors: Mapping[str, str]
    behind: tuple[str, ...]


async def look(buses: Buses, manifest: Manifest) -> Known:
    """One look.  Raises BusError."""
    saved = await buses["main"].saved(manifest.name)
    book = msgspec.msgpack.decode(saved.ledger, type=Ledger) if saved.ledger else Ledger()
    cursors = {topic: saved.cursors.get(topic, START) for topic in manifest.consumes}
    behind = []
    for topic, cursor in cursors.items():
        last = (await buses[TOPICS[topic]].stats(topic)).last
        if parse_id(cursor) < parse_id(last):
            behind.append(topic)
    counts = book.topics.values()
    return Known(sum(each.processed for each in counts), sum(each.dead for each in counts), cursors, tuple(behind))


async def testify(run: Run) -> None:
    """Record what each engine says at the end; nothing where there is nobody to compare with."""
    buses: dict[str, Bus] = {name: run.fleet.bus(name) for name in ("main", "market")}
    try:
        for row in await hear(run.fleet, buses, run.manifests()):
            run.add(row)
    except (BusError, NotRunning) as error:
        run.say("end", f"the engines' own accounts cannot be compared: {error}")
    finally:
        for bus in buses.values():
            await bus.close()


async def hear(fleet: MissionFleet, buses: Buses, manifests: tuple[Manifest, ...]) -> list[records.Testimony]:
    """Every engine of ours that was asked for, heard until what it says agrees or has not changed for three looks.

    Raises:
        BusError, NotRunning: there is nobody to compare with.
    """
    status = await asyncio.to_thread(fleet.refresh)
    wanted = {engine.name for engine in status.wanted}
    left = [each for each in manifests if each.name in wanted and not each.foreign]
    heard: dict[str, records.Testimony] = {}
    before = {each.name: await look(buses, each) for each in left}
    for _ in range(TRIES):
        began = time.monotonic()
        await asyncio.sleep(STILL_S)
        engines = {engine.name: engine for engine in (await asyncio.to_thread(fleet.refresh)).wanted}
        again = []
        for each in left:
            said = await asyncio.to_thread(said_by, fleet, each.name)
            known = await look(buses, each)
            still_s = time.monotonic() - began if known == before[each.name] else 0.0
            unread = await _unread(buses, known)
            heard[each.name] = testimony(engines[each.name], said, known, unread, still_s)
            if known.behind or said is None or said.counters.get("processed") != known.processed:
                again.append(each)
            before[each.name] = known
        left = again
        if not left:
            break
    return sorted(heard.values(), key=lambda row: row.mono_ns)  # a history goes forward


def said_by(fleet: MissionFleet, engine: str) -> HealthReport | None:
    """An engine's own report; None when it gives none."""
    try:
        _, body = fleet.exchange(engine, "GET", "/health", None)
        return msgspec.json.decode(body, type=HealthReport)
    except (EngineRefused, msgspec.DecodeError):
        return None


async def _unread(buses: Buses, known: Known) -> int:
    """How many entries lie behind its cursors."""
    counts = [len(await entries_after(buses[TOPICS[topic]], topic, known.cursors[topic])) for topic in known.behind]
    return sum(counts)


def testimony(
    engine: EngineStatus, said: HealthReport | None, known: Known, unread: int, still_s: float
) -> records.Testimony:
    """The record."""
    return records.Testimony(
        **stamp(),
        engine=engine.name,
        status=said.status if said is not None else None,
        said_pid=said.pid if said is not None else None,
        said_uptime_s=said.uptime_s if said is not None else None,
        said_processed=said.counters.get("processed") if said is not None else None,
        said_dead_lettered=said.counters.get("dead_letters") if said is not None else None,
        said_lag=said.bus.lag if said is not None else None,
        pid=engine.pid,
        age_s=engine.uptime_s,
        processed=known.processed,
        dead_lettered=known.dead_lettered,
        unread=unread,
        still_s=round(still_s, 3),
    )
