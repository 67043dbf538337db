"""What /proc says of a process (Linux): how it uses the machine, and how long it has waited for a core.

Sampled while it lives, so that a crash bundle can say how it was before its end.
"""

import contextlib
import os
import time
from pathlib import Path

import msgspec

_FIELDS = {
    "State": "state",
    "VmRSS": "rss_kb",
    "VmHWM": "rss_most_kb",
    "VmSwap": "swap_kb",
    "Threads": "threads",
    "voluntary_ctxt_switches": "voluntary_switches",
    "nonvoluntary_ctxt_switches": "involuntary_switches",
}


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """One process at one moment.  None: the system does not tell."""

    at: float  # Unix seconds
    cpu_s: float | None = None
    state: str = ""
    rss_kb: int | None = None
    rss_most_kb: int | None = None
    swap_kb: int | None = None
    threads: int | None = None
    files: int | None = None
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None


def facts(pid: int, cpu_s: float | None = None) -> Facts | None:
    """Facts of a process; None when it is gone, or where there is no /proc."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines()
        files = len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - a count, nothing is opened
    except OSError:
        return None
    found: dict[str, object] = {}
    for line in lines:
        key, _, value = line.partition(":")
        if key in _FIELDS:
            text = value.strip()
            found[_FIELDS[key]] = text if key == "State" else int(text.split()[0])
    return msgspec.convert({"at": time.time(), "cpu_s": cpu_s, "files": files, **found}, Facts)


def proportional_kb(pid: int) -> int | None:
    """Memory of a process in KB, each shared page counted by its share (PSS); None when the system does not tell.

    Forked engines share what the zygote imported, so their resident sets overlap.  Reading this walks all pages (about
    a millisecond for each 100 MB), so it is asked only of a process whose resident set exceeds its limit.
    """
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return None


def run_delays(pid: int) -> dict[int, int]:
    """Per thread: nanoseconds that it has been ready to run and had no core; empty where the kernel does not tell."""
    waited = {}
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            waited[int(task.parent.name)] = int(task.read_text("ascii").split()[1])
    return waited


class Starvation:
    """How much of a silence is the host's fault: the time for which a thread of the process waited for a core."""

    def __init__(self, pid: int, beat_ns: int) -> None:
        self.beat_ns = beat_ns
        self._pid = pid
        self._before = run_delays(pid)

    def seconds(self) -> float:
        """The longest wait of one thread since this began; whoever holds the interpreter's lock may be the one."""
        now = run_delays(self._pid)
        return max((waited - self._before.get(thread, waited) for thread, waited in now.items()), default=0) / 1e9
