"""Being on time on a full machine: ask the scheduler for short slices.

The generator shares its cores with what it loads.  Linux 6.12 and later let any process choose its slice
(`sched_attr.sched_runtime` under SCHED_OTHER, 0.1 to 100 ms): a short one brings an earlier virtual deadline, so that a
waking generator runs before the servers' long slices.  It does not raise its share of the processor.  Older kernels
accept and ignore it; elsewhere nothing is asked.
"""

import ctypes
import platform
import signal
import sys

SLICE_NS = 100_000
_PR_SET_PDEATHSIG = 1
_SYSCALL = {"x86_64": 314, "aarch64": 274}  # sched_setattr


class _SchedAttr(ctypes.Structure):
    """struct sched_attr of <linux/sched/types.h>, first version (48 bytes)."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    )


def ask_for_short_slices() -> bool:
    """For this thread and those it starts; whether the system took it."""
    number = _SYSCALL.get(platform.machine())
    if sys.platform != "linux" or number is None:
        return False
    wanted = _SchedAttr(size=ctypes.sizeof(_SchedAttr), runtime=SLICE_NS)
    return int(ctypes.CDLL(None).syscall(number, 0, ctypes.byref(wanted), 0)) == 0


def stop_with_parent() -> None:
    """Be sent SIGTERM when the parent ends (Linux): in a session of its own, no terminal says so."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
