"""What macOS tells of a machine's hardware: `sysctl`, `system_profiler`, `ioreg`.  Pure: their texts in, values out."""

import json
import re
from collections.abc import Mapping

from stress.profiler.facts import NotAvailable
from stress.profiler.layout import Cache, CoreKind, Disk, Topology

Keys = Mapping[str, str]


def sysctl(text: str) -> dict[str, str]:
    """`key: value` lines."""
    return {
        key.strip(): value.strip() for key, colon, value in (line.partition(":") for line in text.splitlines()) if colon
    }


def cpu_model(keys: Keys) -> str | NotAvailable:
    """The processor's name."""
    return keys.get("machdep.cpu.brand_string") or NotAvailable("sysctl tells no machdep.cpu.brand_string")


def topology(keys: Keys) -> Topology:
    """Performance levels are numbered from the fastest."""
    found = []
    for level in range(int(keys.get("hw.nperflevels", "0"))):
        name = keys.get(f"hw.perflevel{level}.name", f"level {level}").lower()
        which = NotAvailable("macOS does not tell which processors are of a level")
        found.append(CoreKind(name, int(keys.get(f"hw.perflevel{level}.logicalcpu", "0")), which))
    kinds = tuple(found) or NotAvailable("sysctl tells no performance levels")
    return Topology(
        sockets=_number(keys, "hw.packages"),
        cores=_number(keys, "hw.physicalcpu"),
        threads=_number(keys, "hw.logicalcpu"),
        kinds=kinds,
        nodes=NotAvailable("macOS has no NUMA"),
    )


def caches(keys: Keys) -> tuple[Cache, ...] | NotAvailable:
    """By performance level where there are any: a level's second cache is shared by `cpusperl2` processors."""
    found = []
    for level in range(int(keys.get("hw.nperflevels", "0"))):
        head = f"hw.perflevel{level}."
        count = int(keys.get(head + "logicalcpu", "0"))
        for number, kind, key, by in (
            (1, "Instruction", "l1icachesize", 1),
            (1, "Data", "l1dcachesize", 1),
            (2, "Unified", "l2cachesize", int(keys.get(head + "cpusperl2", "1"))),
        ):
            if size := int(keys.get(head + key, "0")):
                found.append(Cache(number, kind, size, -(-count // by), by))
    return tuple(found) or NotAvailable("sysctl tells no caches by performance level")


def memory(keys: Keys) -> int | NotAvailable:
    """Bytes."""
    return _number(keys, "hw.memsize")


def gpus(displays: str) -> tuple[str, ...] | NotAvailable:
    """Names, cores and Metal of `system_profiler SPDisplaysDataType -json`."""
    found = []
    for each in _items(displays, "SPDisplaysDataType"):
        parts = [str(each.get("sppci_model", each.get("_name", "")))]
        if each.get("sppci_cores"):
            parts.append(f"{each['sppci_cores']} cores")
        if metal := str(each.get("spdisplays_mtlgpufamilysupport", "")):
            parts.append(metal.replace("spdisplays_metal", "Metal "))
        found.append(", ".join(parts))
    return tuple(found) or NotAvailable("system_profiler lists no GPU")


def disks(nvme: str) -> tuple[Disk, ...] | NotAvailable:
    """Drives of `system_profiler SPNVMeDataType -json`, which all are solid-state."""
    found = []
    for controller in _items(nvme, "SPNVMeDataType"):
        drives = controller.get("_items")
        for each in drives if isinstance(drives, list) else []:
            size, model = each.get("size_in_bytes"), str(each.get("device_model", "")).strip()
            known = size if isinstance(size, int) else NotAvailable("system_profiler tells no size")
            name = str(each.get("bsd_name", each.get("_name", "")))
            found.append(Disk(name, known, False, model or NotAvailable("system_profiler tells no model")))
    return tuple(found) or NotAvailable("system_profiler lists no NVMe drive")


def neural_engine(ioreg: str) -> str | NotAvailable:
    """The Neural Engine's driver in `ioreg -l`: its presence, nothing of its use."""
    found = re.search(r"\b(H\d+ANE\w*|AppleH\d+ANE\w*|AppleNeuralEngine\w*)\b", ioreg)
    return f"present ({found[1]})" if found else NotAvailable("no Neural Engine in the registry of devices")


def _items(text: str, key: str) -> list[dict[str, object]]:
    try:
        document = json.loads(text)
    except ValueError:
        return []
    items = document.get(key, []) if isinstance(document, dict) else []
    return [item for item in items if isinstance(item, dict)]


def _number(keys: Keys, key: str) -> int | NotAvailable:
    text = keys.get(key, "")
    return int(text) if text.isdigit() else NotAvailable(f"sysctl tells no {key}")
