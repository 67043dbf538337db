"""The parsers of /proc and /sys on texts as four machines have them."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from engines.wire.machine import cpu_model, facts, fingerprint
from stress.profiler import layout
from stress.profiler.facts import NotAvailable
from stress.profiler.inventory import linux
from stress.profiler.layout import Cache, CoreKind, Disk, Frequency, Node

CPU = "devices/system/cpu/cpu"


def cores(places: Mapping[int, tuple[int, int, str]]) -> dict[str, str]:
    """Topology files of processors: number -> (package, core, threads of the same core)."""
    texts = {}
    for cpu, (package, core, siblings) in places.items():
        texts[f"{CPU}{cpu}/topology/physical_package_id"] = f"{package}\n"
        texts[f"{CPU}{cpu}/topology/core_id"] = f"{core}\n"
        texts[f"{CPU}{cpu}/topology/core_cpus_list"] = f"{siblings}\n"
    return texts


def cache(cpu: int, index: int, level: int, kind: str, size: str, shared: str) -> dict[str, str]:
    head = f"{CPU}{cpu}/cache/index{index}/"
    return {
        head + "level": f"{level}\n", head + "type": f"{kind}\n", head + "size": f"{size}\n",
        head + "shared_cpu_list": f"{shared}\n",
    }  # fmt: skip


def hybrid() -> dict[str, str]:
    """A laptop: two performance cores of two threads, four efficiency cores in one cluster."""
    texts = cores({0: (0, 0, "0-1"), 1: (0, 0, "0-1"), 2: (0, 4, "2-3"), 3: (0, 4, "2-3"),
                   **{n: (0, n + 4, str(n)) for n in range(4, 8)}})  # fmt: skip
    for cpu, siblings in ((0, "0-1"), (1, "0-1"), (2, "2-3"), (3, "2-3")):
        texts |= cache(cpu, 0, 1, "Data", "48K", siblings) | cache(cpu, 2, 2, "Unified", "1280K", siblings)
        texts |= {f"{CPU}{cpu}/cpufreq/cpuinfo_max_freq": "4700000", f"{CPU}{cpu}/cpufreq/cpuinfo_min_freq": "400000"}
    for cpu in range(4, 8):
        texts |= cache(cpu, 0, 1, "Data", "32K", str(cpu)) | cache(cpu, 2, 2, "Unified", "2048K", "4-7")
        texts |= {f"{CPU}{cpu}/cpufreq/cpuinfo_max_freq": "3500000", f"{CPU}{cpu}/cpufreq/cpuinfo_min_freq": "400000"}
    for cpu in range(8):
        texts |= cache(cpu, 3, 3, "Unified", "12288K", "0-7")
        texts[f"{CPU}{cpu}/cpufreq/scaling_governor"] = "powersave\n"
    return texts | {
        "devices/cpu_core/cpus": "0-3\n", "devices/cpu_atom/cpus": "4-7\n",
        "devices/system/node/node0/cpulist": "0-7\n",
        "devices/system/node/node0/meminfo": "Node 0 MemTotal:       16384000 kB\nNode 0 MemFree: 1 kB\n",
        "block/nvme0n1/size": "1000215216\n", "block/nvme0n1/device": "", "block/nvme0n1/queue/rotational": "0\n",
        "block/nvme0n1/device/model": "Fast Disk 512GB      \n", "block/loop0/size": "8\n", "block/zram0/size": "99\n",
    }  # fmt: skip


def two_sockets() -> dict[str, str]:
    """A server: core numbers repeat in the second socket; two turning disks behind a controller."""
    texts = cores({n + more: (n // 4, n % 4, f"{n},{n + 8}") for n in range(8) for more in (0, 8)})
    for cpu in range(16):
        texts |= cache(cpu, 3, 3, "Unified", "32M", "0-3,8-11" if cpu % 8 < 4 else "4-7,12-15")
    return texts | {
        "devices/system/node/node0/cpulist": "0-3,8-11\n", "devices/system/node/node1/cpulist": "4-7,12-15\n",
        "devices/system/node/node0/meminfo": "Node 0 MemTotal:  131072000 kB\n",
        "block/sda/size": "7814037168", "block/sda/device": "", "block/sda/queue/rotational": "1",
        "class/dmi/id/sys_vendor": "Maker Inc.\n", "class/dmi/id/product_name": "R7000\n",
    }  # fmt: skip


def arm() -> dict[str, str]:
    """A board: no socket numbers, two kinds of cores by capacity, no sizes of caches."""
    texts = cores({n: (-1, n, str(n)) for n in range(6)})
    texts |= {f"{CPU}{n}/cpu_capacity": "1024\n" if n >= 4 else "446\n" for n in range(6)}
    return texts | {f"{CPU}0/cache/index0/level": "1\n", f"{CPU}0/cache/index0/type": "Data\n"}


def virtual() -> dict[str, str]:
    """A small virtual machine: no cpufreq, no nodes, a disk without a model."""
    return cores({0: (0, 0, "0"), 1: (0, 1, "1")}) | {
        "block/vda/size": "2048", "block/vda/device": "", "block/vda/queue/rotational": "1",
        "class/dmi/id/sys_vendor": "QEMU", "class/dmi/id/product_name": "Standard PC",
    }  # fmt: skip


NAME = "model name\t: Some CPU @ 2.60GHz\n"
X86 = f"processor\t: 0\n{NAME}flags\t\t: fpu sse{{}}\n\nprocessor\t: 1\n{NAME}"
ARM = """processor\t: 0
CPU implementer\t: 0x41
CPU part\t: 0xd05

