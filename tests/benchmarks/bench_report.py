"""Times of reading, rendering and verifying one run folder, and the catch rate of changed raw fields.

``python -m tests.benchmarks.bench_report [RECORDS]`` makes a run of about that many records in a
temporary folder; without a number, runs of 100,000 and of 2,000,000. Each step is a process of its own: its time
(without its start), its processor time, and the most memory that it had resident (VmHWM of proc(5), which exec resets).
Verifying and rendering take turns, and the medians are compared. The catch rate changes one field of the small test run
at a time, makes chain and seal good again and asks ``verify``; fields that escape are named.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from reports import records, runs
from reports.records import HISTORY
from reports.seal import MANIFEST, seal
from reports.verify import verify
from stress.history import History, stamp
from tests.reports import conftest as small

T = TypeVar("T")
TURNS = 3
"""How often verifying and rendering take turns."""
READ = "from reports import summary as s; act = lambda: s.read(folder)"
RENDER = "from reports import runs; act = lambda: runs.render(folder, with_plots=False)"
PLOTS = "from reports import runs; act = lambda: runs.render(folder, with_plots=True)"
VERIFY = "from reports.verify import verify; act = lambda: print(len(verify(folder).mismatches), 'mismatches')"
_TIMED = """
import re, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
{action}
start, used = time.perf_counter(), time.process_time()
act()
seconds, cpu = time.perf_counter() - start, time.process_time() - used
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
print(seconds, cpu, peak)
"""


@dataclass(frozen=True)
class Step:
    """What one process took: seconds by the clock, seconds of processor, most bytes resident; and what it said."""

    seconds: float
    cpu_s: float
    peak_bytes: int
    said: str


def timed(name: str, action: Callable[[], T]) -> T:
    """Run, print seconds."""
    start = time.perf_counter()
    result = action()
    print(f"{name:44} {time.perf_counter() - start:8.3f} s")
    return result


def alone(action: str, folder: Path) -> Step:
    """One action on a run folder, in a process of its own.  Raises CalledProcessError when it fails."""
    command = [sys.executable, "-c", _TIMED.format(action=action), str(folder)]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    *words, times = said.splitlines()
    seconds, cpu_s, peak_kb = times.split()
    return Step(float(seconds), float(cpu_s), int(peak_kb) * 1024, " ".join(words))


def shown(name: str, steps: Sequence[Step]) -> tuple[float, float]:
    """Print the medians and the largest memory; returns the medians of seconds by the clock and of processor."""
    seconds = statistics.median(step.seconds for step in steps)
    cpu_s = statistics.median(step.cpu_s for step in steps)
    peak = max(step.peak_bytes for step in steps) / 1e6
    print(f"{name:44} {seconds:8.3f} s {cpu_s:8.3f} s CPU {peak:6.0f} MB {steps[-1].said}".rstrip())
    return seconds, cpu_s


def in_turn(folder: Path) -> None:
    """Render and verify in turn, so that what else the machine does meets both."""
    rendered: list[Step] = []
    verified: list[Step] = []
    for turn in range(TURNS):
        pair = [(RENDER, rendered), (VERIFY, verified)]
        for action, steps in pair if turn % 2 else reversed(pair):
            steps.append(alone(action, folder))
    once, again = shown("render without plots", rendered), shown("verify", verified)
    ratio, of_cpu = (again[place] / once[place] for place in (0, 1))
    print(f"{'verify over render without plots':44} {ratio:8.2f}   {of_cpu:8.2f} CPU")


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


def measure(root: Path, count: int) -> None:
    """Times and memory of a run of that many records."""
    timed(f"append {count:,} records, durable", lambda: append_rate(root / "written", count))
    folder = small.build(root / "20260304_100000_flash-crash", enlarged(count))
    print(f"history: {(folder / HISTORY).stat().st_size / 1e6:.1f} MB")
    shown("read", [alone(READ, folder)])
    shown("render with plots", [alone(PLOTS, folder)])
    seal(folder)
    in_turn(folder)
    print(f"report.html: {(folder / runs.REPORT_HTML).stat().st_size / 1e6:.2f} MB\n")


def main() -> None:
    """Print all times."""
    for count in map(int, sys.argv[1:] or ("100000", "2000000")):
        with tempfile.TemporaryDirectory() as name:
            measure(Path(name), count)
    with tempfile.TemporaryDirectory() as name:
        changed, escaped = catch_rate(small.finish(small.build(Path(name, "20260304_100001_flash-crash"))))
        print(f"changed raw fields caught: {changed - len(escaped)} of {changed}; escaped: {', '.join(escaped)}")


if __name__ == "__main__":
    main()
