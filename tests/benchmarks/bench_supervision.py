"""The fleet's supervisor against honcho, supervisord, circus and dekit, in one run over the same thirteen engines.

Run: python -m tests.benchmarks.bench_supervision [--rounds 3] [--seconds 10] [--only nautilus circus]

Each side is asked by the same probe.  *up*: from its command to every engine ready and healthy over HTTP; the first
round is a warm-up and is not counted.  *healthy again*: from SIGKILL of one engine to its next process ready and
healthy.  *detected*: from SIGKILL to the arrival of the supervisor's event; the peers tell nobody when they noticed.
*down*: from the command until it has ended and so has every engine.  *idle*: the kernel's count of the time of the
supervising process, and of its fork server where there is one, over `--seconds`.  *memory*: the resident set of the
supervising process; beside it the proportional share (pages that others share are counted in parts) of it and its fork
server.  *status*: a whole process.  Medians; every single figure is printed.
"""

import argparse
import contextlib
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from engines.fleet import api, process
from engines.fleet.ports import check
from engines.wire.errors import NotRunning
from engines.wire.manifest import Manifest, discover
from tests.benchmarks.supervision_sides import OFFSET, SIDES, Nautilus, Side, installed, prepared

LIMIT_S = 90.0
VICTIMS = ("risk", "features", "portfolio", "vpin")
SETTLE_S = 2.0
STATUSES = 5


class Target(NamedTuple):
    """A figure and what ours must not exceed."""

    key: str
    title: str
    unit: str
    most: float


TARGETS = (
    Target("up", "up to 13 healthy", "s", 2.5),
    Target("detected", "kill -9 detected", "s", 0.05),
    Target("again", "healthy again", "s", 1.5),
    Target("down", "down", "s", 2.0),
    Target("idle", "idle CPU of a core", "%", 1.0),
    Target("memory", "memory", "MB", 60.0),
    Target("status", "status", "s", 0.3),
)
Figures = dict[str, list[float]]


def main() -> None:
    """Measure and print."""
    asked = _arguments()
    engines = discover()
    kinds = [kind for kind in SIDES if installed(kind) and (not asked.only or kind.name in asked.only)]
    found: dict[str, Figures] = {kind.name: {} for kind in kinds}
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        for number in range(asked.rounds + 1):
            for kind in kinds:
                home = Path(folder) / f"{number}" if kind is not Nautilus else Path(folder)
                home.mkdir(exist_ok=True)
                with prepared(kind, home, engines) as side:
                    last = number == asked.rounds
                    taken = one_round(side, engines, VICTIMS[number % len(VICTIMS)], asked.seconds if last else 0.0)
                if number:
                    for key, values in taken.items():
                        found[kind.name].setdefault(key, []).extend(values)
    _table(found)
    for kind in SIDES:
        if not installed(kind):
            print(f"{kind.name} is not installed: run scripts/bench_peers.sh")
    if not asked.only:
        print("\nforeign engines, nautilus alone")
        command = [sys.executable, "-m", "tests.benchmarks.bench_foreign", "--seconds", str(asked.seconds)]
        print(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip())


def one_round(side: Side, engines: Sequence[Manifest], victim: str, idle_s: float) -> Figures:
    """Up, rest, a kill, status, down."""
    ports = {m.name: m.port + OFFSET for m in engines}
    taken: Figures = {}
    check("127.0.0.1", ports)
    start = time.perf_counter()
    side.up()
    pids: dict[str, int] = {}
    try:
        pids = until_healthy(ports)
        taken["up"] = [time.perf_counter() - start]
        time.sleep(SETTLE_S)
        if idle_s:
            taken |= at_rest(side, idle_s)
        if command := side.status():
            taken["status"] = [timed(command, side) for _ in range(STATUSES)]
        if side.restarts:
            taken |= killed(side, victim, ports, pids[victim])
            pids = until_healthy(ports)
    finally:
        identities = [found for pid in pids.values() if (found := process.identify(pid)) is not None]
        start = time.perf_counter()
        side.down()
        left = process.wait_gone(identities, 30.0)
        taken["down"] = [time.perf_counter() - start]
        side.close()
        process.end(left, 2.0)
    if left:
        raise RuntimeError(f"{side.name} left {len(left)} engines behind")
    return taken


