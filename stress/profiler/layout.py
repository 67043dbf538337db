"""What Linux tells of a machine's hardware through /proc/cpuinfo and /sys.  Pure: texts by path in, values out.

Paths are relative to /sys.  Sources: Documentation/ABI/testing/sysfs-devices-system-cpu, sysfs-devices-node,
sysfs-block of the kernel.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from stress.profiler.facts import NotAvailable

CPU = "devices/system/cpu/"
NODE = "devices/system/node/"
SECTOR = 512  # what block/*/size counts in, whatever the disk's own sectors are

Texts = Mapping[str, str]


class CoreKind(msgspec.Struct, frozen=True):
    """Cores of one kind: `performance`, `efficiency`, or by the capacity that the scheduler gives them (of 1024)."""

    name: str
    threads: int
    cpus: tuple[int, ...] | NotAvailable


class Node(msgspec.Struct, frozen=True):
    """One NUMA node: its logical processors and bytes of memory."""

    number: int
    cpus: tuple[int, ...]
    memory_bytes: int | NotAvailable


class Topology(msgspec.Struct, frozen=True):
    """Sockets, cores and hardware threads that are switched on."""

    sockets: int | NotAvailable
    cores: int | NotAvailable
    threads: int | NotAvailable
    kinds: tuple[CoreKind, ...] | NotAvailable
    nodes: tuple[Node, ...] | NotAvailable


class Cache(msgspec.Struct, frozen=True):
    """Caches of one level, type and size: how many there are, and how many threads share one."""

    level: int
    type: str
    size_bytes: int
    instances: int
    shared_by: int


class Frequency(msgspec.Struct, frozen=True):
    """MHz: the least and greatest of all cores, and who sets it."""

    least_mhz: float
    greatest_mhz: float
    governor: str


class Disk(msgspec.Struct, frozen=True):
    """A block device with hardware, real or virtual, behind it."""

    name: str
    size_bytes: int | NotAvailable
    rotational: bool | NotAvailable
    model: str | NotAvailable


def cpu_list(text: str) -> tuple[int, ...]:
    """`0-3,8` as (0, 1, 2, 3, 8)."""
    found: list[int] = []
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return tuple(found)


def topology(sys: Texts) -> Topology:
    """Of the processors that are switched on."""
    places: dict[int, tuple[int, int]] = {}
    for cpu in _cpus(sys):
        package = _number(sys, f"{CPU}cpu{cpu}/topology/physical_package_id")
        core = _number(sys, f"{CPU}cpu{cpu}/topology/core_id")
        if package is not None and core is not None:
            places[cpu] = (max(package, 0), core)  # Arm boards without a socket number say -1
    if not places:
        none = NotAvailable("no topology in /sys/devices/system/cpu")
        return Topology(none, none, none, none, nodes(sys))
    # which threads share a core is what counts: core_id is unique in its package only where firmware says so
    cores: set[tuple[int, int] | str] = set()
    for cpu, place in places.items():
        head = f"{CPU}cpu{cpu}/topology/"
        cores.add((sys.get(head + "core_cpus_list") or sys.get(head + "thread_siblings_list", "")).strip() or place)
    return Topology(len({package for package, _ in places.values()}), len(cores), len(places), kinds(sys), nodes(sys))


def kinds(sys: Texts) -> tuple[CoreKind, ...] | NotAvailable:
    """Intel's hybrid parts by the CPUs of their two counters, others by capacity; one kind where all agree."""
    fast, slow = sys.get("devices/cpu_core/cpus"), sys.get("devices/cpu_atom/cpus")
    if fast is not None and slow is not None:
        return _kind("performance", cpu_list(fast)), _kind("efficiency", cpu_list(slow))
    by_capacity: dict[int, list[int]] = {}
    for cpu in _cpus(sys):
        capacity = _number(sys, f"{CPU}cpu{cpu}/cpu_capacity")
        if capacity is None:
            return NotAvailable("the kernel tells no kinds of cores here (no hybrid counters, no capacities)")
        by_capacity.setdefault(capacity, []).append(cpu)
    return tuple(_kind(f"capacity {each}", by_capacity[each]) for each in sorted(by_capacity, reverse=True))


def _kind(name: str, cpus: Sequence[int]) -> CoreKind:
    return CoreKind(name, len(cpus), tuple(cpus))


def nodes(sys: Texts) -> tuple[Node, ...] | NotAvailable:
    """The NUMA nodes; a machine without NUMA has one."""
    found = []
    for number in sorted(_numbers(sys, rf"{NODE}node(\d+)/cpulist")):
        total = re.search(r"MemTotal:\s+(\d+) kB", sys.get(f"{NODE}node{number}/meminfo", ""))
        memory = int(total[1]) * 1024 if total else NotAvailable("no MemTotal in the node's meminfo")
        found.append(Node(number, cpu_list(sys[f"{NODE}node{number}/cpulist"]), memory))
    return tuple(found) or NotAvailable("no /sys/devices/system/node: this kernel does not know NUMA")


