"""`nautilus up` against honcho: the same thirteen engines, over the same kind of buses, until all report healthy.

Run: python -m tests.benchmarks.bench_up [--honcho PATH] [--rounds 5]

Each side is measured from the start of its command to the moment when every engine answers /health with "healthy",
asked every 20 ms by the same probe.  honcho starts plain `python -m engines.<name>` processes against two buses that
are already running (time that the fleet has to spend itself).  Rounds alternate; the first of each is a warm-up and is
not counted.  Medians and every single figure are printed.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from engines.fleet import api, buses, child, folders, process
from engines.fleet.probe import probe
from engines.fleet.status import EngineStatus
from engines.wire.manifest import Manifest, discover
from engines.wire.settings import Settings

OFFSET = 20_000
PEER = Path("build/bench-peers/bin/honcho")
LIMIT_S = 120.0


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    engines = discover()
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        home = Path(folder)
        sides: dict[str, Callable[[], float]] = {"nautilus": lambda: fleet_up(home, engines)}
        if arguments.honcho:
            sides["honcho"] = lambda: honcho_up(home, engines, arguments.honcho)
        taken: dict[str, list[float]] = {name: [] for name in sides}
        for number in range(arguments.rounds + 1):
            for name, measure in sides.items():
                seconds = measure()
                if number:
                    taken[name].append(round(seconds, 3))
    medians = {name: statistics.median(values) for name, values in taken.items()}
    ratio = round(medians["honcho"] / medians["nautilus"], 2) if "honcho" in medians else None
    for name, values in taken.items():
        print(f"{name}: median {medians[name]:.2f} s to 13 healthy, of {', '.join(f'{value:.2f}' for value in values)}")
    print(f"honcho / nautilus: {ratio}" if ratio else "honcho is not installed: run scripts/bench_peers.sh")


def fleet_up(home: Path, engines: Sequence[Manifest]) -> float:
    """Seconds for a whole `up` in a process of its own, until all are healthy."""
    script = (
        "import sys; from pathlib import Path; from engines.fleet import api; "
        f"api.up(api.FleetSpec(name='bench', home=Path(sys.argv[1]), port_offset={OFFSET}), wait=False)"
    )
    start = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", script, str(home)]) as command:
        try:
            until_healthy(engines)
            return time.perf_counter() - start
        finally:
            command.wait()
            api.down("bench", home=home)


def honcho_up(home: Path, engines: Sequence[Manifest], honcho: str) -> float:
    """Seconds for `honcho start`, until all are healthy."""
    where = folders.of("bench-honcho", home)
    folders.make(where)
    pair = buses.declare(where, buses.load_secrets(where.secrets), {})
    servers = [buses.launch(bus, buses.find_server(os.environ), where) for bus in pair]
    try:
        while not all(buses.working(bus) for bus in pair):
            time.sleep(0.01)
        urls = [bus.url for bus in pair]
        settings = Settings(
            state=where.state, port_offset=OFFSET, bus_main_url=urls[0], bus_market_url=urls[1], token="bench"
        )
        procfile = where.state / "Procfile"
        procfile.write_text("".join(f"{m.name}: exec {sys.executable} -m engines.{m.name}\n" for m in engines))
        env = child.single_threaded({**os.environ, **settings.to_env()})
        start = time.perf_counter()
        with subprocess.Popen(
            [honcho, "-f", str(procfile), "-d", str(Path.cwd()), "start"],
            env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as command:  # fmt: skip
            try:
                until_healthy(engines)
                return time.perf_counter() - start
            finally:
                command.send_signal(signal.SIGTERM)
                command.wait()
    finally:
        for pid in servers:
            identity = process.identify(pid)
            process.end([identity] if identity else [], 5.0)
            os.waitpid(pid, 0)


def until_healthy(engines: Sequence[Manifest]) -> None:
    """Return as soon as every engine says that it is healthy."""
    asked = [_as_status(manifest) for manifest in engines]
    end = time.monotonic() + LIMIT_S
    while True:
        found = probe(asked, "127.0.0.1", timeout_s=1.0)
        if all(each.status == "healthy" for each in found):
            return
        if time.monotonic() > end:
            raise TimeoutError(
                ", ".join(f"{each.name} {each.status} {each.error}" for each in found if each.status != "healthy")
            )
        time.sleep(0.02)


def _as_status(manifest: Manifest) -> EngineStatus:
    return EngineStatus(
        name=manifest.name, title=manifest.title, state="", wanted=True, pid=None, uptime_s=None, restarts=0,
        rss_mb=None, cpu_percent=None, port=manifest.port + OFFSET, critical=manifest.critical, boot_s=None,
        cause="", waits_for=(),
    )  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--honcho",
        default=str(PEER) if PEER.exists() else "",
        help="the honcho command; without it only nautilus is measured",
    )
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    main()
