"""The supervisor over 10, 50 and 100 foreign toy engines: processor time and memory while nothing happens.

Run: python -m tests.benchmarks.bench_foreign [--seconds 10]

Each toy is a process of its own that answers GET /health; the supervisor asks each of them once a second, as it does by
default.  Its processor time is the kernel's count over the measured seconds, its memory the resident set afterwards.
A status is a whole request over the control socket, the median of twenty.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from engines.fleet import api, config
from engines.wire import project
from engines.wire.manifest import discover

COUNTS = (10, 50, 100)
FIRST_PORT = 21_000  # below the ephemeral ports
TOY = """
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    link, _ = server.accept()
    with link:
        if link.recv(4096):
            link.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
"""


class Cost(NamedTuple):
    """What so many engines cost the supervisor."""

    engines: int
    up_s: float
    cpu_percent: float  # of one core
    rss_mb: float
    status_ms: float
    restarts: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    seconds = parser.parse_args().seconds
    costs = [measure(count, seconds) for count in COUNTS]
    for cost in costs:
        print(
            f"{cost.engines:4d} engines: up in {cost.up_s:.2f} s, supervisor {cost.cpu_percent:.2f} % of a core, "
            f"{cost.rss_mb:.1f} MB, status {cost.status_ms:.1f} ms, {cost.restarts} restarts"
        )
    few, many = costs[0], costs[-1]
    more = many.engines - few.engines
    print(
        f"each engine more: {(many.cpu_percent - few.cpu_percent) / more:.4f} % of a core, "
        f"{1000 * (many.rss_mb - few.rss_mb) / more:.0f} kB"
    )
    between = few.cpu_percent + (many.cpu_percent - few.cpu_percent) * (costs[1].engines - few.engines) / more
    half = costs[1]
    print(f"{half.engines} engines on the line between: {between:.2f} % of a core; measured {half.cpu_percent:.2f} %")


def measure(count: int, seconds: float) -> Cost:
    """A fleet of so many toys, and nothing else."""
    with tempfile.TemporaryDirectory(prefix="bench") as name:
        folder = Path(name)
        (folder / "toy.py").write_text(TOY)
        names = [f"toy{n}" for n in range(count)]
        command = json.dumps([sys.executable, "-I", "-S", "toy.py", "{port}"])
        engines = "".join(
            f"[engines.{each}]\ncommand = {command}\nport = {FIRST_PORT + n}\nboot_s = 60\n"
            for n, each in enumerate(names)
        )
        (folder / project.FILE).write_text(f'[fleet]\nlaunch = "spawn"\nengines = {json.dumps(names)}\n{engines}')
        os.environ[project.VARIABLE] = name
        spec = config.spec(config.load(), name="bench", home=folder / "home")
        assert len(discover()) == 13 + count
        start = time.perf_counter()
        now = api.up(spec, timeout=120.0)
        up_s = time.perf_counter() - start
        try:
            if not now.healthy:
                raise RuntimeError(f"only {sum(e.state == 'ready' for e in now.wanted)} of {count} are ready")
            return cost_of(count, up_s, psutil.Process(now.supervisor.pid), folder / "home", seconds)
        finally:
            api.down("bench", True, home=folder / "home")


def cost_of(count: int, up_s: float, supervisor: psutil.Process, home: Path, seconds: float) -> Cost:
    """At rest for `seconds`, then twenty requests for the status."""
    time.sleep(2.0)  # what the start left to do
    before, began = sum(supervisor.cpu_times()[:2]), time.perf_counter()
    time.sleep(seconds)
    share = 100 * (sum(supervisor.cpu_times()[:2]) - before) / (time.perf_counter() - began)
    rss = supervisor.memory_info().rss / 1e6
    taken = []
    for _ in range(20):
        start = time.perf_counter()
        now = api.status("bench", home=home)
        taken.append(1000 * (time.perf_counter() - start))
    return Cost(count, up_s, share, rss, statistics.median(taken), sum(engine.restarts for engine in now.wanted))


if __name__ == "__main__":
    main()
