"""The machine: Python, platform, cores, memory, file limit, clock, graphics processor."""

import os
import platform
import resource
import shutil
import subprocess
import sys
import time

from nautilus_cli.diagnosis.finding import Finding, Status

PYTHON = (3, 11)
FILES = 10_240  # what each bus asks for; a mission's generator holds 5,000 connections besides
MEMORY_ENOUGH, MEMORY_LEAST = 2e9, 1e9  # bytes; thirteen engines, two buses and a supervisor take about 1.2e9
DRIFT_S = 0.005  # wall against monotonic clock over the sample below
SAMPLE_S = 0.05
_BUILT_YEAR = 2025


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


def clock() -> Finding:
    """Whether wall and monotonic clock agree over a short while, and how fine the latter is."""
    wall, mono = time.time(), time.monotonic()
    time.sleep(SAMPLE_S)
    drift = (time.time() - wall) - (time.monotonic() - mono)
    return judge_clock(time.gmtime().tm_year, drift, time.get_clock_info("monotonic").resolution)


def judge_clock(year: int, drift_s: float, resolution_s: float) -> Finding:
    """The wall clock's year, its drift against the monotonic one over the sample, and that one's resolution."""
    detail = f"{year}, drift {drift_s * 1e3:+.3f} ms in {SAMPLE_S * 1e3:.0f} ms, resolution {resolution_s * 1e9:.0f} ns"
    if year < _BUILT_YEAR:
        return Finding("clock", "fail", f"{detail}: the wall clock is wrong", "timedatectl set-ntp true")
    if abs(drift_s) > DRIFT_S:
        return Finding("clock", "warn", f"{detail}: the wall clock is being stepped", "timedatectl timesync-status")
    if resolution_s > 1e-6:
        return Finding("clock", "warn", f"{detail}: too coarse for latencies", "choose another clock source")
    return Finding("clock", "ok", detail)


def graphics() -> Finding:
    """A graphics processor, if there is one; its absence is a fact and no fault."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return Finding("gpu", "ok", "Apple GPU (Metal)")
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Finding("gpu", "ok", "none (no nvidia-smi, no Metal); acceleration is reported as not available")
    query = [tool, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        asked = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False)
    except subprocess.TimeoutExpired:
        return Finding("gpu", "warn", "nvidia-smi does not answer within 10 s", "nvidia-smi")
    if asked.returncode != 0:
        said = (asked.stderr or asked.stdout).strip().splitlines()
        return Finding("gpu", "warn", f"nvidia-smi fails: {said[0] if said else asked.returncode}", "nvidia-smi")
    return Finding("gpu", "ok", "; ".join(asked.stdout.strip().splitlines()))
