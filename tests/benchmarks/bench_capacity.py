"""Closed-loop capacity of the whole fleet with the generator on the same cores; idle health and memory beside it."""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import psutil

from engines.fleet.probe import probe
from engines.fleet.status import FleetStatus
from engines.wire.manifest import discover
from stress.fleet import MissionFleet
from stress.history.samples import pss_bytes
from stress.load import runner
from stress.load.plan import ClosedPhase, LoadPlan
from stress.targets import targets

ROUNDS = 3
SECONDS = 6.0
CONCURRENCY = (64, 128)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        fleet = MissionFleet(Path(name) / "fleet")
        try:
            status = fleet.up(lambda _: None)
            time.sleep(3)
            idle(fleet)
            for mix in ("health", "compute"):
                for concurrency in CONCURRENCY:
                    capacity(status, mix, concurrency, Path(name))
            memory(fleet)
        finally:
            fleet.down()


def idle(fleet: MissionFleet) -> None:
    """`/health` of each engine thirty times, one engine after the other, and of all at once."""
    alone: dict[str, list[float]] = {}
    together: list[float] = []
    known = fleet.known()
    for _ in range(30):
        for engine in known.wanted:
            alone.setdefault(engine.name, []).append(probe([engine], known.host)[0].response_ms or float("inf"))
        together += [report.response_ms or float("inf") for report in fleet.health()]
        time.sleep(0.05)
    worst = max(alone, key=lambda name: statistics.mean(alone[name]))
    every = statistics.mean(value for values in alone.values() for value in values)
    print(
        f"idle /health, one engine at a time: mean {every:.2f} ms, worst {worst} {statistics.mean(alone[worst]):.2f} ms"
    )
    print(f"idle /health, all thirteen at once: mean {statistics.mean(together):.2f} ms")


def capacity(status: FleetStatus, mix: str, concurrency: int, folder: Path) -> None:
    """Median of rounds of a closed loop."""
    rates, lost = [], 0
    for number in range(ROUNDS):
        phases = (ClosedPhase("warm", concurrency, 1.5), ClosedPhase("closed", concurrency, SECONDS))
        plan = LoadPlan(targets(discover(), status, mix, 13 * concurrency), phases, seed=number)
        result = asyncio.run(runner.run(plan, folder / f"{mix}{concurrency}{number}", lambda _: None)).phases[-1]
        rates.append(sum(t.counts.done for t in result.targets.values()) / result.seconds)
        lost += sum(sum(t.counts.failed.values()) for t in result.targets.values())
    text = ", ".join(f"{rate:,.0f}" for rate in rates)
    print(f"{mix} mix, {concurrency} outstanding: median {statistics.median(rates):,.0f}/s of {text}; {lost} failed")


def memory(fleet: MissionFleet) -> None:
    """Proportional set size after the load."""
    sizes = {name: pss_bytes(psutil.Process(pid)) or 0 for name, pid in fleet.pids().items()}
    rows = ", ".join(f"{name} {size / 1e6:.0f}" for name, size in sorted(sizes.items()))
    print(f"proportional memory: {sum(sizes.values()) / 1e9:.3f} GB (MB: {rows})")


if __name__ == "__main__":
    main()
