"""The supervisor's process: `python -m engines.fleet.daemon`, with the fleet's specification as a line of JSON on
standard input.  One line on standard output says that it supervises now, or why it cannot.

It imports little before it has started the zygote: that one's imports are the longest part of a boot.
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from types import FrameType
from typing import TYPE_CHECKING

import msgspec

from engines.fleet import child, folders
from engines.fleet.control import Answer, failure
from engines.fleet.folders import Folders
from engines.fleet.launch import Launcher, SpawnLauncher, ZygoteLauncher
from engines.fleet.process import LINUX, MEMBER, OWNER
from engines.fleet.spec import FleetSpec, decode
from engines.wire.errors import NautilusError

if TYPE_CHECKING:
    from engines.fleet.supervisor import Supervisor  # imported at run time after the zygote was started


def main() -> int:
    """Prepare, answer, supervise."""
    born = time.monotonic()
    spec = decode(sys.stdin.buffer.readline())
    try:
        where = folders.of(spec.name, spec.home)
        folders.make(where)
        if not spec.foreground and os.fork():
            os._exit(0)
        os.nice(spec.nice)
        child.become_subreaper()
        child.raise_file_limit()
        os.chdir(where.state)
        launcher = _launcher(spec, where, os.environ)

        from engines.fleet.ground import prepare
        from engines.fleet.supervisor import Supervisor

        supervisor = Supervisor(spec, prepare(spec, where, os.environ), launcher, born)
    except NautilusError as error:
        _say(Answer(ok=False, error=failure(error)))
        return 1
    _say(Answer(ok=True))
    _output_to(where)
    _hear_signals(supervisor)
    if spec.foreground:
        _end_with_client(supervisor)
    supervisor.run()
    return 0


def _launcher(spec: FleetSpec, where: Folders, env: Mapping[str, str]) -> Launcher:
    """The zygote on Linux unless told otherwise: fork is unsafe with Metal and its like."""
    asked = env.get("NAUTILUS_LAUNCH", spec.launch) if spec.launch == "auto" else spec.launch
    if asked == "spawn" or not LINUX:
        return SpawnLauncher()
    marked = child.single_threaded({**env, MEMBER: str(where.state), OWNER: str(os.getpid())})
    return ZygoteLauncher(marked, where.log("zygote"))


def _say(answer: Answer) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


def _output_to(where: Folders) -> None:
    out = os.open(where.log("supervisor"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.close(out)


def _hear_signals(supervisor: "Supervisor") -> None:
    """SIGTERM and SIGINT stop the fleet, a second one skips the grace; SIGCHLD wakes the loop."""
    import selectors

    wake, woken = socket.socketpair()
    wake.setblocking(False)
    woken.setblocking(False)
    told = 0

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal told
        told += 1
        supervisor.stop(now=told > 1)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(wake.detach(), warn_on_full_buffer=False)  # open as long as the process
    supervisor.selector.register(woken, selectors.EVENT_READ, lambda _mask: woken.recv(4096))


def _end_with_client(supervisor: "Supervisor") -> None:
    """In the foreground: end of file on standard input means that the launching process is gone."""
    import selectors

    def ended(_mask: int) -> None:
        if not os.read(0, 4096):
            supervisor.selector.unregister(0)
            supervisor.stop()

    supervisor.selector.register(0, selectors.EVENT_READ, ended)


if __name__ == "__main__":
    sys.exit(main())
