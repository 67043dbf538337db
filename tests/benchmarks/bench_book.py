"""The compiled limit order book against the plain Python one and the fastest matching engines that pip installs.

``python -m tests.benchmarks.bench_book [OPERATIONS]`` (200,000 unless told). All books get the same stream of limit
orders, immediate-or-cancel orders far through the touch, and cancels, on one core, in one run; what they trade must
agree. Peers come from ``scripts/bench_peers.sh``; without it they are named as missing.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from engines.marketdata.lob.book import Book, warm
from engines.marketdata.lob.layout import CANCEL, IOC, LIMIT, OP, TRADE, Ops
from tests.benchmarks import book_peers
from tests.engines.marketdata.reference_book import ReferenceBook

PYTHON = Path("build/bench-peers/bin/python")
ROUNDS = 5
BATCH = 4_096
DEEP = 20
IOC_SHARE, CANCEL_SHARE = 0.08, 0.44


def stream(count: int) -> Ops:
    """A random walk of prices; most orders rest near the touch, and most that rest are cancelled soon.

    It begins with orders far away, so that no side is ever empty.
    """
    rng = np.random.default_rng(20100506)
    made = np.zeros(count, OP)
    middle = 100_000 + rng.normal(0, 0.4, count).cumsum().round().astype(np.int64)
    made["order"] = np.arange(1, count + 1)
    made["side"] = rng.choice([1, -1], count)
    made["price"] = middle - made["side"] * (rng.geometric(0.12, count) - 3)
    made["quantity"] = rng.integers(1, 200, count)
    kind = rng.random(count)
    made["kind"] = np.where(kind < IOC_SHARE, IOC, np.where(kind < IOC_SHARE + CANCEL_SHARE, CANCEL, LIMIT))
    made["price"] = np.where(made["kind"] == IOC, middle + 500 * made["side"], made["price"])
    back = made["order"] - rng.geometric(0.02, count)
    made["order"] = np.where(made["kind"] == CANCEL, np.maximum(back, 1), made["order"])
    made["kind"][:DEEP] = LIMIT
    made["order"][:DEEP] = np.arange(1, DEEP + 1)
    made["price"][:DEEP] = middle[:DEEP] - 1_000 * made["side"][:DEEP]
    made["quantity"][:DEEP] = 1_000_000
    made["order"][DEEP:] = np.where(
        made["kind"][DEEP:] == CANCEL, np.maximum(made["order"][DEEP:], DEEP + 1), made["order"][DEEP:]
    )
    return made


def compiled(ops: Ops, batch: int) -> tuple[float, int]:
    """Seconds and traded quantity of our book."""
    book, traded = Book(1 << 16), 0
    start = time.perf_counter()
    for first in range(0, ops.size, batch):
        events = book.apply(ops[first : first + batch])
        traded += int(events["quantity"][events["kind"] == TRADE].sum())
    return time.perf_counter() - start, traded


def plain(ops: Ops) -> tuple[float, int]:
    """Seconds and traded quantity of the plain Python book."""
    book, traded = ReferenceBook(), 0
    rows = [(o, p, q, w, k, s) for o, p, q, w, k, s in ops.tolist()]
    start = time.perf_counter()
    for row in rows:
        for event in book.do(row):
            traded += event[3] if event[4] == TRADE else 0
    return time.perf_counter() - start, traded


def peers(ops: Ops) -> list[dict[str, object]]:
    """What the peers' interpreter measured; empty when it is not there."""
    if not PYTHON.exists():
        return []
    rows = [[o, p, q, k, s] for o, p, q, _, k, s in ops.tolist()]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(rows, file)
        file.flush()
        command = [str(PYTHON), book_peers.__file__, file.name, "3"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    ops = stream(count)
    warm()
    kinds = {name: int((ops["kind"] == kind).sum()) for name, kind in (("limit", LIMIT), ("ioc", IOC))}
    print(f"{count:,} operations: {kinds['limit']:,} limit, {kinds['ioc']:,} ioc orders, the rest cancels; one core")
    rounds = [(compiled(ops, BATCH), compiled(ops, 1)) for _ in range(ROUNDS)]
    slow = plain(ops)
    traded = slow[1]
    assert all(pair[0][1] == pair[1][1] == traded for pair in rounds), "the books do not trade the same"
    best = report(f"numba, batches of {BATCH:,}", [pair[0][0] for pair in rounds], count, None)
    report("numba, call by call", [pair[1][0] for pair in rounds], count, best)
    report("plain Python", [slow[0]], count, best)
    found = peers(ops)
    for peer in found:
        if "error" in peer:
            print(f"{peer['name']:34} failed: {peer['error']}")
            continue
        seconds = peer["seconds"]
        assert isinstance(seconds, list)
        assert peer["traded"] in (None, traded), f"{peer['name']} trades {peer['traded']}, not {traded}"
        report(str(peer["name"]), seconds, count, best)
    if not found:
        print("peers are not installed: run scripts/bench_peers.sh")


def report(name: str, seconds: list[float], count: int, best: float | None) -> float:
    """Print a median rate, and how many times slower than ours it is; the rate."""
    rate = count / statistics.median(seconds)
    ratio = "" if best is None else f"{best / rate:10.1f} x slower"
    print(f"{name:34} {rate:14,.0f} operations/s {ratio}")
    return rate


if __name__ == "__main__":
    main()
