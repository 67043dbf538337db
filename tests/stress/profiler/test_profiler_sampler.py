"""One look against psutil's totals, of both ways to look; /proc's texts by hand."""

import os
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from stress.profiler import procfs, sampler
from stress.profiler.gpu import Use
from stress.profiler.procfs import CpuTime, ProcessTime, Traffic
from stress.profiler.sampler import LinuxMeter, Meter, PortableMeter, Reading, Want

ALL = Want(slow=True, pss=True)
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
METERS = [pytest.param(LinuxMeter, marks=linux), PortableMeter]

STAT = """cpu  100 20 30 400 50 6 7 8 90 10
cpu0 60 10 20 200 30 3 4 5 90 10
cpu1 40 10 10 200 20 3 3 3 0 0
intr 12345 0 0
ctxt 999
"""
PROCESS = (
    "4242 (a (b) c) S 1 4242 4242 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 7 0 12345 1000000 1500 18446744073709551615"
)
STATUS = "Name:\trisk\nThreads:\t7\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t21\n"
MEMINFO = "MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:    9000000 kB\n"
DISKS = """   7       0 loop0 10 0 80 1 0 0 0 0 0 5 1
 259       0 nvme0n1 500 20 4000 100 300 40 8000 200 0 150 300 0 0 0 0
 259       1 nvme0n1p1 400 20 3000 90 300 40 8000 200 0 150 300
"""
LINKS = """Inter-|   Receive      |  Transmit
 face |bytes    packets |bytes packets
    lo: 5000 10 0 0 0 0 0 0 6000 10 0 0 0 0 0 0
  eth0:77 1 0 0 0 0 0 0 88 1 0 0 0 0 0 0
"""


def test_texts_of_proc() -> None:
    assert procfs.cpu_times(STAT, 100) == {
        "cpu": CpuTime(1.71, 6.21),
        "cpu0": CpuTime(1.02, 3.32),
        "cpu1": CpuTime(0.69, 2.89),
    }
    assert procfs.process_time(PROCESS, 100, 4096) == ProcessTime(3.0, 7, 1500 * 4096)
    assert procfs.switches(STATUS) == (150, 21)
    assert procfs.switches("Name:\trisk\n") is None
    assert procfs.memory_used(MEMINFO) == 7_000_000 * 1024
    assert procfs.memory_used("MemTotal: 5 kB\n") is None
    assert procfs.memory_total(MEMINFO) == 16_000_000 * 1024
    assert procfs.disk_traffic(DISKS, {"nvme0n1"}) == {"nvme0n1": Traffic(4000 * 512, 8000 * 512)}
    assert procfs.link_traffic(LINKS) == {"lo": Traffic(5000, 6000), "eth0": Traffic(77, 88)}


def look(meter: Meter, pids: dict[str, int], want: Want = ALL) -> dict[tuple[str, str], Reading]:
    return {(row.scope, row.name): row for row in meter.look(time.monotonic(), pids, want)}


@pytest.mark.parametrize("kind", METERS)
def test_a_process_counts_as_psutil_counts(kind: Callable[[], Meter]) -> None:
    meter, me = kind(), psutil.Process()
    before, switches_before = me.cpu_times(), me.num_ctx_switches()
    row = look(meter, {"me": os.getpid()})["process", "me"]
    after, switches_after = me.cpu_times(), me.num_ctx_switches()
    files = me.num_fds()
    meter.close()
    tick = 0.011
    assert before.user + before.system - tick <= (row.cpu_s or 0) <= after.user + after.system + tick
    assert switches_before.voluntary <= (row.voluntary_switches or 0) <= switches_after.voluntary
    assert switches_before.involuntary <= (row.involuntary_switches or 0) <= switches_after.involuntary
    assert row.rss_bytes == pytest.approx(me.memory_info().rss, rel=0.05)
    assert row.threads == me.num_threads()
    assert row.fds == pytest.approx(files, abs=3)
    assert row.pid == os.getpid()


