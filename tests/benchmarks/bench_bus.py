"""The bus as the product uses it: both buses, all channels, every message counted; redis-benchmark in the same run.

Run: python -m tests.benchmarks.bench_bus [--seconds 5] [--rounds 3]

Rounds of all modes alternate; the median counts.  The latency of a mode is that of its rounds' medians.
"""

import argparse
import statistics
import sys

from stress.busbench import bench
from stress.busbench.bench import BusBench, Mode


def main() -> int:
    """Measure and print; 1 when messages were lost, doubled, reordered or changed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rounds = [bench.run(options.seconds) for _ in range(options.rounds)]
    print(f"{options.rounds} rounds, {options.seconds:g} s of publishing in each mode, servers set up as the fleet's")
    for modes in zip(*(each.modes for each in rounds), strict=True):
        print(line(modes))
    print(peer(rounds))
    whole = all(each.whole for each in rounds)
    print(f"every message delivered once, in order and as it was sent: {'yes' if whole else 'NO'}")
    return 0 if whole else 1


def line(modes: tuple[Mode, ...]) -> str:
    """One mode over all rounds."""
    counts = [mode.ticks or mode.messages for mode in modes]
    rate = statistics.median(mode.per_s for mode in modes)
    latencies = [latency for mode in modes if (latency := mode.intended or mode.sent) is not None]
    p50, p99 = (statistics.median(getattr(latency, name) for latency in latencies) for name in ("p50", "p99"))
    lost = sum(each.lost for each in counts)
    target = modes[0].target
    verdict = ""
    if target is not None:
        verdict = f"; {target.text}: met in {sum(m.target.met for m in modes if m.target)} of {len(modes)}"
    return (
        f"{modes[0].title}: median {rate:,.0f}/s ({'; '.join(f'{mode.per_s:,.0f}' for mode in modes)}), "
        f"{sum(each.published for each in counts):,} published, {lost:,} lost; p50 {p50:.2f}, p99 {p99:.2f} ms{verdict}"
    )


def peer(rounds: list[BusBench]) -> str:
    """redis-benchmark over all rounds."""
    found = [each.peer for each in rounds]
    rates = [each.per_s for each in found if each.per_s is not None]
    if not rates:
        return f"{found[0].tool}: NOT AVAILABLE ({found[0].why})"
    return (
        f"{found[0].tool}: median {statistics.median(rates):,.0f} entries/s published to one server, "
        f"pipelines of {found[0].pipeline}, read by nobody"
    )


if __name__ == "__main__":
    sys.exit(main())
