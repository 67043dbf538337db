"""Times of reading, rendering and verifying one run folder, and the catch rate of changed raw fields.

``python -m tests.benchmarks.bench_report [RECORDS]`` makes a run of about that many records (100,000 unless told) in a
temporary folder. The catch rate changes one field of the small test run at a time, makes chain and seal good again and
asks ``verify``; fields that escape are named.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from reports import records, runs, summary
from reports.records import HISTORY
from reports.seal import MANIFEST, seal
from reports.verify import verify
from stress.history import History, stamp
from tests.reports import conftest as small

T = TypeVar("T")


def timed(name: str, action: Callable[[], T]) -> T:
    """Run, print seconds."""
    start = time.perf_counter()
    result = action()
    print(f"{name:44} {time.perf_counter() - start:8.3f} s")
    return result


def enlarged(count: int) -> Callable[[list[records.AnyRecord]], list[records.AnyRecord]]:
    """An edit that repeats the crash's seconds and probes until the history has ``count`` records."""

    def edit(lines: list[records.AnyRecord]) -> list[records.AnyRecord]:
        place = next(n for n, line in enumerate(lines) if isinstance(line, records.LoadSummary))
        repeated = [line for line in lines if isinstance(line, records.Load | records.Health) and line.phase == "crash"]
        rounds = max(0, count - len(lines)) // len(repeated)
        return [*lines[:place], *_rounds(repeated, rounds, lines[place].mono_ns), *lines[place:]]

    return edit


def _rounds(repeated: Sequence[records.AnyRecord], rounds: int, at: int) -> Iterator[records.AnyRecord]:
    for number in range(rounds):
        for line in repeated:
            later = small.SECONDS * (number + 1)
            placed = msgspec.structs.replace(line, mono_ns=at)  # clocks do not go back
            yield (
                msgspec.structs.replace(placed, second=line.second + later)
                if isinstance(line, records.Load)
                else placed
            )


def catch_rate(folder: Path) -> tuple[int, list[str]]:
    """How many fields were changed, one at a time, and which of them nothing noticed."""
    original = (folder / HISTORY).read_bytes()
    lines = small.payloads(folder)
    seen: set[tuple[str, str]] = set()
    escaped: list[str] = []
    for place, line in enumerate(lines):
        fields = json.loads(line)
        for field, value in fields.items():
            if field == "type" or (fields["type"], field) in seen:
                continue
            seen.add((fields["type"], field))
            changed = json.dumps(fields | {field: _other(value)}).encode()
            small.write_payloads(folder, [*lines[:place], changed, *lines[place + 1 :]])
            (folder / MANIFEST).unlink()
            seal(folder)
            if verify(folder).ok:
                escaped.append(f"{fields['type']}.{field}")
    (folder / HISTORY).write_bytes(original)
    return len(seen), escaped


def _other(value: object) -> object:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, dict):
        return {key: _other(item) for key, item in value.items()} or {"x": 1}
    return value[:-1] if isinstance(value, list) and value else ["x"] if isinstance(value, list) else "x"


def append_rate(folder: Path, count: int) -> None:
    """Records through the real writer process, to the last fsync."""
    with History.open(folder) as history:
        for number in range(count):
            history.append(records.FleetBoot(seconds=float(number), engines=number, **stamp()))


def main() -> None:
    """Print all times."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        timed(f"append {count:,} records, durable", lambda: append_rate(root / "written", count))
        folder = small.build(root / "20260304_100000_flash-crash", enlarged(count))
        print(f"history: {(folder / HISTORY).stat().st_size / 1e6:.1f} MB")
        timed("read", lambda: summary.read(folder))
        timed("render without plots", lambda: runs.render(folder, with_plots=False))
        timed("render with plots", lambda: runs.render(folder, with_plots=True))
        seal(folder)
        found = timed("verify", lambda: verify(folder))
        print(f"verify: {found.status}, {found.figures} figures, {list(found.mismatches)[:3]}")
        changed, escaped = catch_rate(small.finish(small.build(root / "20260304_100001_flash-crash")))
        print(f"changed raw fields caught: {changed - len(escaped)} of {changed}; escaped: {', '.join(escaped)}")


if __name__ == "__main__":
    main()
