"""The load generator against wrk and Locust's FastHttpUser: one core each, one fixed server on another core.

    python tests/benchmarks/bench_generator.py [--peers build/bench-peers] [--rounds 5] [--seconds 3]
        [--only rate fall ids bodies lag hold]

rate: the closed model.  fall: what 5,000 connections cost against 100, of ours and of wrk.  ids: what a correlation id
a request costs.  bodies: what checking every reply's body costs, its fields and a value, and the rate against wrk's.
lag: how late the generator is at 70 % of the rate it has just measured.  hold: 5,000 connections.
Rounds alternate between the generators, so that a noisy neighbour disturbs all of them; the table shows medians.
The server parses nothing, so it is cheaper than any of its clients; its CPU per second of load is shown, so that a
saturated one (1.00) is seen.  Needs Linux, a C compiler and taskset; scripts/bench_peers.sh installs Locust.
"""

import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import psutil

from stress.load.plan import Check, ClosedPhase, LoadPlan, OpenPhase, Phase, Request, Target
from stress.load.result import LoadLine, LoadResult, PhaseResult

CONNECTIONS, FEW, MANY = 64, 100, 5000
CALIBRATED = 0.7  # share of the closed model's rate at which the lag is measured
CLIENT_CORE, SERVER_CORE = "0", "1"
PLAIN = Request("/")
CHECKED = Request("/", fields={"status": "string", "value": "number"}, check=Check("value", 1.5))

SERVER = r"""
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
static const char reply[] =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 27\r\n\r\n{\"status\":\"ok\",\"value\":1.5}";
static char request[65536];
int main(int count, char **arguments) {
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), loop = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[1]))};
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, ready[256];
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (void *)&address, sizeof address) || listen(listener, 4096)) return 1;
    epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int many = epoll_wait(loop, ready, 256, -1);
        for (int i = 0; i < many; i++) {
            int from = ready[i].data.fd, client;
            if (from == listener) {
                while ((client = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
                    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    event.data.fd = client;
                    epoll_ctl(loop, EPOLL_CTL_ADD, client, &event);
                }
                continue;
            }
            ssize_t got = recv(from, request, sizeof request, 0);
            if (got == 0) close(from);
            if (got >= 4 && !memcmp(request + got - 4, "\r\n\r\n", 4))
                send(from, reply, sizeof reply - 1, MSG_NOSIGNAL);
        }
    }
}
"""

LOCUSTFILE = """
from locust import FastHttpUser, constant, task

class Reader(FastHttpUser):
    wait_time = constant(0)

    @task
    def read(self):
        self.client.get("/")
"""


@dataclass(frozen=True)
class Figure:
    """One run: requests per second, and CPU microseconds of the generator per request."""

    rate: float
    cpu_us: float


def pinned(core: str, *command: str) -> list[str]:
    return ["taskset", "-c", core, *command]


