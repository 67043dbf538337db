"""The clocks: whether wall and monotonic time agree, and whether the wall clock is kept."""

import ctypes
import sys
import time

from nautilus_cli.diagnosis.finding import Finding

DRIFT_S = 0.005  # wall against monotonic clock over the sample below
SAMPLE_S = 0.05
_BUILT_YEAR = 2025
_UNSYNC = 0x40  # STA_UNSYNC of adjtimex(2): nobody keeps the clock


class _Timex(ctypes.Structure):
    """The head of struct timex; the rest is only made room for."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        *((name, ctypes.c_long) for name in ("offset", "freq", "maxerror", "esterror")),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


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


def synchronisation() -> Finding:
    """Whether somebody keeps the wall clock right, as far as the kernel says."""
    return judge_synchronisation(_kept())


def judge_synchronisation(kept: bool | None) -> Finding:
    """None: the system does not say."""
    name = "clock sync"
    if kept is None:
        return Finding(name, "ok", "this system does not say")
    if kept:
        return Finding(name, "ok", "the kernel says that its clock is kept (NTP, PTP or the host)")
    detail = "nobody keeps the wall clock (no NTP); latencies are measured by another"
    return Finding(name, "warn", detail, "timedatectl set-ntp true  (of a container or virtual machine: on its host)")


def _kept() -> bool | None:
    """What adjtimex(2) says, asked without changing anything; None where it does not exist or may not be asked."""
    if sys.platform != "linux":
        return None
    asked = _Timex()
    try:
        answer = ctypes.CDLL(None).adjtimex(ctypes.byref(asked))
    except (OSError, AttributeError):
        return None
    return None if answer < 0 else not asked.status & _UNSYNC
