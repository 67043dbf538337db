"""What Linux's /proc tells of the host and of processes, at one instant.  Pure: texts in, values out.

Source: proc(5).  Processor times are in clock ticks there (usually 10 ms) and in seconds here.
"""

from collections.abc import Container, Iterator
from typing import NamedTuple

SECTOR = 512  # bytes, whatever the disk's own sectors are (Documentation/admin-guide/iostats)


class CpuTime(NamedTuple):
    """Seconds since boot: busy, and all."""

    busy: float
    total: float


class ProcessTime(NamedTuple):
    """CPU seconds of all threads of a process since it began, its threads, resident bytes."""

    cpu_s: float
    threads: int
    rss_bytes: int


class Traffic(NamedTuple):
    """Bytes since boot, in and out: read and written, or received and sent."""

    inward: int
    outward: int


def cpu_times(stat: str, tick: int) -> dict[str, CpuTime]:
    """Of `cpu` (all cores together) and each `cpuN` in /proc/stat; `tick` is the clock ticks a second.

    Idle and waiting for a disk are not busy; time given to guests is within user time already.
    """
    found: dict[str, CpuTime] = {}
    for line in stat.splitlines():
        name, *values = line.split()
        if not name.startswith("cpu"):
            break  # the cores come first
        ticks = [int(value) for value in values[:8]]  # user nice system idle iowait irq softirq steal
        total = sum(ticks)
        found[name] = CpuTime((total - sum(ticks[3:5])) / tick, total / tick)
    return found


def process_time(stat: str, tick: int, page: int) -> ProcessTime:
    """/proc/PID/stat; the name in it may hold blanks and brackets."""
    fields = stat[stat.rindex(")") + 2 :].split()
    return ProcessTime((int(fields[11]) + int(fields[12])) / tick, int(fields[17]), int(fields[21]) * page)


def switches(status: str) -> tuple[int, int] | None:
    """Voluntary and involuntary context switches in /proc/PID/status; None where the kernel does not count them."""
    head, found, involuntary = status.rpartition("nonvoluntary_ctxt_switches:")
    _, also_found, voluntary = head.rpartition("voluntary_ctxt_switches:")
    return (int(voluntary), int(involuntary)) if found and also_found else None


def memory_used(meminfo: str) -> int | None:
    """Bytes that are not available to new work (MemTotal - MemAvailable); None before Linux 3.14."""
    found = dict(_fields(meminfo, ("MemTotal", "MemAvailable")))
    if len(found) < 2:
        return None
    return (int(found["MemTotal"].split()[0]) - int(found["MemAvailable"].split()[0])) * 1024


def memory_total(meminfo: str) -> int | None:
    """Bytes of memory."""
    found = dict(_fields(meminfo, ("MemTotal",)))
    return int(found["MemTotal"].split()[0]) * 1024 if found else None


def disk_traffic(diskstats: str, of: Container[str]) -> dict[str, Traffic]:
    """Bytes read and written by those block devices, in /proc/diskstats."""
    found = {}
    for line in diskstats.splitlines():
        fields = line.split(None, 10)
        if len(fields) >= 10 and fields[2] in of:
            found[fields[2]] = Traffic(int(fields[5]) * SECTOR, int(fields[9]) * SECTOR)
    return found


def link_traffic(dev: str) -> dict[str, Traffic]:
    """Bytes received and sent by interface in /proc/net/dev."""
    found = {}
    for line in dev.splitlines():
        name, colon, values = line.partition(":")
        if colon:
            fields = values.split()
            found[name.strip()] = Traffic(int(fields[0]), int(fields[8]))
    return found


def _fields(text: str, wanted: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name in wanted:
            yield name, value.strip()
