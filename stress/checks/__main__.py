"""The child of `stress.checks.apart`: collects one phase's evidence, judges it, and answers line by line."""

import asyncio
import resource
import sys
import time
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

import duckdb
import msgspec
from hdrh.histogram import HdrHistogram

from engines.fleet import folders
from engines.wire import manifest
from engines.wire.bus import START, Bus, parse_id
from engines.wire.errors import NautilusError
from stress.checks import collect
from stress.checks.apart import LIMIT_BYTES, Collected, Request, Ruling, ruling
from stress.checks.evidence import Evidence
from stress.checks.run import CLAUSES
from stress.checks.violation import Status, judge
from stress.fleet import EngineRefused, MissionFleet
from stress.settle import HIGHEST_US

_RECORDED_S = 20.0
_EXPORT_S = 60.0
_POLL_S = 0.1


def main() -> None:
    """One request in, one line a clause out."""
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT_BYTES, LIMIT_BYTES))
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    evidence, lacking = asyncio.run(_evidence(request))
    messages = sum(map(len, evidence.topics.values()))
    until, feed = collect.mark(evidence, request.since), _feed(evidence, request.trace)
    _answer(Collected(until=until, messages=messages, feed=feed, lacking=lacking))
    for clause in CLAUSES:
        told = ruling(judge(clause, evidence))
        if lacking and told.status is Status.UNKNOWN:
            told = msgspec.structs.replace(told, why=f"{told.why}; the recorder's part is missing: {lacking}")
        _answer(told)


def _answer(line: Collected | Ruling) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


def _feed(evidence: Evidence, trace: str) -> str:
    """How late the trades of a trace were sent, by their own stamps; empty where some are gone or none is there."""
    stamps = [m.header for m in evidence.of("trades") if m.header.trace == trace and m.header.mono_intended]
    if not stamps or evidence.trimmed("trades"):
        return ""
    histogram = HdrHistogram(1, HIGHEST_US, 3)
    for header in stamps:
        histogram.record_value(min(HIGHEST_US, max(1, (header.mono_sent - header.mono_intended) // 1000)))
    return str(histogram.encode().decode())


async def _evidence(request: Request) -> tuple[Evidence, str]:
    """The evidence, and why the recorder's part of it is missing."""
    fleet = MissionFleet(Path(request.home), request.fleet)
    buses: dict[str, Bus] = {"main": fleet.bus("main"), "market": fleet.bus("market")}
    try:
        evidence = await collect.from_buses(buses, request.since)
        evidence = msgspec.structs.replace(evidence, limits=request.limits, released=request.released)
        store = folders.of(request.fleet, fleet.home).store / "parquet"
        try:
            await _recorded(buses, evidence.ends)
            status, reply = fleet.exchange("backend", "POST", "/export", {}, _EXPORT_S)
            if status >= HTTPStatus.BAD_REQUEST:
                raise EngineRefused("backend refuses to export.", reply.decode("utf-8", "replace")[:200])
            return collect.with_store(evidence, store, manifest.discover(), request.since), ""
        except (NautilusError, duckdb.Error) as error:
            return evidence, f"{type(error).__name__}: {error}"
    finally:
        for bus in buses.values():
            await bus.close()


async def _recorded(buses: Mapping[str, Bus], ends: Mapping[str, str]) -> None:
    """Wait until the recorder has taken what was collected; what it then lacks, the checkers tell."""
    until = time.monotonic() + _RECORDED_S
    while time.monotonic() < until:
        cursors = (await buses["main"].saved(collect.RECORDER)).cursors
        if all(parse_id(at) >= parse_id(ends.get(topic, START)) for topic, at in cursors.items()):
            return
        await asyncio.sleep(_POLL_S)


if __name__ == "__main__":
    main()
