"""After a storm: drain, then the ledger, halts, hops, the invariants, memory and the last health.

The ledger's rows are of the whole run so far, the last ones count; halts, alerts, refused orders, fills and what the
invariants are judged by are those since the last account.
"""

import asyncio
import contextlib
import time
from typing import NamedTuple

import msgspec
from hdrh.histogram import HdrHistogram

from engines.wire.bus import Bus
from engines.wire.errors import NautilusError
from engines.wire.messages import TOPICS
from reports import records
from stress import settle, toxicity
from stress.checks.apart import Request, judge
from stress.checks.evidence import Limits
from stress.checks.run import NAMES
from stress.history.stamp import stamp
from stress.profiler.sampler import pss_of
from stress.run import Run

HOPS = (
    ("risk", "trades", "tick-to-risk"),
    ("risk", "trades bus", "bus-to-risk"),
    ("risk", "orders", "tick-to-check"),
    ("strategy", "bars", "tick-to-signal"),
    ("vpin", "trades", "tick-to-vpin"),
    ("portfolio", "trades", "tick-to-mark"),
)
"""Engine, what it keeps the times of, and the hop's name."""


class Account(NamedTuple):
    """What is accounted for: the records' phase, the phase whose hops are taken and its trace, and since when."""

    name: str
    measured: str
    trace: str
    began: float  # monotonic seconds
    drain_s: float


async def carry_out(run: Run, what: Account) -> None:
    """Drain, count, and collect."""
    name = what.name
    run.phase(name, "start", measured=False)
    run.say(name, "draining")
    buses: dict[str, Bus] = {"main": run.fleet.bus("main"), "market": run.fleet.bus("market")}
    try:
        await settle.drained(buses, run.manifests(), what.drain_s)
        run.taken.seconds += time.monotonic() - what.began
        for row in await settle.ledger(buses, run.manifests(), run.taken.seconds):
            run.add(row)
        for outcome in await settle.outcomes(buses["main"], name, run.taken):
            run.add(outcome)
        for bucket in await toxicity.path(buses[TOPICS["vpin"]], run.taken):
            run.add(bucket)
        for engine, topic, hop in HOPS:
            encoded = (await asyncio.to_thread(run.fleet.get, engine, "/hops")).get(f"{what.trace} {topic}")
            if encoded is not None:
                _hop(run, what.measured, hop, HdrHistogram.decode(encoded))
        filled = await settle.order_to_fill(buses["main"], what.trace, run.taken)
        _hop(run, what.measured, "order-to-fill", filled)
        await _invariants(run, what)
    finally:
        for bus in buses.values():
            await bus.close()
    await asyncio.to_thread(run.fleet.refresh)  # a fault may have given some of them new processes
    _memory(run)
    run.phase(name, "end", measured=False)
    await run.probe("end")


async def _invariants(run: Run, what: Account) -> None:
    """Judge the trading invariants, in a process of its own."""
    run.say(what.name, "judging the trading invariants")
    limits, released = await asyncio.to_thread(_settings, run)
    request = Request(
        fleet=run.fleet.name,
        home=str(run.fleet.home),
        trace=what.trace,
        since=run.taken.mark,
        limits=limits,
        released=released,
    )
    rulings, collected = await judge(request)
    for each in rulings:
        run.add(
            records.Invariant(
                **stamp(),
                phase=what.measured,
                number=each.invariant,
                name=NAMES[each.invariant],
                clause=each.clause,
                outcome=each.status.value,
                checked=each.checked,
                violations=each.violations,
                examples=list(each.examples),
                producers=each.producers,
                why=each.why,
            )
        )
    if collected is not None:
        run.taken.mark = collected.until
        if collected.feed:
            _hop(run, what.measured, "feed", HdrHistogram.decode(collected.feed))


def _settings(run: Run) -> tuple[Limits | None, tuple[str, ...]]:
    """Risk's limits, and the pins that the tape's overlays released; what is not told leaves its clauses UNKNOWN."""
    limits: Limits | None = None
    released: tuple[str, ...] = ()
    with contextlib.suppress(NautilusError):
        limits = msgspec.convert(run.fleet.get("risk", "/limits")["limits"], Limits)
    with contextlib.suppress(NautilusError):
        released = tuple(run.fleet.get("marketdata", "/replay")["released"])
    return limits, released


def _hop(run: Run, phase: str, name: str, histogram: HdrHistogram) -> None:
    record = settle.hop(run.folder, phase, name, histogram)
    if record is not None:
        run.add(record)


def _memory(run: Run) -> None:
    sizes = {name: pss_of(pid) for name, pid in run.fleet.pids().items()}
    known = {name: size for name, size in sizes.items() if size is not None}
    if len(known) == len(sizes):
        run.add(records.Memory(**stamp(), pss_bytes_total=sum(known.values()), per_process=known))
