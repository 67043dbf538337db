"""What a process does between its birth and its first line of work.

Spawned and forked engines settle alike: a session and process group of their own, output appended to their log, no
foreign file open but the control pipe, an end of their own when the supervisor ends.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from engines.fleet.process import LINUX
from engines.wire.leash import ORPHANED

_PDEATHSIG, _SET_NAME, _SUBREAPER = 1, 15, 36  # prctl(2)
_THREADS = (
    "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
)  # fmt: skip
_LIBC = ctypes.CDLL(None, use_errno=True) if LINUX else None  # loaded here: nothing is loaded between fork and exec


def single_threaded(env: Mapping[str, str]) -> dict[str, str]:
    """The environment with one thread for every maths library: thirteen processes share the cores."""
    return {**env, **dict.fromkeys(_THREADS, "1"), "PYTHONUNBUFFERED": "1"}


def become_subreaper() -> None:
    """Orphaned descendants become this process's children (Linux)."""
    _prctl(_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """SIGKILL when the parent ends (Linux).  Ends at once when it already has."""
    _prctl(_PDEATHSIG, signal.SIGKILL)
    be_child_of(parent)


def be_child_of(parent: int) -> None:
    """End at once unless this is the parent: it was gone before the child could settle."""
    if os.getppid() != parent:
        os._exit(ORPHANED)


def set_name(name: str) -> None:
    """What `ps -o comm` and `top` show: the first 15 bytes."""
    if _LIBC is not None:
        _LIBC.prctl(_SET_NAME, name.encode()[:15], 0, 0, 0)


def settle(log: Path, *, keep: Sequence[int], files: int, nice: int = 0) -> None:
    """Own session, output to the log, every file but `keep` closed, `files` open files allowed, nicer by `nice`."""
    with contextlib.suppress(PermissionError):  # a session leader already
        os.setsid()
    os.nice(nice)
    be_as_nice_as_asked()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDONLY)
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(null, 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    low = 3
    for fd in sorted(fd for fd in keep if fd > 2):
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, _open_files_limit())
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(files, hard) if hard >= 0 else files, hard))


def be_as_nice_as_asked() -> None:
    """Carry the inherited nice value over to the new session's group of tasks.

    Linux shares the processor between sessions first (autogroups, see sched(7)), and a new session starts at nice 0:
    without this a nice engine would take as much as one that is not.
    """
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    if LINUX and nice > 0:
        with contextlib.suppress(OSError):  # a kernel without autogroups
            Path("/proc/self/autogroup").write_text(str(nice), "ascii")


def spawn(  # noqa: PLR0913 - each says one thing of the process
    argv: Sequence[str], env: Mapping[str, str], log: Path, *, keep: Sequence[int] = (), files: int = 4096,
    nice: int = 0, stdin: int | None = None, mortal: bool = True,
) -> int:  # fmt: skip
    """Fork and exec, for a single-threaded caller; returns the pid.  `mortal`: it dies with its parent.

    `subprocess` would reap the child itself and knows no parent-death signal.
    """
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        source = stdin if stdin is not None else -1
        settle(log, keep=[*keep, source], files=files, nice=nice)
        if source >= 0:
            os.dup2(source, 0)
            os.close(source)
        if mortal:
            die_with_parent(parent)
        for fd in keep:
            os.set_inheritable(fd, True)
        os.execve(argv[0], list(argv), dict(env))  # noqa: S606 - no shell is meant
    except BaseException as error:  # a forked child must never return into its parent's code
        os.write(2, f"cannot start {argv[0]}: {error}\n".encode())
        os._exit(127)


def raise_file_limit() -> None:
    """Soft limit of open files up to the hard one, or to what the system then accepts."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else 65_536
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _prctl(option: int, value: int) -> None:
    if _LIBC is not None and _LIBC.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed on {sys.platform}")


def _open_files_limit() -> int:
    """One past the highest descriptor that may be open."""
    try:
        return max(int(entry) for entry in os.listdir("/dev/fd")) + 1  # noqa: PTH208 - names only, before exec
    except OSError:
        return 4096
