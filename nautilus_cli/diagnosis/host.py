"""The machine: Python, platform, cores, memory, file limit."""

import os
import platform
import resource
import sys

from nautilus_cli.diagnosis.finding import Finding, Status

PYTHON = (3, 11)
FILES = 10_240  # what each bus asks for; a mission's generator holds 5,000 connections besides
MEMORY_ENOUGH, MEMORY_LEAST = 2e9, 1e9  # bytes; thirteen engines, two buses and a supervisor take about 1.2e9


def python() -> Finding:
    """The interpreter."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    detail = f"{platform.python_implementation()} {version} at {sys.executable}"
    if sys.version_info[:2] < PYTHON:
        return Finding("python", "fail", detail, "install Python 3.11 or newer, then: make clean mission")
    return Finding("python", "ok", detail)


def system() -> Finding:
    """The operating system."""
    detail = f"{platform.system()} {platform.release()} on {platform.machine()}"
    if sys.platform not in ("linux", "darwin"):
        return Finding("platform", "fail", detail, "use Linux or macOS (on Windows: WSL 2)")
    launch = "engines fork from a zygote" if sys.platform == "linux" else "engines are spawned"
    return Finding("platform", "ok", f"{detail}; {launch}")


def cores() -> Finding:
    """Cores that this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if usable < 2:
        return Finding("cores", "warn", "1 core: engines and load generator share it", "run on two cores or more")
    return Finding("cores", "ok", f"{usable} usable")


def memory() -> Finding:
    """Memory that is available now."""
    import psutil

    found = psutil.virtual_memory()
    return judge_memory(found.available, found.total)


def judge_memory(available: int, total: int) -> Finding:
    """Bytes available, of all."""
    detail = f"{available / 1e9:.1f} GB available of {total / 1e9:.1f} GB"
    if available >= MEMORY_ENOUGH:
        return Finding("memory", "ok", detail)
    status: Status = "warn" if available >= MEMORY_LEAST else "fail"
    return Finding(
        "memory", status, f"{detail}; a full fleet takes about 1.2 GB", "end what takes it: ps aux --sort -rss"
    )


def files() -> Finding:
    """The limit on open files; soft limits are raised to the hard one at start."""
    return judge_files(*resource.getrlimit(resource.RLIMIT_NOFILE))


def judge_files(soft: int, hard: int) -> Finding:
    """The soft and hard limit; -1 is unlimited."""
    detail = f"soft {soft:,}, hard {hard:,}" if hard != resource.RLIM_INFINITY else f"soft {soft:,}, hard unlimited"
    if hard == resource.RLIM_INFINITY or hard >= FILES:
        return Finding("open files", "ok", detail)
    fix = "as root: ulimit -Hn 65536, or a nofile line in /etc/security/limits.conf"
    return Finding("open files", "warn", f"{detail}; 5,000 connections and a bus want {FILES:,}", fix)
