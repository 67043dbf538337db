"""The machine a mission ran on."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

import psutil

from engines.fleet.buses import find_server
from reports import records
from stress.history.stamp import stamp
from stress.unheard import unheard

PACKAGES = ("duckdb", "hiredis", "litestar", "msgspec", "numba", "numpy", "redis", "uvicorn", "uvloop")


def host_record() -> records.Host:
    """Cores are those this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return records.Host(
        **stamp(),
        cpu_model=_cpu_model(),
        cores=cores,
        memory_bytes=psutil.virtual_memory().total,
        platform=platform.platform(),
        python=platform.python_version(),
        packages={name: importlib.metadata.version(name) for name in PACKAGES},
        bus_version=_bus_version(),
        duckdb_version=importlib.metadata.version("duckdb"),
    )


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _bus_version() -> str:
    command = [str(find_server(os.environ)), "--version"]
    with unheard():
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
