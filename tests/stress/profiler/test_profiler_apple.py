"""The parsers of macOS's tools, on texts as a machine with two kinds of cores prints them."""

from stress.profiler import apple
from stress.profiler.facts import NotAvailable
from stress.profiler.layout import Cache, Disk

SYSCTL = """machdep.cpu.brand_string: Apple M2 Pro
hw.packages: 1
hw.physicalcpu: 10
hw.logicalcpu: 10
hw.memsize: 17179869184
hw.nperflevels: 2
hw.perflevel0.logicalcpu: 6
hw.perflevel0.name: Performance
hw.perflevel0.l1icachesize: 196608
hw.perflevel0.l1dcachesize: 131072
hw.perflevel0.l2cachesize: 16777216
hw.perflevel0.cpusperl2: 3
hw.perflevel1.logicalcpu: 4
hw.perflevel1.name: Efficiency
hw.perflevel1.l2cachesize: 4194304
hw.perflevel1.cpusperl2: 4
"""
DISPLAYS = """{"SPDisplaysDataType": [{"_name": "Apple M2 Pro", "sppci_model": "Apple M2 Pro", "sppci_cores": "16",
"spdisplays_mtlgpufamilysupport": "spdisplays_metal3"}]}"""
NVME = """{"SPNVMeDataType": [{"_name": "Apple SSD Controller", "_items": [{"_name": "APPLE SSD AP0512Z",
"bsd_name": "disk0", "device_model": "APPLE SSD AP0512Z", "size_in_bytes": 500277792768}]}]}"""
IOREG = "  | +-o H11ANEIn  <class H11ANEIn, id 0x100000123, registered, matched, active>\n"


def test_processor() -> None:
    keys = apple.sysctl(SYSCTL)
    assert apple.cpu_model(keys) == "Apple M2 Pro"
    found = apple.topology(keys)
    assert (found.sockets, found.cores, found.threads) == (1, 10, 10)
    assert isinstance(found.kinds, tuple)
    assert [(kind.name, kind.threads) for kind in found.kinds] == [("performance", 6), ("efficiency", 4)]
    assert all(isinstance(kind.cpus, NotAvailable) for kind in found.kinds), "which is which is not told"
    assert apple.memory(keys) == 16 * 2**30
    assert apple.caches(keys) == (
        Cache(1, "Instruction", 192 << 10, 6, 1),
        Cache(1, "Data", 128 << 10, 6, 1),
        Cache(2, "Unified", 16 << 20, 2, 3),
        Cache(2, "Unified", 4 << 20, 1, 4),
    )


def test_devices() -> None:
    assert apple.gpus(DISPLAYS) == ("Apple M2 Pro, 16 cores, Metal 3",)
    assert apple.disks(NVME) == (Disk("disk0", 500_277_792_768, False, "APPLE SSD AP0512Z"),)
    assert apple.neural_engine(IOREG) == "present (H11ANEIn)"


def test_what_no_tool_tells_is_not_available() -> None:
    assert isinstance(apple.cpu_model({}), NotAvailable)
    assert isinstance(apple.topology({}).kinds, NotAvailable)
    assert isinstance(apple.caches({}), NotAvailable)
    assert isinstance(apple.memory({}), NotAvailable)
    assert isinstance(apple.neural_engine("+-o Root\n"), NotAvailable)
    for broken in ("", "not json", "[]", "{}"):
        assert isinstance(apple.gpus(broken), NotAvailable) and isinstance(apple.disks(broken), NotAvailable)
