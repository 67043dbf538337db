"""What a process is to its supervisor: pid plus kernel start time, how it ended, and what it uses.

A pid alone may name another process a second later.  On Linux a signal goes through a pidfd whose identity was
checked after it was opened; elsewhere the identity is checked just before the call.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

LINUX = sys.platform == "linux"
MEMBER = "NAUTILUS_MEMBER"  # in the first environment of every process of a fleet: the fleet's state folder
OWNER = "NAUTILUS_OWNER"  # in that of every process that must not outlive its supervisor: the supervisor's pid
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Identity(msgspec.Struct, frozen=True):
    """One process and no other.  `start`: clock ticks since boot on Linux, else microseconds since the epoch."""

    pid: int
    start: int


class Exit(msgspec.Struct, frozen=True):
    """How a process ended: with an exit code, or by a signal."""

    code: int | None
    signal: int | None = None

    @property
    def text(self) -> str:
        """The cause in words."""
        if self.signal is None:
            return f"exit code {self.code}" if self.code is not None else "ended unobserved"
        try:
            return f"killed by {signal.Signals(self.signal).name}"
        except ValueError:
            return f"killed by signal {self.signal}"


class Usage(msgspec.Struct, frozen=True):
    """CPU seconds since the start, and resident memory in bytes."""

    cpu_s: float
    rss: int


def identify(pid: int) -> Identity | None:
    """The identity of a running process; None when there is none, or only its corpse."""
    if pid <= 0:
        return None
    if not LINUX:
        return _identify_elsewhere(pid)
    fields = _stat(pid)
    return None if fields is None or fields[0] in ("Z", "X") else Identity(pid, int(fields[19]))


def alive(identity: Identity) -> bool:
    """Whether this very process still runs."""
    return identify(identity.pid) == identity


def send(identity: Identity, number: int) -> bool:
    """Signal this very process.  False when it is gone."""
    with contextlib.suppress(ProcessLookupError):
        if not LINUX:
            if alive(identity):
                os.kill(identity.pid, number)
                return True
            return False
        handle = os.pidfd_open(identity.pid)
        try:
            if alive(identity):
                signal.pidfd_send_signal(handle, number)
                return True
        finally:
            os.close(handle)
    return False


def send_group(identity: Identity, number: int) -> bool:
    """Signal the process group that this process leads, or the process alone when it leads none."""
    if not alive(identity):
        return False
    with contextlib.suppress(ProcessLookupError):
        if os.getpgid(identity.pid) == identity.pid:
            os.killpg(identity.pid, number)
            return True
    return send(identity, number)


def end(identities: Iterable[Identity], grace_s: float) -> list[Identity]:
    """SIGTERM to each group, SIGKILL after the grace.  Returns those that even so did not end within a second."""
    left = [identity for identity in identities if send_group(identity, signal.SIGTERM)]
    left = wait_gone(left, grace_s)
    for identity in left:
        send_group(identity, signal.SIGKILL)
    return wait_gone(left, 1.0)


def wait_gone(identities: Iterable[Identity], timeout_s: float) -> list[Identity]:
    """Wait until all are gone or the time is up; returns those that remain."""
    until = time.monotonic() + timeout_s
    left = [identity for identity in identities if alive(identity)]
    while left and time.monotonic() < until:
        time.sleep(0.005)
        left = [identity for identity in left if alive(identity)]
    return left


def reap() -> Iterator[tuple[int, Exit]]:
    """Every child that has ended.  What it left in its process group is killed before its number is free again."""
    while True:
        ended = -1
        try:
            if LINUX:
                seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if seen is None:
                    return
                ended = seen.si_pid
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(ended, signal.SIGKILL)
            pid, status = os.waitpid(ended, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        yield pid, Exit(None if number is not None else os.WEXITSTATUS(status), number)


def usage(pid: int) -> Usage | None:
    """CPU and memory of a process; None when it is gone."""
    if not LINUX:
        return _usage_elsewhere(pid)
    fields = _stat(pid)
    if fields is None:
        return None
    return Usage((int(fields[11]) + int(fields[12])) / _TICKS, int(fields[21]) * _PAGE)


def parent(pid: int) -> int | None:
    """The pid of a process's parent; None when it is gone."""
    if LINUX:
        fields = _stat(pid)
        return None if fields is None else int(fields[1])
    import psutil

    try:
        return psutil.Process(pid).ppid()
    except psutil.NoSuchProcess:
        return None


def members(state: Path) -> list[Identity]:
    """Every process whose first environment names this fleet's state folder (Linux; elsewhere none is found)."""
    return marked({MEMBER: str(state)})


def marked(marks: Mapping[str, str]) -> list[Identity]:
    """Every process whose first environment has all of these (Linux; elsewhere none is found)."""
    wanted = {f"{name}={value}".encode() for name, value in marks.items()}
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted <= set((folder / "environ").read_bytes().split(b"\0")):
                identity = identify(int(folder.name))
                if identity is not None:
                    found.append(identity)
    return found


def stopped(pid: int) -> bool:
    """Whether a signal or a tracer has stopped it (Linux; elsewhere this is not seen)."""
    fields = _stat(pid) if LINUX else None
    return fields is not None and fields[0] in ("T", "t")


def boot_id() -> str:
    """What tells this boot of the machine from the last; start times are comparable within one boot only."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text("ascii").strip() if path.exists() else ""


def _stat(pid: int) -> list[str] | None:
    """Fields 3 and on of /proc/<pid>/stat (proc(5)); the name before them may hold spaces and brackets."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - ten times a second for each engine
            return file.read().rpartition(b")")[2].decode("ascii").split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _identify_elsewhere(pid: int) -> Identity | None:
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return Identity(pid, int(process.create_time() * 1e6))
    except psutil.NoSuchProcess:
        return None


def _usage_elsewhere(pid: int) -> Usage | None:
    import psutil

    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        return Usage(times.user + times.system, process.memory_info().rss)
    except psutil.NoSuchProcess:
        return None
