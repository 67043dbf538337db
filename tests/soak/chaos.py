"""Random kills over a real fleet with a tape running through it, and what is left afterwards.

SIGKILL is a crash, SIGTERM an end that the supervisor was not asked for, SIGSTOP a stall.  They overlap: nothing waits
for an engine to be back before the next one is hit.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import statistics
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec

from engines.fleet import api, buses, folders, process
from engines.fleet.policy import Rules
from engines.fleet.status import Event, FleetStatus
from engines.wire.errors import NotRunning
from engines.wire.manifest import Manifest, discover
from engines.wire.redis_bus import RedisBus
from stress.settle import drained, ledger

NAME = "soak"
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP)
RULES = Rules(crashes=1_000_000, cap_s=1.0)  # a crash loop is what a soak is, so it is not given up for one
SETTLE_S, DRAIN_S = 60.0, 60.0
STALLED_S = 2.0  # a stall is told after one second of silence
_SOURCE = "marketdata"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is done to which fleet.  `engines` None: all; `gap_s`: the longest pause between two kills."""

    kills: int
    engines: tuple[str, ...] | None = None
    seed: int = 1
    gap_s: float = 0.5
    port_offset: int | None = None


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds over all kills by SIGKILL whose engine was not hit again meanwhile; None when there was none."""

    count: int
    median: float | None
    p95: float | None
    worst: float | None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.soak/1` document."""

    schema: str = "nautilus.soak/1"
    seconds: float
    kills: dict[str, int]
    engines: int
    healthy: int
    restarts: int
    orphans: int
    zombies: int
    published: int
    lost: int
    pending: int
    replays: int
    detected_ms: Times
    ready_ms: Times
    left_after_down: int

    @property
    def ok(self) -> bool:
        """As if nothing had happened."""
        return self.healthy == self.engines and not (
            self.orphans or self.zombies or self.lost or self.pending or self.left_after_down
        )


class Watcher(threading.Thread):
    """Notes when events came, in CLOCK_MONOTONIC seconds."""

    def __init__(self, home: Path) -> None:
        super().__init__(daemon=True)
        self._home = home
        self.seen: list[tuple[float, Event]] = []

    def run(self) -> None:
        """Until the supervisor ends."""
        with contextlib.suppress(NotRunning):
            for event in api.events(NAME, home=self._home):
                self.seen.append((time.monotonic(), event))


def soak(plan: Plan, home: Path, say: Callable[[str], None]) -> Result:
    """Up, kill, settle, account, down."""
    spec = api.FleetSpec(name=NAME, home=home, engines=plan.engines, port_offset=plan.port_offset, rules=RULES)
    began = time.monotonic()
    now = api.up(spec)
    watcher = Watcher(home)
    watcher.start()
    try:
        hits, replays = _kill(plan, home, now, say)
        say("settling")
        _settle(home)
        counts = asyncio.run(_account(home, [m for m in discover() if m.name in {e.name for e in now.wanted}]))
        end = api.status(NAME, home=home)
        known = {e.pid for e in end.engines} | {b.pid for b in end.buses}
        others = [m for m in process.members(Path(end.paths.state)) if m.pid not in known]
        zombies = len(_zombies(end.supervisor.pid))
    finally:
        with contextlib.suppress(NotRunning):
            api.down(NAME, home=home)
    watcher.join(5.0)
    quick = [hit for hit in hits if hit[2] == signal.SIGKILL]
    return Result(
        seconds=round(time.monotonic() - began, 1),
        kills=dict(Counter(number.name for _, _, number in hits)),
        engines=len(end.wanted),
        healthy=sum(engine.state == "ready" for engine in end.wanted),
        restarts=sum(engine.restarts for engine in end.wanted),
        orphans=len(others) - 1,  # the zygote is nobody's engine
        zombies=zombies,
        replays=replays,
        detected_ms=_times(watcher.seen, quick, {"crashed"}),
        ready_ms=_times(watcher.seen, quick, {"ready"}),
        left_after_down=len(process.members(Path(end.paths.state))),
        **counts,
    )


Hit = tuple[float, str, signal.Signals]


