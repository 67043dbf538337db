"""A fleet that stays in the foreground: fit for a terminal, for systemd (Type=notify) and for PID 1 of a container."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from types import FrameType

from engines.fleet import control, logs
from engines.fleet.control import Request
from engines.fleet.folders import Folders
from engines.fleet.status import Event
from engines.wire.errors import NautilusError, NotRunning

ENDS = (signal.SIGTERM, signal.SIGHUP)
Daemon = subprocess.Popen[bytes]


class Told(KeyboardInterrupt):
    """A signal that ends the fleet as Ctrl-C does."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def follow(daemon: Daemon, where: Folders, on_event: Callable[[Event], None]) -> int:
    """Hear the events until the supervisor has ended.  A signal stops the fleet, a second one skips the grace.

    Returns:
        the number of the first signal; 0 when the fleet was stopped by other means.

    Raises:
        NautilusError: the supervisor did not end by itself.
    """
    since, told = 0, 0
    while daemon.poll() is None:
        try:
            for event in control.events(where.control, since):
                since = event.seq
                announce(event, os.environ)
                on_event(event)
            daemon.wait()
        except KeyboardInterrupt as interrupt:
            sd_notify("STOPPING=1", os.environ)
            with contextlib.suppress(NotRunning):
                control.call(where.control, Request(op="stop", now=told > 0), int)
            told = told or (interrupt.number if isinstance(interrupt, Told) else signal.SIGINT)
        except NotRunning:
            daemon.wait()
    if daemon.returncode != 0:
        how = f"by signal {-daemon.returncode}" if daemon.returncode < 0 else f"with exit code {daemon.returncode}"
        said = "; ".join(logs.tail(where.log("supervisor"), 3))
        raise NautilusError(f"The supervisor ended {how}.", said, "Clear up and start again: nautilus up")
    return told


@contextlib.contextmanager
def hearing() -> Iterator[None]:
    """Inside, SIGTERM and SIGHUP raise `Told`; as PID 1, orphans that end here are buried.  Main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def tell(number: int, _frame: FrameType | None) -> None:
        raise Told(number)

    before = {number: signal.signal(number, tell) for number in ENDS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def burying(daemon: Daemon) -> Iterator[None]:
    """Inside, as PID 1: every orphan that becomes our child is waited for, all but the supervisor itself."""
    if os.getpid() != 1:
        yield
        return

    def bury(_number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if seen is None or seen.si_pid == daemon.pid:
                    return
                os.waitpid(seen.si_pid, 0)

    before = signal.signal(signal.SIGCHLD, bury)
    bury(signal.SIGCHLD, None)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, before)


def announce(event: Event, env: Mapping[str, str]) -> None:
    """What a service manager wants to know of an event."""
    if event.kind == "settled":
        sd_notify(f"READY=1\nSTATUS={event.ready} of {event.total} engines ready", env)
    elif event.kind == "unit":
        sd_notify(f"STATUS={event.ready} of {event.total} engines ready; {event.name} is {event.state}", env)


def sd_notify(text: str, env: Mapping[str, str]) -> bool:
    """Tell the service manager at `$NOTIFY_SOCKET` (sd_notify(3)); whether there is one.  A full queue loses it."""
    path = env.get("NOTIFY_SOCKET", "")
    if not path:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
        link.setblocking(False)
        with contextlib.suppress(OSError):
            link.sendto(text.encode(), "\0" + path[1:] if path.startswith("@") else path)
    return True
