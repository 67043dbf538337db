"""What this machine is: each fact read from the system, or why it could not be."""

import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from engines.wire.machine import cpu_model
from stress.profiler import apple, gpu, layout, procfs
from stress.profiler.devices import usable_cores
from stress.profiler.facts import NotAvailable
from stress.profiler.layout import Cache, Disk, Frequency, Topology

_TOOL_S = 20.0
_GLOBS = (
    "devices/system/cpu/cpu[0-9]*/topology/*", "devices/system/cpu/cpu[0-9]*/cache/index*/*",
    "devices/system/cpu/cpu[0-9]*/cpufreq/*", "devices/system/cpu/cpu[0-9]*/cpu_capacity",
    "devices/system/node/node[0-9]*/cpulist", "devices/system/node/node[0-9]*/meminfo", "devices/cpu_core/cpus",
    "devices/cpu_atom/cpus", "block/*/size", "block/*/queue/rotational", "block/*/device/model", "block/*/device",
    "hypervisor/type", "class/dmi/id/sys_vendor", "class/dmi/id/product_name",
)  # fmt: skip


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """The machine.  Sizes are bytes; `quota_cores` is what the control group allows, `usable_cores` the affinity."""

    system: str
    kernel: str
    architecture: str
    cpu: str | NotAvailable
    topology: Topology
    usable_cores: int
    quota_cores: float | NotAvailable
    caches: tuple[Cache, ...] | NotAvailable
    frequency: Frequency | NotAvailable
    memory_bytes: int | NotAvailable
    disks: tuple[Disk, ...] | NotAvailable
    virtualisation: str | NotAvailable
    gpus: tuple[str, ...] | NotAvailable
    neural_engine: str | NotAvailable


def inventory() -> Inventory:
    """Read this machine."""
    return _macos(_ask) if sys.platform == "darwin" else linux(Path("/proc"), Path("/sys"))


def linux(proc: Path, sysfs: Path) -> Inventory:
    """A Linux machine, from its /proc and /sys."""
    texts = dict(_texts(sysfs))
    cpuinfo, meminfo = _read(proc / "cpuinfo"), _read(proc / "meminfo")
    found = gpu.nvidia()
    return Inventory(
        system=platform.system(),
        kernel=platform.release(),
        architecture=platform.machine(),
        cpu=cpu_model(cpuinfo) or NotAvailable("/proc/cpuinfo names no processor"),
        topology=layout.topology(texts),
        usable_cores=usable_cores(),
        quota_cores=layout.quota(_read(_own_group(proc, sysfs) / "cpu.max")),
        caches=layout.caches(texts),
        frequency=layout.frequency(texts),
        memory_bytes=procfs.memory_total(meminfo) or NotAvailable("/proc/meminfo has no MemTotal"),
        disks=layout.disks(texts),
        virtualisation=layout.virtualisation(cpuinfo, texts),
        gpus=found if isinstance(found, NotAvailable) else tuple(map(_described, found)),
        neural_engine=NotAvailable("Apple silicon under macOS only"),
    )


def _macos(ask: Callable[..., str]) -> Inventory:
    keys = apple.sysctl(ask("/usr/sbin/sysctl", "-a"))
    return Inventory(
        system=platform.system(),
        kernel=platform.release(),
        architecture=platform.machine(),
        cpu=apple.cpu_model(keys),
        topology=apple.topology(keys),
        usable_cores=usable_cores(),
        quota_cores=NotAvailable("macOS has no control groups"),
        caches=apple.caches(keys),
        frequency=NotAvailable("macOS tells frequencies to the administrator only (powermetrics)"),
        memory_bytes=apple.memory(keys),
        disks=apple.disks(ask("/usr/sbin/system_profiler", "SPNVMeDataType", "-json")),
        virtualisation=(
            "the kernel says that a hypervisor is there"
            if keys.get("kern.hv_vmm_present") == "1"
            else NotAvailable("nothing hints at a virtual machine")
        ),
        gpus=apple.gpus(ask("/usr/sbin/system_profiler", "SPDisplaysDataType", "-json")),
        neural_engine=apple.neural_engine(ask("/usr/sbin/ioreg", "-l")),
    )


def _described(each: gpu.Gpu) -> str:
    memory = f", {each.memory_bytes / 2**30:.0f} GiB" if each.memory_bytes is not None else ""
    return f"{each.name}{memory}, driver {each.driver}"


def _texts(root: Path) -> Iterator[tuple[str, str]]:
    """The files that the parsers want, by path under `root`; a folder has an empty text."""
    for pattern in _GLOBS:
        for path in root.glob(pattern):
            if path.is_dir():
                yield path.relative_to(root).as_posix(), ""
            elif text := _read(path):
                yield path.relative_to(root).as_posix(), text


def _own_group(proc: Path, sysfs: Path) -> Path:
    """The folder of this process's control group (version 2)."""
    for line in _read(proc / "self/cgroup").splitlines():
        if line.startswith("0::"):
            return sysfs / "fs/cgroup" / line[3:].lstrip("/")
    return sysfs / "fs/cgroup"


def _read(path: Path) -> str:
    """Its text; empty where there is none for us: each fact says then why it is not there."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _ask(*command: str) -> str:
    """What a tool of the system says; empty where it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_TOOL_S, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
