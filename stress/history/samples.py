"""The sampler: what the host and the run's processes use, five times a second, spilled as JSON and stored as Parquet.

Costly facts are taken less often: open files, frequencies and GPUs once a second, the proportional set size (the kernel
walks every mapping) every 30 s and where a phase begins or ends.  It measures what it costs itself, as one more
process.  The spill keeps all but the last look if this process is killed; ``close`` makes ``samples.parquet`` of it.
"""

import threading
import time
from collections.abc import Callable, Mapping
from os import getpid
from pathlib import Path
from typing import Self

import msgspec
import psutil

from reports.samples import COLUMNS, MORE
from reports.seal import SAMPLES
from stress.history.stamp import stamp
from stress.profiler.sampler import Meter, Reading, Want, meter, pss_of

SPILL = "samples.jsonl"
PERIOD_S, SLOW_S, PSS_S = 0.2, 1.0, 30.0
OWN = "sampler"  # the name of its own row


class Look(msgspec.Struct, frozen=True):
    """One line of the spill: all rows of one instant."""

    mono_ns: int
    at_utc: str
    rows: list[Reading]


class Overhead(msgspec.Struct, frozen=True):
    """What sampling cost: CPU seconds of its thread while ``wall_s`` went by."""

    cpu_s: float
    wall_s: float
    looks: int

    @property
    def percent(self) -> float:
        """Of one core."""
        return 100.0 * self.cpu_s / self.wall_s if self.wall_s > 0 else 0.0


class Sampler:
    """Samples in a thread of its own. ``pids`` names the processes to watch and is asked anew each time."""

    def __init__(
        self,
        folder: Path,
        pids: Callable[[], Mapping[str, int]],
        period_s: float = PERIOD_S,
        pss_s: float = PSS_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.overhead = Overhead(0.0, 0.0, 0)
        self._folder = folder
        self._pids = pids
        self._period_s = period_s
        self._pss_s = pss_s
        self._clock = clock
        self._meter: Meter = meter()
        self._slow_due = self._pss_due = -1.0  # of the clock
        self._spent = 0.0
        self._edge = threading.Event()
        self._wake = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def start(self) -> Self:
        """Begin; the first look has no processor shares, since those need two."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        return self

    def edge(self) -> None:
        """A phase begins or ends: look at once, proportional set sizes included."""
        self._edge.set()
        self._wake.set()

    def close(self) -> Path:
        """Take a last look, stop and store; returns the path of ``samples.parquet``."""
        self._ending = True
        self.edge()
        self._thread.join()
        return store(self._folder)

    def look(self) -> Look:
        """One look at the host and each process that lives."""
        at, now = stamp(), self._clock()
        edge = self._edge.is_set()
        self._edge.clear()
        want = Want(slow=edge or now >= self._slow_due, pss=edge or now >= self._pss_due)
        if want.slow:
            self._slow_due = now + SLOW_S
        if want.pss:
            self._pss_due = now + self._pss_s
        return Look(at["mono_ns"], at["at"], list(self._meter.look(now, self._pids(), want)))

    def _run(self) -> None:
        began = last = due = self._clock()
        own = time.thread_time()
        with (self._folder / SPILL).open("ab") as spill:
            while True:
                ending = self._ending  # before the look: an edge after it is looked at too
                found = self.look()
                found.rows.append(self._self(self._clock() - last, time.thread_time() - own))
                last = self._clock()
                spill.write(msgspec.json.encode(found) + b"\n")
                spill.flush()
                self.overhead = Overhead(time.thread_time() - own, self._clock() - began, self.overhead.looks + 1)
                if ending:
                    break
                due = max(due + self._period_s, self._clock())
                self._wake.wait(due - self._clock())
                self._wake.clear()
        self._meter.close()

    def _self(self, wall_s: float, cpu_s: float) -> Reading:
        """Its own row, up to now: this thread's share of a core."""
        spent = cpu_s - self._spent
        self._spent = cpu_s
        share = 100.0 * spent / wall_s if wall_s > 0 and self.overhead.looks else None
        return Reading("process", OWN, pid=getpid(), cpu_percent=share, cpu_s=cpu_s, threads=1)


def pss_bytes(process: psutil.Process) -> int | None:
    """Proportional set size of a process; None where the system does not tell (it is Linux's)."""
    return pss_of(process.pid) if process.is_running() else None


def store(folder: Path) -> Path:
    """Turn the spill into Parquet, without a line that a kill left half written, and remove it."""
    import duckdb

    target, spill = folder / SAMPLES, folder / SPILL
    draft = target.with_suffix(".tmp")
    kinds = {**COLUMNS, **MORE}
    row = ", ".join(f"{name} {kinds[name]}" for name in Reading.__struct_fields__)
    columns = {"mono_ns": "BIGINT", "at_utc": "VARCHAR", "rows": f"STRUCT({row})[]"}
    with duckdb.connect() as db:
        looks = db.read_json(str(spill), columns=columns, format="newline_delimited", ignore_errors=True)
        rows = looks.filter("mono_ns IS NOT NULL").project("mono_ns, at_utc, unnest(rows, recursive := true)")
        rows.project(", ".join(kinds)).write_parquet(str(draft))
    draft.replace(target)
    spill.unlink()
    return target
