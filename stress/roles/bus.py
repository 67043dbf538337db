"""The bus benchmark within a mission: the fleet rests, servers and counted processes of its own do the work."""

import asyncio
from pathlib import Path

from hdrh.histogram import HdrHistogram

from reports import records
from stress import settle
from stress.busbench import bench, peer
from stress.busbench.bench import Mode
from stress.history.stamp import stamp
from stress.run import Run
from stress.specs.bus import Bus


async def carry_out(run: Run, spec: Bus) -> None:
    """Each mode, then the other tool's figure."""
    name = spec.title
    run.phase(name, "start", measured=False)
    for mode in spec.modes:
        run.say(name, mode)
        found = await asyncio.to_thread(bench.measured, mode, spec.seconds)
        run.add(mode_record(run.folder, name, found.mode, found.latency))
    if spec.peer:
        run.say(name, peer.TOOL)
        run.add(peer_record(name, await asyncio.to_thread(peer.measure, bench.PEER_REQUESTS, bench.BATCH)))
    run.phase(name, "end", measured=False)


def mode_record(folder: Path, phase: str, mode: Mode, latency: HdrHistogram) -> records.BusMode:
    """A mode as a record, its latencies as a log beside it."""
    log = settle.log(folder, f"{phase}.bus-{mode.name}", latency)
    counts = mode.messages
    return records.BusMode(
        **stamp(),
        phase=phase,
        mode=mode.name,
        title=mode.title,
        seconds=mode.seconds,
        asked_per_s=bench.PACED_PER_S if mode.name == "paced" else None,
        published=counts.published,
        delivered=counts.delivered,
        lost=counts.lost,
        duplicates=counts.duplicates,
        reordered=counts.reordered,
        invented=counts.invented,
        undecodable=mode.undecodable,
        changed=mode.changed,
        ticks_published=None if mode.ticks is None else mode.ticks.published,
        ticks_delivered=None if mode.ticks is None else mode.ticks.delivered,
        stalls=mode.stalls,
        cpu_s=mode.cpu_s,
        hlog=log,
        timed=latency.get_total_count(),
    )


def peer_record(phase: str, found: peer.Peer) -> records.BusPeer:
    """What the other tool measured, or why it could not."""
    return records.BusPeer(
        **stamp(),
        phase=phase,
        tool=found.tool,
        version=found.version,
        per_s=found.per_s,
        p99_ms=found.p99_ms,
        requests=found.requests,
        pipeline=found.pipeline,
        why=found.why,
    )
