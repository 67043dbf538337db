"""The sampler: what the host and the run's processes use, once a second, spilled as JSON lines and stored as Parquet.

The proportional set size is costly (the kernel walks every mapping), so it is read once in ``pss_every`` samples. The
spill keeps all but the last second if this process is killed; ``close`` turns it into ``samples.parquet``.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Self

import msgspec
import psutil

from reports.samples import COLUMNS
from reports.seal import SAMPLES
from stress.history.stamp import Stamp, stamp

SPILL = "samples.jsonl"


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One row; None where it was not measured. ``cpu_percent`` of a process is of one core, of the host of all."""

    mono_ns: int
    at_utc: str
    scope: str
    name: str
    pid: int | None = None
    cpu_percent: float | None = None
    rss_bytes: int | None = None
    pss_bytes: int | None = None
    fds: int | None = None
    threads: int | None = None
    memory_used_bytes: int | None = None


class Sampler:
    """Samples in a thread of its own. ``pids`` names the processes to watch and is asked anew each time."""

    def __init__(
        self, folder: Path, pids: Callable[[], Mapping[str, int]], period_s: float = 1.0, pss_every: int = 10
    ) -> None:
        self._folder = folder
        self._pids = pids
        self._period_s = period_s
        self._pss_every = pss_every
        self._known: dict[int, psutil.Process] = {}
        self._count = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def start(self) -> Self:
        """Begin; the first sample has no processor shares, since those need two."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        return self

    def close(self) -> Path:
        """Stop and store; returns the path of ``samples.parquet``."""
        self._stop.set()
        self._thread.join()
        return store(self._folder)

    def sample(self) -> Iterator[Sample]:
        """One sample of the host and of each process that lives."""
        head = stamp()
        first, with_pss = self._count == 0, self._count % self._pss_every == 0
        self._count += 1
        cpu = psutil.cpu_percent(None)
        used = psutil.virtual_memory().used
        yield Sample(
            mono_ns=head["mono_ns"],
            at_utc=head["at"],
            scope="host",
            name="host",
            cpu_percent=None if first else cpu,
            memory_used_bytes=used,
        )
        for name, pid in sorted(self._pids().items()):
            row = self._process(name, pid, head, with_pss)
            if row is not None:
                yield row

    def _process(self, name: str, pid: int, head: Stamp, with_pss: bool) -> Sample | None:
        new = pid not in self._known
        try:
            process = self._known[pid] if not new else psutil.Process(pid)
            self._known[pid] = process
            with process.oneshot():
                cpu = process.cpu_percent(None)
                return Sample(
                    mono_ns=head["mono_ns"],
                    at_utc=head["at"],
                    scope="process",
                    name=name,
                    pid=pid,
                    cpu_percent=None if new else cpu,
                    rss_bytes=process.memory_info().rss,
                    pss_bytes=pss_bytes(process) if with_pss else None,
                    fds=process.num_fds(),
                    threads=process.num_threads(),
                )
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            self._known.pop(pid, None)
            return None  # it is gone: no row says so

    def _run(self) -> None:
        due = time.monotonic()
        with (self._folder / SPILL).open("ab") as spill:
            while True:
                spill.writelines(msgspec.json.encode(row) + b"\n" for row in self.sample())
                spill.flush()
                due = max(due + self._period_s, time.monotonic())
                if self._stop.wait(due - time.monotonic()):
                    return


def pss_bytes(process: psutil.Process) -> int | None:
    """Proportional set size of a process; None where the system does not tell (it is Linux's)."""
    try:
        info = process.memory_full_info()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
    value = getattr(info, "pss", None)
    return int(value) if value is not None else None


def store(folder: Path) -> Path:
    """Turn the spill into Parquet, without a line that a kill left half written, and remove it."""
    import duckdb

    target, spill = folder / SAMPLES, folder / SPILL
    draft = target.with_suffix(".tmp")
    with duckdb.connect() as db:
        rows = db.read_json(str(spill), columns=dict(COLUMNS), format="newline_delimited", ignore_errors=True)
        rows.filter("mono_ns IS NOT NULL").write_parquet(str(draft))
    draft.replace(target)
    spill.unlink()
    return target