processor\t: 1
CPU implementer\t: 0x41
CPU part\t: 0xd0a
"""


@pytest.mark.parametrize(
    ("texts", "counts"),
    [(hybrid(), (1, 6, 8)), (two_sockets(), (2, 8, 16)), (arm(), (1, 6, 6)), (virtual(), (1, 2, 2))],
    ids=["hybrid", "two sockets", "arm", "virtual"],
)
def test_sockets_cores_and_threads(texts: Mapping[str, str], counts: tuple[int, int, int]) -> None:
    found = layout.topology(texts)
    assert (found.sockets, found.cores, found.threads) == counts


def test_cores_are_told_by_their_numbers_where_nobody_tells_who_shares_one() -> None:
    texts = {path: text for path, text in two_sockets().items() if not path.endswith("core_cpus_list")}
    assert layout.topology(texts).cores == 8


def test_no_topology_is_not_available() -> None:
    found = layout.topology({})
    assert isinstance(found.sockets, NotAvailable) and isinstance(found.cores, NotAvailable)
    assert isinstance(found.kinds, NotAvailable) and isinstance(found.nodes, NotAvailable)


def test_kinds_of_cores() -> None:
    assert layout.kinds(hybrid()) == (
        CoreKind("performance", 4, (0, 1, 2, 3)),
        CoreKind("efficiency", 4, (4, 5, 6, 7)),
    )
    assert layout.kinds(arm()) == (CoreKind("capacity 1024", 2, (4, 5)), CoreKind("capacity 446", 4, (0, 1, 2, 3)))
    assert isinstance(layout.kinds(two_sockets()), NotAvailable)


def test_numa() -> None:
    nodes = layout.nodes(two_sockets())
    assert isinstance(nodes, tuple)
    assert nodes[0] == Node(0, (0, 1, 2, 3, 8, 9, 10, 11), 131_072_000 * 1024)
    assert nodes[1].cpus == (4, 5, 6, 7, 12, 13, 14, 15) and isinstance(nodes[1].memory_bytes, NotAvailable)
    assert isinstance(layout.nodes(virtual()), NotAvailable)


def test_each_cache_is_counted_once() -> None:
    assert layout.caches(hybrid()) == (
        Cache(1, "Data", 32 << 10, 4, 1),
        Cache(1, "Data", 48 << 10, 2, 2),
        Cache(2, "Unified", 1280 << 10, 2, 2),
        Cache(2, "Unified", 2 << 20, 1, 4),
        Cache(3, "Unified", 12 << 20, 1, 8),
    )
    assert layout.caches(two_sockets()) == (Cache(3, "Unified", 32 << 20, 2, 8),)
    assert isinstance(layout.caches(arm()), NotAvailable), "a level without a size is no cache that we know"


def test_frequency() -> None:
    assert layout.frequency(hybrid()) == Frequency(400.0, 4700.0, "powersave")
    assert isinstance(layout.frequency(virtual()), NotAvailable)


def test_disks() -> None:
    assert layout.disks(hybrid()) == (Disk("nvme0n1", 1_000_215_216 * 512, False, "Fast Disk 512GB"),)
    found = layout.disks(virtual())
    assert isinstance(found, tuple)
    assert found[0].rotational is True and isinstance(found[0].model, NotAvailable)
    assert isinstance(layout.disks(arm()), NotAvailable)


def test_virtualisation() -> None:
    real, guest = X86.format(""), X86.format(" hypervisor lahf_lm")
    assert layout.virtualisation(guest, virtual()) == (
        "the processor says that a hypervisor is there; made by QEMU Standard PC"
    )
    assert isinstance(layout.virtualisation(real, two_sockets()), NotAvailable)
    assert layout.virtualisation(ARM, {"hypervisor/type": "xen\n"}) == "hypervisor xen"


@pytest.mark.parametrize(("text", "cores"), [("150000 100000\n", 1.5), ("max 100000\n", None), ("", None)])
def test_quota(text: str, cores: float | None) -> None:
    found = layout.quota(text)
    assert found == cores if cores is not None else isinstance(found, NotAvailable)


@pytest.mark.parametrize(("text", "cpus"), [("0-3,8\n", (0, 1, 2, 3, 8)), ("5", (5,)), ("\n", ())])
def test_lists_of_processors(text: str, cpus: tuple[int, ...]) -> None:
    assert layout.cpu_list(text) == cpus


def test_the_processors_name() -> None:
    assert cpu_model(X86.format("")) == "Some CPU @ 2.60GHz"
    assert cpu_model(ARM) == "Arm implementer 0x41 part 0xd05, Arm implementer 0x41 part 0xd0a"
    assert cpu_model("processor\t: 0\nhart : 0\n") == ""


def test_the_fingerprint_changes_with_each_fact() -> None:
    here = facts()
    assert here == facts() and here["cpu"] and int(here["logical_cores"]) > 0
    others = [here | {key: here[key] + "x"} for key in here]
    assert len({fingerprint(each) for each in (here, *others)}) == 1 + len(here)


def test_a_machines_files_are_read_from_where_they_are(tmp_path: Path) -> None:
    for path, text in hybrid().items():
        target = tmp_path / "sys" / path
        if text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        else:
            target.mkdir(parents=True, exist_ok=True)
    group = tmp_path / "sys/fs/cgroup/user/shell"
    group.mkdir(parents=True)
    (group / "cpu.max").write_text("250000 100000\n")
    proc = tmp_path / "proc"
    (proc / "self").mkdir(parents=True)
    (proc / "self/cgroup").write_text("0::/user/shell\n")
    (proc / "cpuinfo").write_text(X86.format(""))
    (proc / "meminfo").write_text("MemTotal: 16000 kB\n")
    found = linux(proc, tmp_path / "sys")
    assert found.cpu == "Some CPU @ 2.60GHz"
    assert found.topology == layout.topology(hybrid())
    assert (found.caches, found.disks, found.frequency) == (
        layout.caches(hybrid()), layout.disks(hybrid()), layout.frequency(hybrid()),
    )  # fmt: skip
    assert (found.quota_cores, found.memory_bytes) == (2.5, 16000 * 1024)


def test_a_machine_that_tells_nothing_is_all_not_available(tmp_path: Path) -> None:
    found = linux(tmp_path, tmp_path)
    for fact in (found.cpu, found.caches, found.frequency, found.memory_bytes, found.disks, found.quota_cores):
        assert isinstance(fact, NotAvailable) and fact.why
