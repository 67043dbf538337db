"""What tells one machine from another, as far as measured speeds go."""

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def cpu_model(cpuinfo: str) -> str:
    """The processor's name in Linux's `/proc/cpuinfo`; empty where it has none (on Arm: implementer and part)."""
    fields: dict[str, list[str]] = {}
    for line in cpuinfo.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip(), []).append(value.strip())
    if fields.get("model name"):
        return fields["model name"][0]
    kinds = sorted(set(zip(fields.get("CPU implementer", []), fields.get("CPU part", []), strict=False)))
    return ", ".join(f"Arm implementer {implementer} part {part}" for implementer, part in kinds)


def facts() -> dict[str, str]:
    """System, architecture, processor, logical cores and memory in GiB of this machine; what is not told is ''."""
    pages = os.sysconf("SC_PHYS_PAGES") if "SC_PHYS_PAGES" in os.sysconf_names else 0
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "cpu": _cpu(),
        "logical_cores": str(os.cpu_count() or ""),
        "memory_gib": str(round(pages * os.sysconf("SC_PAGE_SIZE") / 2**30)) if pages > 0 else "",
    }


def fingerprint(of: Mapping[str, str]) -> str:
    """Sixteen hexadecimal digits that change when a fact does."""
    text = "\n".join(f"{key}={of[key]}" for key in sorted(of))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _cpu() -> str:
    if sys.platform == "darwin":
        asked = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(asked, capture_output=True, text=True, timeout=5, check=False).stdout.strip()
    return cpu_model(CPUINFO.read_text()) if CPUINFO.exists() else platform.processor()
