"""After a storm: drain, then the ledger, halts, hops, memory and the last health.

The ledger's rows are of the whole run so far, the last ones count; halts, alerts and fills are those since the last
account.
"""

import asyncio
import time
from typing import NamedTuple

from hdrh.histogram import HdrHistogram

from engines.wire.bus import Bus
from reports import records
from stress import settle
from stress.history.stamp import stamp
from stress.profiler.sampler import pss_of
from stress.run import Run

HOPS = (("risk", "trades", "tick-to-risk"), ("strategy", "bars", "tick-to-signal"), ("vpin", "trades", "tick-to-vpin"))


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
        for outcome in await settle.outcomes(buses["main"], run.taken):
            run.add(outcome)
        for engine, topic, hop in HOPS:
            encoded = (await asyncio.to_thread(run.fleet.get, engine, "/hops")).get(f"{what.trace} {topic}")
            if encoded is not None:
                _hop(run, what.measured, hop, HdrHistogram.decode(encoded))
        filled = await settle.order_to_fill(buses["main"], what.trace, run.taken)
        _hop(run, what.measured, "order-to-fill", filled)
    finally:
        for bus in buses.values():
            await bus.close()
    await asyncio.to_thread(run.fleet.refresh)  # a fault may have given some of them new processes
    _memory(run)
    run.phase(name, "end", measured=False)
    await run.probe("end")


def _hop(run: Run, phase: str, name: str, histogram: HdrHistogram) -> None:
    record = settle.hop(run.folder, phase, name, histogram)
    if record is not None:
        run.add(record)


def _memory(run: Run) -> None:
    sizes = {name: pss_of(pid) for name, pid in run.fleet.pids().items()}
    known = {name: size for name, size in sizes.items() if size is not None}
    if len(known) == len(sizes):
        run.add(records.Memory(**stamp(), pss_bytes_total=sum(known.values()), per_process=known))