def until_healthy(ports: dict[str, int]) -> dict[str, int]:
    """The pids of all engines, as soon as each takes part and says that it is healthy."""
    pids: dict[str, int] = {}
    end = time.monotonic() + LIMIT_S
    while len(pids) < len(ports):
        for name in ports.keys() - pids.keys():
            if (pid := healthy(ports[name])) is not None:
                pids[name] = pid
        if time.monotonic() > end:
            raise TimeoutError(f"not healthy: {', '.join(sorted(ports.keys() - pids.keys()))}")
        time.sleep(0.01)
    return pids


def healthy(port: int) -> int | None:
    """The pid of an engine that is ready and healthy."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=1.0)
    with contextlib.closing(link):
        try:
            link.request("GET", "/ready")
            reply = link.getresponse()
            reply.read()
            if reply.status != 200:
                return None
            link.request("GET", "/health")
            report = json.loads(link.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            return None
    return int(report["pid"]) if report["status"] == "healthy" else None


def killed(side: Side, victim: str, ports: dict[str, int], pid: int) -> Figures:
    """SIGKILL to one engine; seconds until its successor is healthy, and until the event came."""
    seen: list[float] = []
    listener = Listener(side, victim, seen) if isinstance(side, Nautilus) else None
    if listener is not None:
        listener.ready.wait(10)
    start = time.perf_counter()
    os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + LIMIT_S
    while (now := healthy(ports[victim])) is None or now == pid:
        if time.monotonic() > end:
            raise TimeoutError(f"{side.name} did not bring {victim} back")
        time.sleep(0.005)
    taken: Figures = {"again": [time.perf_counter() - start]}
    if listener is not None:
        listener.join(5.0)
        taken["detected"] = [seen[0] - start]
    return taken


class Listener(threading.Thread):
    """Notes when the event came that an engine had crashed.  `ready`: the first event was heard."""

    def __init__(self, side: Nautilus, victim: str, seen: list[float]) -> None:
        super().__init__(daemon=True)
        self._folder, self._victim, self._seen = side.folder, victim, seen
        self.ready = threading.Event()
        self.start()

    def run(self) -> None:
        """Until it came; the history of this fleet comes first, and it has no crash of this engine."""
        with contextlib.suppress(NotRunning):
            for event in api.events("bench", home=self._folder):
                self.ready.set()
                if (event.name, event.state) == (self._victim, "crashed"):
                    self._seen.append(time.perf_counter())
                    return


def at_rest(side: Side, seconds: float) -> Figures:
    """Processor time and memory of what supervises, while nothing happens."""
    supervisors = [psutil.Process(pid) for pid in side.supervisors()]
    processes = supervisors + [psutil.Process(pid) for pid in side.helpers()]
    before, began = _cpu(processes), time.perf_counter()
    time.sleep(seconds)
    share = 100 * (_cpu(processes) - before) / (time.perf_counter() - began)
    resident = sum(each.memory_info().rss for each in supervisors) / 1e6
    proportional = sum(each.memory_full_info().pss for each in processes) / 1e6
    return {"idle": [share], "memory": [resident], "proportional memory": [proportional]}


def _cpu(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(each.cpu_times()[:2]) for each in processes)


def timed(command: list[str], side: Side) -> float:
    """Seconds of a whole process."""
    start = time.perf_counter()
    subprocess.run(command, cwd=side.folder, env=side.env, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def _table(found: dict[str, Figures]) -> None:
    names = list(found)
    print(f"{'median of each side':24}" + "".join(f"{name:>14}" for name in names) + f"{'target':>10}")
    ratios: list[str] = []
    for target in TARGETS:
        medians = {name: statistics.median(found[name][target.key]) for name in names if target.key in found[name]}
        shown = "".join(f"{medians[name]:14.3f}" if name in medians else f"{'-':>14}" for name in names)
        ours = medians.get("nautilus")
        verdict = "" if ours is None else "  met" if ours <= target.most else "  MISSED"
        print(f"{f'{target.title}, {target.unit}':24}{shown}{target.most:>10}{verdict}")
        if ours and target.unit != "%":  # shares near nothing have no ratio
            over = ", ".join(f"{name} {value / ours:.2f}" for name, value in medians.items() if name != "nautilus")
            ratios += [f"{target.title}: {over}"] if over else []
    if ratios:
        print("\npeer / nautilus\n" + "\n".join(ratios))
    print("\nsingle figures")
    for name, figures in found.items():
        for key, values in figures.items():
            print(f"{name} {key}: {', '.join(f'{value:.3f}' for value in values)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--only", nargs="*", default=[], help="only these sides")
    return parser.parse_args()


if __name__ == "__main__":
    main()