@pytest.mark.parametrize("kind", METERS)
def test_the_host_counts_as_psutil_counts(kind: Callable[[], Meter]) -> None:
    meter = kind()
    first = look(meter, {})
    before = loopback()
    rows = look(meter, {})
    after = loopback()
    meter.close()
    assert first["host", "host"].cpu_percent is None
    assert 0 <= (rows["host", "host"].cpu_percent or 0) <= 100
    memory = psutil.virtual_memory()
    assert rows["host", "host"].memory_used_bytes == pytest.approx(memory.total - memory.available, rel=0.25)
    assert sum(scope == "core" for scope, _ in rows) == psutil.cpu_count()
    assert before <= next(row.in_bytes or 0 for (scope, _), row in rows.items() if scope == "link") <= after


def loopback() -> int:
    """Bytes received, as psutil says."""
    links = psutil.net_io_counters(pernic=True, nowrap=False)
    return int(next(links[name].bytes_recv for name in ("lo", "lo0") if name in links))


@linux
def test_disks_count_as_psutil_counts() -> None:
    meter = LinuxMeter()
    before = psutil.disk_io_counters(perdisk=True, nowrap=False)
    rows = {name: row for (scope, name), row in look(meter, {}).items() if scope == "disk"}
    after = psutil.disk_io_counters(perdisk=True, nowrap=False)
    meter.close()
    assert not [name for name in rows if name.startswith(("loop", "ram", "zram", "dm-"))]
    for name, row in rows.items():
        assert before[name].read_bytes <= (row.in_bytes or 0) <= after[name].read_bytes
        assert before[name].write_bytes <= (row.out_bytes or 0) <= after[name].write_bytes


@linux
def test_busy_time_is_psutils() -> None:
    meter = LinuxMeter()

    def busy() -> float:
        times = psutil.cpu_times()
        return times.user + times.nice + times.system + times.irq + times.softirq + times.steal

    before = busy()
    row = look(meter, {})["host", "host"]
    assert before - 0.05 <= (row.cpu_s or 0) <= busy() + 0.05
    meter.close()


@pytest.mark.parametrize("kind", METERS)
def test_a_process_that_ends_leaves_no_row_and_no_open_file(kind: Callable[[], Meter]) -> None:
    meter, me = kind(), psutil.Process()
    meter_files = me.num_fds()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    files = me.num_fds()
    assert ("process", "child") in look(meter, {"child": child.pid})
    child.communicate(b"\n")
    assert ("process", "child") not in look(meter, {"child": child.pid})
    assert me.num_fds() == files - 1 == meter_files, "our end of its pipe closed, and what was held of it"
    meter.close()


@linux
def test_a_process_no_longer_wanted_is_let_go() -> None:
    meter, me = LinuxMeter(), psutil.Process()
    look(meter, {})
    files = me.num_fds()
    look(meter, {"me": os.getpid()})
    assert me.num_fds() == files + 2
    look(meter, {})
    assert me.num_fds() == files
    meter.close()


@linux
def test_shares_are_of_the_time_between() -> None:
    meter = LinuxMeter()
    pids = {"me": os.getpid()}
    began = psutil.Process().cpu_times()
    list(meter.look(10.0, pids, ALL))
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    (row,) = [row for row in meter.look(12.0, pids, ALL) if row.scope == "process"]
    spent = sum(psutil.Process().cpu_times()[:2]) - sum(began[:2])
    assert 100 * 0.03 / 2.0 <= (row.cpu_percent or 0) <= 100 * (spent + 0.02) / 2.0
    meter.close()


def test_gpus_are_rows_where_a_library_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cards:
        def use(self) -> list[Use]:
            return [Use("gpu0", 37.0, 2**30)]

    (row,) = sampler.gpu_rows(Cards())  # type: ignore[arg-type]
    assert (row.scope, row.name, row.gpu_percent, row.memory_used_bytes) == ("gpu", "gpu0", 37.0, 2**30)
