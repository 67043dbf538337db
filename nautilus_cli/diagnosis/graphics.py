"""The graphics processor, if there is one; its absence is a fact and no fault."""

import platform
import shutil
import subprocess
import sys
from pathlib import Path

from nautilus_cli.diagnosis.finding import Finding

DEVICES = Path("/dev")


def graphics(devices: Path = DEVICES) -> Finding:
    """What Metal or the NVIDIA driver offers."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return Finding("gpu", "ok", "Apple GPU (Metal)")
    nodes = sorted(path.name for path in devices.glob("nvidia[0-9]*"))
    tool = shutil.which("nvidia-smi")
    if tool is None and nodes:
        detail = f"{', '.join(nodes)} is there, nvidia-smi is not: it cannot be asked"
        return Finding("gpu", "warn", detail, "install the driver's tools (nvidia-utils)")
    if tool is None:
        return Finding("gpu", "ok", "none (no nvidia-smi, no Metal): reported as not available")
    query = [tool, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        asked = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False)
    except subprocess.TimeoutExpired:
        return Finding("gpu", "warn", "nvidia-smi does not answer within 10 s", "nvidia-smi")
    if asked.returncode != 0:
        said = (asked.stderr or asked.stdout).strip().splitlines()
        return Finding("gpu", "warn", f"nvidia-smi fails: {said[0] if said else asked.returncode}", "nvidia-smi")
    return Finding("gpu", "ok", "; ".join(asked.stdout.strip().splitlines()))