def caches(sys: Texts) -> tuple[Cache, ...] | NotAvailable:
    """All caches, by level; each instance is counted once, however many threads share it."""
    instances: set[tuple[int, str, int, tuple[int, ...]]] = set()
    for path in sys:
        place = re.fullmatch(rf"({CPU}cpu(\d+)/cache/index\d+/)level", path)
        if place is None:
            continue
        size, kind = _bytes(sys.get(place[1] + "size", "")), sys.get(place[1] + "type", "").strip()
        shared = cpu_list(sys.get(place[1] + "shared_cpu_list", place[2]))
        if size is not None and kind:
            instances.add((int(sys[path]), kind, size, shared))
    alike: dict[tuple[int, str, int, int], int] = {}
    for level, kind, size, shared in instances:
        key = (level, kind, size, len(shared))
        alike[key] = alike.get(key, 0) + 1
    found = tuple(Cache(level, kind, size, alike[level, kind, size, by], by) for level, kind, size, by in sorted(alike))
    return found or NotAvailable("no cache sizes in /sys/devices/system/cpu")


def frequency(sys: Texts) -> Frequency | NotAvailable:
    """The range that the cores are scaled in."""
    least = [int(text) for _, text in _each(sys, rf"{CPU}cpu\d+/cpufreq/cpuinfo_min_freq")]
    greatest = [int(text) for _, text in _each(sys, rf"{CPU}cpu\d+/cpufreq/cpuinfo_max_freq")]
    governors = sorted({text.strip() for _, text in _each(sys, rf"{CPU}cpu\d+/cpufreq/scaling_governor")})
    if not least or not greatest:
        return NotAvailable("no cpufreq in /sys: the kernel, or who runs this virtual machine, does not tell")
    return Frequency(min(least) / 1e3, max(greatest) / 1e3, ", ".join(governors))


def disks(sys: Texts) -> tuple[Disk, ...] | NotAvailable:
    """Disks that have a device behind them: no loops, no memory, no mappings of other disks."""
    found = []
    for path, text in sorted(_each(sys, r"block/[^/]+/size")):
        name = path.split("/")[1]
        if f"block/{name}/device" not in sys:
            continue
        turns = sys.get(f"block/{name}/queue/rotational", "").strip()
        rotational = turns == "1" if turns in ("0", "1") else NotAvailable("no queue/rotational")
        model = sys.get(f"block/{name}/device/model", "").strip()
        found.append(Disk(name, int(text) * SECTOR, rotational, model or NotAvailable("the device tells no model")))
    return tuple(found) or NotAvailable("no block device with hardware behind it in /sys/block")


def virtualisation(cpuinfo: str, sys: Texts) -> str | NotAvailable:
    """What hints at a virtual machine or a container; a machine that hides it cannot be told from a real one."""
    hints = []
    if re.search(r"^flags\s*:.*\bhypervisor\b", cpuinfo, re.MULTILINE):
        hints.append("the processor says that a hypervisor is there")
    if kind := sys.get("hypervisor/type", "").strip():
        hints.append(f"hypervisor {kind}")
    maker = " ".join(
        filter(None, (sys.get(f"class/dmi/id/{key}", "").strip() for key in ("sys_vendor", "product_name")))
    )
    if maker and re.search(r"QEMU|KVM|VMware|VirtualBox|Xen|Amazon EC2|Google Compute|Virtual Machine", maker):
        hints.append(f"made by {maker}")
    return "; ".join(hints) or NotAvailable("nothing hints at a virtual machine")


def quota(cpu_max: str) -> float | NotAvailable:
    """Cores that the control group allows (cgroup v2's cpu.max: quota and period in microseconds)."""
    limit, _, period = cpu_max.strip().partition(" ")
    if not limit:
        return NotAvailable("no cpu.max: no control group of version 2 limits this process")
    if limit == "max":
        return NotAvailable("the control group sets no limit")
    return int(limit) / int(period or 100_000)


def _cpus(sys: Texts) -> list[int]:
    return sorted(_numbers(sys, rf"{CPU}cpu(\d+)/(?:topology|cache|cpufreq)/.*"))


def _numbers(sys: Texts, pattern: str) -> set[int]:
    return {int(found[1]) for path in sys if (found := re.fullmatch(pattern, path))}


def _each(sys: Texts, pattern: str) -> Iterator[tuple[str, str]]:
    return ((path, text) for path, text in sys.items() if re.fullmatch(pattern, path))


def _number(sys: Texts, path: str) -> int | None:
    text = sys.get(path, "").strip()
    return int(text) if re.fullmatch(r"-?\d+", text) else None


def _bytes(text: str) -> int | None:
    """`48K` and `32M`, as the kernel writes sizes of caches."""
    found = re.fullmatch(r"(\d+)([KMG]?)", text.strip())
    return int(found[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[found[2]] if found else None
