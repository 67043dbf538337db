"""The tape: time and memory of whole days, and how its clustering stands beside the E-mini's.

Each day is made in a process of its own, warm (kernels compiled, bars read), so that the peak of its resident memory is
the tape's; what the same process holds after the warm-up is taken off.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np

from engines.wire.scenario_file import load, names
from engines.wire.session import NS, open_ns

ROUNDS = 3
CALM = (9_000, 16_200)  # 12:00 to 14:00, seconds after the open


def _measure(name: str, ticks: int, mean: float) -> dict[str, float]:
    """One day in this process: median seconds, megabytes above the warm process, clustering."""
    from engines.marketdata.tape.tape import make, warm

    warm()
    scenario = load(name)
    sweeps = replace(scenario.sweeps, mean=mean) if mean else scenario.sweeps
    scenario = replace(scenario, ticks=ticks or scenario.ticks, sweeps=sweeps)
    make(replace(scenario, ticks=max(5_000, scenario.ticks // 100)), 0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, tape = [], None
    for seed in range(ROUNDS):
        tape = None  # the peak is one tape's, not two
        began = time.perf_counter()
        tape = make(scenario, seed)
        seconds.append(time.perf_counter() - began)
    assert tape is not None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    at = (tape.trades["ts"][tape.trades["symbol"] == 1] - open_ns(scenario.date)) / NS
    counts = np.histogram(at, np.arange(CALM[0], CALM[1] + 0.5))[0]
    calm = at[(at > CALM[0]) & (at < CALM[1])]
    return {
        "seconds": statistics.median(seconds),
        "mb": (peak - before) / 1024,
        "trades": tape.trades.size,
        "books": tape.depths.size,
        "fano": float(counts.var() / counts.mean()),
        "prints": calm.size / np.unique(calm).size,
    }


def _apart(name: str, ticks: int = 0, mean: float = 0.0) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.bench_tape", name, str(ticks), str(mean)]
    found: dict[str, float] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return found


def main() -> None:
    for label, ticks, mean in (
        ("default", 200_000, 0.0),
        ("full", 2_000_000, 0.0),
        ("full, 6.9 prints", 2_000_000, 6.9),
    ):
        got = _apart("flash-crash-2010", ticks, mean)
        print(
            f"2010-05-06, {label}: {got['trades']:,.0f} trades and {got['books']:,.0f} books in {got['seconds']:.2f} s "
            f"(median of {ROUNDS}), {got['mb']:.0f} MB above the warm process; ESX 12:00-14:00: "
            f"{got['prints']:.2f} prints per timestamp (E-mini 6.9), 1 s Fano {got['fano']:.0f} (E-mini 101)"
        )
    for name in names():
        got = _apart(name)
        print(f"{name}: {got['trades']:,.0f} trades in {got['seconds']:.2f} s, {got['mb']:.0f} MB")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(_measure(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
    else:
        main()