def _kill(plan: Plan, home: Path, now: FleetStatus, say: Callable[[str], None]) -> tuple[list[Hit], int]:
    chance = random.Random(plan.seed)
    names = sorted(engine.name for engine in now.wanted)
    hits: list[Hit] = []
    replays = 0
    while len(hits) < plan.kills:
        time.sleep(chance.uniform(0.0, plan.gap_s))
        name, number = chance.choice(names), chance.choice(SIGNALS)
        now = api.status(NAME, home=home)
        replays += _play(now, home)
        pid = next(engine.pid for engine in now.engines if engine.name == name)
        identity = process.identify(pid or 0)
        if identity is None:
            continue  # it is not there: still on its way back
        at = time.monotonic()
        if process.send(identity, number):
            hits.append((at, name, number))
            if len(hits) % 50 == 0:
                say(f"{len(hits)} kills, {sum(e.state == 'ready' for e in now.wanted)} of {len(names)} ready")
    return hits, replays


def _play(now: FleetStatus, home: Path) -> bool:
    """Keep a tape running through the fleet; whether a new one was started."""
    source = next((engine for engine in now.wanted if engine.name == _SOURCE and engine.state == "ready"), None)
    if source is None:
        return False
    address = f"http://{now.host}:{source.port}/replay"
    try:
        with urllib.request.urlopen(address, timeout=2) as reply:
            if json.load(reply)["state"] in ("building", "running"):
                return False
        headers = {"X-Nautilus-Token": api.token(NAME, home=home), "Content-Type": "application/json"}
        body = json.dumps({"quick": True, "seed": 7}).encode()
        with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=2):
            return True
    except (OSError, urllib.error.URLError, ValueError):
        return False  # it was killed meanwhile


def _settle(home: Path) -> None:
    """Wait until all are ready, for longer than a stopped one passes for ready; then let no tape run any more."""
    since = time.monotonic()
    until = since + SETTLE_S
    while time.monotonic() < min(until, since + STALLED_S):
        if any(engine.state != "ready" for engine in api.status(NAME, home=home).wanted):
            since = time.monotonic()
        time.sleep(0.1)
    now = api.status(NAME, home=home)
    source = next((engine for engine in now.wanted if engine.name == _SOURCE), None)
    if source is None:
        return
    headers = {"X-Nautilus-Token": api.token(NAME, home=home)}
    stop = urllib.request.Request(f"http://{now.host}:{source.port}/replay/stop", b"", headers, method="POST")
    with contextlib.suppress(urllib.error.URLError):  # none is under way
        urllib.request.urlopen(stop, timeout=5).close()


async def _account(home: Path, manifests: list[Manifest]) -> dict[str, int]:
    where = folders.of(NAME, home)
    pair = buses.declare(where, buses.load_secrets(where.secrets), {})
    open_buses = {bus.name: RedisBus(bus.url) for bus in pair}
    try:
        await drained(open_buses, manifests, DRAIN_S)
        rows = await ledger(open_buses, manifests, 0.0)
    finally:
        for bus in open_buses.values():
            await bus.close()
    return {
        "published": sum(row.published for row in rows),
        "lost": sum(row.lost for row in rows),
        "pending": sum(row.pending for row in rows),
    }


def _times(seen: list[tuple[float, Event]], hits: list[Hit], states: set[str]) -> Times:
    """From each hit to the first such state of its engine, unless it was hit again before."""
    took = []
    for number, (at, name, _) in enumerate(hits):
        again = next((later for later, other, _ in hits[number + 1 :] if other == name), float("inf"))
        came = next((t for t, e in seen if e.name == name and e.state in states and t > at), None)
        if came is not None and came < again:
            took.append(1000 * (came - at))
    if not took:
        return Times(count=0, median=None, p95=None, worst=None)
    took.sort()
    p95 = took[min(len(took) - 1, int(0.95 * len(took)))]
    return Times(count=len(took), median=round(statistics.median(took), 1), p95=round(p95, 1), worst=round(took[-1], 1))


def _zombies(parent: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if fields[0] == "Z" and int(fields[1]) in (parent, os.getpid()):
                found.append(int(path.parent.name))
    return found