def start_server(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    source, program = folder / "fixed.c", folder / "fixed"
    source.write_text(SERVER)
    subprocess.run(["cc", "-O2", "-o", program, source], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    server = subprocess.Popen(pinned(SERVER_CORE, str(program), str(port)))
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return server, port
        except ConnectionRefusedError:
            time.sleep(0.01)


def run_plan(
    phases: tuple[Phase, ...], targets: tuple[Target, ...], generator: str, folder: Path, *, correlate: bool = True
) -> PhaseResult:
    plan = msgspec.json.encode(LoadPlan(targets, phases, connects_per_s=5000.0, correlate=correlate))
    command = pinned(CLIENT_CORE, sys.executable, "-m", "stress.load", "-", str(folder / "logs"), generator)
    done = subprocess.run(command, input=plan, capture_output=True, check=True)
    result = msgspec.json.decode(done.stdout.splitlines()[-1], type=LoadLine)
    assert isinstance(result, LoadResult)
    return result.phases[-1]


def run_ours(
    port: int,
    seconds: int,
    generator: str,
    folder: Path,
    *,
    connections: int = CONNECTIONS,
    correlate: bool = True,
    request: Request = PLAIN,
) -> Figure:
    target = Target("fixed", port, (request,), connections)
    closed = ClosedPhase("closed", connections, float(seconds))
    phase = run_plan((closed,), (target,), generator, folder, correlate=correlate)
    counts = phase.targets["fixed"].counts
    assert counts.done == counts.scheduled, counts
    assert not request.has_expectations or phase.bodies_checked + phase.bodies_unchecked == counts.done, phase
    return Figure(counts.done / phase.seconds, phase.cpu_share * phase.seconds / counts.done * 1e6)


def children_cpu_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


def run_wrk(port: int, seconds: int, connections: int = CONNECTIONS) -> Figure:
    before = children_cpu_s()
    command = pinned(CLIENT_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"http://127.0.0.1:{port}/")
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", text)
    total = re.search(r"(\d+) requests in", text)
    assert found and total, text
    return Figure(float(found[1]), (children_cpu_s() - before) / int(total[1]) * 1e6)


def run_locust(port: int, seconds: int, folder: Path, peers: Path) -> Figure:
    """Its CPU includes its start, which is why the run is longer."""
    (folder / "locustfile.py").write_text(LOCUSTFILE)
    before = children_cpu_s()
    command = pinned(CLIENT_CORE, str(peers / "bin" / "locust"), "-f", str(folder / "locustfile.py"), "--headless")
    command += ["-u", str(CONNECTIONS), "-r", str(CONNECTIONS), "-t", f"{seconds + 2}s", "--json", "--only-summary"]
    command += ["--host", f"http://127.0.0.1:{port}"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    stats = json.loads(text[text.index("[") :])[0]
    assert stats["num_failures"] == 0
    rate = stats["num_requests"] / (stats["last_request_timestamp"] - stats["start_time"])
    return Figure(rate, (children_cpu_s() - before) / stats["num_requests"] * 1e6)


def compare(port: int, server: psutil.Process, options: argparse.Namespace, folder: Path) -> None:
    runs: dict[str, Callable[[], Figure]] = {
        "nautilus (epoll)": lambda: run_ours(port, options.seconds, "epoll", folder),
        "nautilus (asyncio)": lambda: run_ours(port, options.seconds, "asyncio", folder),
    }
    if shutil.which("wrk"):
        runs["wrk"] = lambda: run_wrk(port, options.seconds)
    if (options.peers / "bin" / "locust").exists():
        runs["locust (FastHttpUser)"] = lambda: run_locust(port, options.seconds, folder, options.peers)
    figures: dict[str, list[Figure]] = {name: [] for name in runs}
    busy: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.rounds):
        for name, measure in runs.items():
            used = sum(server.cpu_times()[:2])
            figures[name].append(measure())
            busy[name].append((sum(server.cpu_times()[:2]) - used) / options.seconds)
    print(f"closed model, {CONNECTIONS} connections, medians of {options.rounds} alternating runs")
    print(f"{'generator':24}{'requests/s':>12}{'lowest':>10}{'highest':>10}{'CPU us/req':>12}{'server CPU':>12}")
    for name, found in figures.items():
        rates = [figure.rate for figure in found]
        cpu = statistics.median(figure.cpu_us for figure in found)
        row = f"{statistics.median(rates):12,.0f}{min(rates):10,.0f}{max(rates):10,.0f}{cpu:12.2f}"
        print(f"{name:24}{row}{statistics.median(busy[name]):12.2f}")
    ours = statistics.median(figure.rate for figure in figures["nautilus (epoll)"])
    for name in [name for name in runs if not name.startswith("nautilus")]:
        print(f"epoll / {name}: {ours / statistics.median(figure.rate for figure in figures[name]):.2f}")


def medians(runs: dict[str, Callable[[], Figure]], rounds: int) -> dict[str, Figure]:
    """Alternating runs; the median rate and the median cost of each."""
    found: dict[str, list[Figure]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, measure in runs.items():
            found[name].append(measure())
    return {
        name: Figure(statistics.median(one.rate for one in all_), statistics.median(one.cpu_us for one in all_))
        for name, all_ in found.items()
    }


def fall(port: int, options: argparse.Namespace, folder: Path) -> None:
    """How much of the rate is lost from few connections to many, by the same server, in alternating runs."""
    runs: dict[str, Callable[[], Figure]] = {}
    for count in (FEW, MANY):
        runs[f"nautilus {count}"] = partial(run_ours, port, options.seconds, "epoll", folder, connections=count)
        if shutil.which("wrk"):
            runs[f"wrk {count}"] = partial(run_wrk, port, options.seconds, count)
    found = medians(runs, options.rounds)
    print(f"from {FEW} to {MANY:,} connections, medians of {options.rounds} alternating runs")
    for name in ("nautilus", "wrk"):
        if f"{name} {FEW}" in found:
            few, many = found[f"{name} {FEW}"], found[f"{name} {MANY}"]
            lost = 1 - many.rate / few.rate
            cost = f"CPU us/req {few.cpu_us:.2f} -> {many.cpu_us:.2f}"
            print(f"{name:12}{few.rate:12,.0f} -> {many.rate:,.0f} requests/s, a fall of {lost:.1%}; {cost}")


def ids(port: int, options: argparse.Namespace, folder: Path) -> None:
    """What a correlation id in every request costs."""
    runs: dict[str, Callable[[], Figure]] = {
        name: partial(run_ours, port, options.seconds, "epoll", folder, correlate=name == "ids")
        for name in ("ids", "no ids")
    }
    found = medians(runs, options.rounds)
    rate, cpu = (found["ids"].rate / found["no ids"].rate - 1, found["ids"].cpu_us / found["no ids"].cpu_us - 1)
    print(f"correlation ids: rate {rate:+.1%}, CPU per request {cpu:+.1%} ({found['ids'].cpu_us:.2f} us)")


def bodies(port: int, options: argparse.Namespace, folder: Path) -> None:
    """What looking at the body of every reply costs."""
    runs: dict[str, Callable[[], Figure]] = {
        "checked": partial(run_ours, port, options.seconds, "epoll", folder, request=CHECKED),
        "unchecked": partial(run_ours, port, options.seconds, "epoll", folder),
    }
    if shutil.which("wrk"):
        runs["wrk"] = lambda: run_wrk(port, options.seconds)
    found = medians(runs, options.rounds)
    checked, unchecked = found["checked"], found["unchecked"]
    rate, cpu = checked.rate / unchecked.rate - 1, checked.cpu_us / unchecked.cpu_us - 1
    print(f"every body checked: rate {rate:+.1%}, CPU per request {cpu:+.1%} ({checked.cpu_us:.2f} us)")
    if "wrk" in found:
        print(f"every body checked / wrk: {checked.rate / found['wrk'].rate:.2f}")


def lag(port: int, options: argparse.Namespace, folder: Path) -> None:
    """Calibrate, then an open model at a share of what was found."""
    rate = CALIBRATED * run_ours(port, options.seconds, "epoll", folder).rate
    target = Target("fixed", port, (Request("/"),), CONNECTIONS)
    phase = run_plan((OpenPhase("open", (rate,) * (options.seconds + 1), warm_s=1.0),), (target,), "epoll", folder)
    assert phase.lag and phase.latency
    print(
        f"open model at {rate:,.0f}/s, {CALIBRATED:.0%} of the calibrated rate: lag p99 {phase.lag.p99_us} us, "
        f"latency p99 {phase.latency.p99_us} us, CPU {phase.cpu_share:.1%}"
    )


def hold(port: int, seconds: int, folder: Path) -> None:
    """The open model with many connections held: how late is the generator itself?"""
    targets = tuple(Target(f"t{k}", port, (Request("/"),), 385) for k in range(13))
    for generator in ("epoll", "asyncio"):
        phases: tuple[Phase, ...] = (OpenPhase("warm", (1000.0,)), OpenPhase("open", (5000.0,) * seconds))
        phase = run_plan(phases, targets, generator, folder)
        done = sum(target.counts.done for target in phase.targets.values())
        assert phase.lag and phase.latency
        print(
            f"{generator}: {done / seconds:,.0f}/s over {phase.open_min} connections, lag p50 {phase.lag.p50_us} us, "
            f"p99 {phase.lag.p99_us} us, latency p99 {phase.latency.p99_us} us, CPU {phase.cpu_share:.1%}, "
            f"{phase.cpu_share * phase.seconds / done * 1e6:.1f} us per request, stall {phase.stall_max_us} us"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, default=Path("build/bench-peers"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parts = ("rate", "fall", "ids", "bodies", "lag", "hold")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server, port = start_server(folder)
        try:
            measures: dict[str, Callable[[], None]] = {
                "rate": lambda: compare(port, psutil.Process(server.pid), options, folder),
                "fall": lambda: fall(port, options, folder),
                "ids": lambda: ids(port, options, folder),
                "bodies": lambda: bodies(port, options, folder),
                "lag": lambda: lag(port, options, folder),
                "hold": lambda: hold(port, max(options.seconds, 5), folder),
            }
            for part in options.only:
                measures[part]()
                print(f"load average {os.getloadavg()[0]:.1f}\n")
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
