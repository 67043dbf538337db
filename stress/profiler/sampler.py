"""One look at the host and at processes: what a sample consists of, read in about a millisecond on Linux.

Files that are read at each look stay open, which halves its cost and, since a process's files die with it, never shows
another process under a used process id.  `PortableMeter` asks psutil instead, where there is no /proc.
"""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
import psutil

from stress.profiler import procfs
from stress.profiler.gpu import Gpus
from stress.profiler.procfs import CpuTime

CPUS = Path("/sys/devices/system/cpu")
_CHUNK = 1 << 16


class Want(NamedTuple):
    """What of the costly facts one look shall take: files and frequencies, proportional set sizes."""

    slow: bool
    pss: bool


class Reading(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of a sample, without its time; None where it was not measured.  See `reports.samples`."""

    scope: str
    name: str
    pid: int | None = None
    cpu_percent: float | None = None
    cpu_s: float | None = None
    rss_bytes: int | None = None
    pss_bytes: int | None = None
    fds: int | None = None
    threads: int | None = None
    memory_used_bytes: int | None = None
    frequency_mhz: float | None = None
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None
    in_bytes: int | None = None
    out_bytes: int | None = None
    gpu_percent: float | None = None


class Meter(Protocol):
    """Looks at the machine.  Shares of time are since the last look and None at the first."""

    def look(self, at_s: float, pids: Mapping[str, int], want: Want) -> Iterator[Reading]:
        """The host, its cores, the processes that live, disks, loopback, GPUs; `at_s` is a monotonic clock."""

    def close(self) -> None:
        """Let go of what is open."""


def meter() -> Meter:
    """What fits this system."""
    return LinuxMeter() if sys.platform == "linux" else PortableMeter()


class OpenText:
    """A file under /proc or /sys that is read again and again."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self) -> str:
        """All of it, as of now.  Raises ProcessLookupError where it was of a process that has ended."""
        data = os.pread(self._fd, _CHUNK, 0)
        whole = data
        while len(data) == _CHUNK:
            data = os.pread(self._fd, _CHUNK, len(whole))
            whole += data
        return whole.decode()

    def close(self) -> None:
        """Close it."""
        os.close(self._fd)


class Watched:
    """One process's open files and its last CPU time."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._stat = OpenText(f"/proc/{pid}/stat")
        try:
            self._status = OpenText(f"/proc/{pid}/status")
        except OSError:
            self._stat.close()
            raise
        self._last: tuple[float, float] | None = None

    def look(self, name: str, at_s: float, tick: int, page: int, want: Want) -> Reading:
        """Its row.  Raises OSError when it has ended."""
        time = procfs.process_time(self._stat.read(), tick, page)
        switched = procfs.switches(self._status.read())
        share = None
        if self._last is not None and at_s > self._last[0]:
            share = 100.0 * (time.cpu_s - self._last[1]) / (at_s - self._last[0])
        self._last = (at_s, time.cpu_s)
        return Reading(
            "process",
            name,
            pid=self.pid,
            cpu_percent=share,
            cpu_s=time.cpu_s,
            rss_bytes=time.rss_bytes,
            pss_bytes=pss_of(self.pid) if want.pss else None,
            fds=count_files(self.pid) if want.slow else None,
            threads=time.threads,
            voluntary_switches=switched[0] if switched else None,
            involuntary_switches=switched[1] if switched else None,
        )

    def close(self) -> None:
        """Close its files."""
        self._stat.close()
        self._status.close()


class LinuxMeter:
    """Reads /proc and /sys."""

    def __init__(self) -> None:
        self._tick = os.sysconf("SC_CLK_TCK")
        self._page = os.sysconf("SC_PAGE_SIZE")
        names = ("stat", "meminfo", "diskstats", "net/dev")
        self._files = {name: OpenText(f"/proc/{name}") for name in names if os.access(f"/proc/{name}", os.R_OK)}
        self._frequencies = _frequency_files()
        self._disks = real_disks(Path("/sys/block"))
        self._gpus = Gpus()
        self._processes: dict[tuple[str, int], Watched] = {}
        self._cpu: Mapping[str, CpuTime] = {}

    def look(self, at_s: float, pids: Mapping[str, int], want: Want) -> Iterator[Reading]:
        """See `Meter`."""
        yield from self._host(want)
        yield from self._watched(at_s, pids, want)
        if "diskstats" in self._files:
            traffic = procfs.disk_traffic(self._files["diskstats"].read(), self._disks)
            for name in sorted(traffic):
                yield Reading("disk", name, in_bytes=traffic[name].inward, out_bytes=traffic[name].outward)
        if "net/dev" in self._files and (loop := procfs.link_traffic(self._files["net/dev"].read()).get("lo")):
            yield Reading("link", "lo", in_bytes=loop.inward, out_bytes=loop.outward)
        if want.slow:
            yield from gpu_rows(self._gpus)

    def close(self) -> None:
        """Close all files."""
        for file in (*self._files.values(), *self._frequencies.values()):
            file.close()
        for process in self._processes.values():
            process.close()

    def _host(self, want: Want) -> Iterator[Reading]:
        now = procfs.cpu_times(self._files["stat"].read(), self._tick)
        before, self._cpu = self._cpu, now
        used = procfs.memory_used(self._files["meminfo"].read())
        share = {name: _busy_share(before[name], now[name]) for name in now if name in before}
        yield Reading("host", "host", cpu_percent=share.get("cpu"), cpu_s=now["cpu"].busy, memory_used_bytes=used)
        for name in now:
            if name != "cpu":
                frequency = self._frequency(name) if want.slow else None
                yield Reading("core", name, cpu_percent=share.get(name), cpu_s=now[name].busy, frequency_mhz=frequency)

    def _frequency(self, core: str) -> float | None:
        """MHz; None where the kernel does not scale it, and while the core is switched off."""
        file = self._frequencies.get(core)
        if file is None:
            return None
        try:
            return int(file.read()) / 1e3
        except (OSError, ValueError):
            return None

    def _watched(self, at_s: float, pids: Mapping[str, int], want: Want) -> Iterator[Reading]:
        wanted = {(name, pid) for name, pid in pids.items()}
        for gone in self._processes.keys() - wanted:
            self._processes.pop(gone).close()
        for name, pid in sorted(wanted):
            row = self._process(name, pid, at_s, want)
            if row is not None:
                yield row

    def _process(self, name: str, pid: int, at_s: float, want: Want) -> Reading | None:
        try:
            if (name, pid) not in self._processes:
                self._processes[name, pid] = Watched(pid)
            return self._processes[name, pid].look(name, at_s, self._tick, self._page, want)
        except OSError:
            gone = self._processes.pop((name, pid), None)
            if gone is not None:
                gone.close()
            return None  # it is gone: no row says so


class PortableMeter:
    """Asks psutil: slower, and without what the system does not tell."""

    def __init__(self) -> None:
        self._known: dict[int, psutil.Process] = {}
        self._gpus = Gpus()
        self._first = True

    def look(self, at_s: float, pids: Mapping[str, int], want: Want) -> Iterator[Reading]:  # noqa: ARG002 - psutil has a clock
        """See `Meter`."""
        shares, whole = psutil.cpu_percent(None, percpu=True), psutil.cpu_percent(None)
        memory = psutil.virtual_memory()
        used = memory.total - memory.available
        yield Reading("host", "host", cpu_percent=None if self._first else whole, memory_used_bytes=used)
        for number, share in enumerate(shares):
            yield Reading("core", f"cpu{number}", cpu_percent=None if self._first else share)
        self._first = False
        for name, pid in sorted(pids.items()):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                yield self._process(name, pid, want)
        for name, disk in sorted((psutil.disk_io_counters(perdisk=True) or {}).items()):
            yield Reading("disk", name, in_bytes=disk.read_bytes, out_bytes=disk.write_bytes)
        links = psutil.net_io_counters(pernic=True)
        for name in ("lo", "lo0"):
            if name in links:
                yield Reading("link", name, in_bytes=links[name].bytes_recv, out_bytes=links[name].bytes_sent)
        if want.slow:
            yield from gpu_rows(self._gpus)

    def close(self) -> None:
        """Forget the processes."""
        self._known.clear()

    def _process(self, name: str, pid: int, want: Want) -> Reading:
        new = pid not in self._known
        process = psutil.Process(pid) if new else self._known[pid]
        self._known[pid] = process
        try:
            with process.oneshot():
                share, times, switched = process.cpu_percent(None), process.cpu_times(), process.num_ctx_switches()
                return Reading(
                    "process",
                    name,
                    pid=pid,
                    cpu_percent=None if new else share,
                    cpu_s=times.user + times.system,
                    rss_bytes=process.memory_info().rss,
                    pss_bytes=pss_of(pid) if want.pss else None,
                    fds=process.num_fds() if want.slow else None,
                    threads=process.num_threads(),
                    voluntary_switches=switched.voluntary,
                    involuntary_switches=switched.involuntary,
                )
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            self._known.pop(pid, None)
            raise


def gpu_rows(gpus: Gpus) -> Iterator[Reading]:
    """A row for each GPU that tells its use."""
    for use in gpus.use():
        yield Reading("gpu", use.name, gpu_percent=use.busy_percent, memory_used_bytes=use.memory_used_bytes)


def pss_of(pid: int) -> int | None:
    """Proportional set size in bytes; None where the system does not tell it (it is Linux's) or not to us."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return None


def count_files(pid: int) -> int | None:
    """Open files of a process; None where we may not know."""
    folder = f"/proc/{pid}/fd"
    try:
        count = os.stat(folder).st_size  # noqa: PTH116 - the count itself, since Linux 6.2; before, 0
        return count or len(os.listdir(folder))  # noqa: PTH208 - names are not wanted
    except OSError:
        return None


def real_disks(block: Path) -> set[str]:
    """Block devices with hardware behind them, real or virtual: no loops, no memory, no mappings of other disks."""
    return {path.name for path in block.iterdir() if (path / "device").exists()} if block.is_dir() else set()


def _frequency_files() -> dict[str, OpenText]:
    found = {}
    for path in sorted(CPUS.glob("cpu[0-9]*/cpufreq/scaling_cur_freq")):
        with contextlib.suppress(OSError):
            found[path.parts[-3]] = OpenText(str(path))
    return found


def _busy_share(before: CpuTime, now: CpuTime) -> float | None:
    """Percent of the time between that was busy; None when no tick went by."""
    elapsed = now.total - before.total
    return 100.0 * (now.busy - before.busy) / elapsed if elapsed > 0 else None
