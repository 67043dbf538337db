"""How an engine's process comes to be: forked by the zygote (Linux), or started as `python -m` (anywhere)."""

import array
import contextlib
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from engines.fleet import child, zygote
from engines.fleet.zygote import Answer, Order

CONTROL_FD = 3  # where every engine finds its control pipe


class Job(NamedTuple):
    """One engine to start."""

    engine: str
    module: str  # the package, `engines.<name>`
    env: Mapping[str, str]  # complete
    log: Path
    files: int
    nice: int
    preload: tuple[str, ...]
    control: int  # read end of its control pipe; the launcher closes it


class Launcher(Protocol):
    """Starts engines.  `gated`: the process waits at its gate, so it may be started before its dependencies are."""

    gated: bool

    def launch(self, job: Job) -> int:
        """Start it; its pid, or 0 when `answers` will say later."""

    def fileno(self) -> int:
        """What becomes readable when `answers` has something; -1 when nothing ever does."""

    def answers(self) -> list[Answer]:
        """What has become of launches, without blocking."""

    def close(self) -> None:
        """Let go."""


class SpawnLauncher:
    """`python -m engines.<name>` for each engine."""

    gated = False

    def launch(self, job: Job) -> int:
        """Fork and exec."""
        env = {**job.env, "NAUTILUS_CONTROL_FD": str(job.control)}
        try:
            return child.spawn((sys.executable, "-m", job.module), env, job.log, keep=[job.control], files=job.files,
                               nice=job.nice)  # fmt: skip
        finally:
            os.close(job.control)

    def fileno(self) -> int:
        """Nothing comes later."""
        return -1

    def answers(self) -> list[Answer]:
        """Nothing comes later."""
        return []

    def close(self) -> None:
        """Nothing is held."""


class ZygoteLauncher:
    """Orders to a zygote, which is started at once so that it imports while the supervisor prepares."""

    gated = True

    def __init__(self, env: Mapping[str, str], log: Path) -> None:
        self._env = dict(env)
        self._log = log
        self._pending: dict[str, Job] = {}
        self.ready = False
        self._start()

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * zygote.PACKET)
        argv = (sys.executable, "-m", "engines.fleet.zygote", str(theirs.fileno()), str(os.getpid()))
        self.pid = child.spawn(argv, self._env, self._log, keep=[theirs.fileno()], mortal=False)  # it reaps
        theirs.close()
        self._link = ours
        self.ready = False

    def revive(self) -> None:
        """A new zygote for one that died; what it left undone is ordered again."""
        self._link.close()
        self._start()
        for job in self._pending.values():
            self._order(job)

    def abandon(self) -> list[str]:
        """Give up every order that was not answered; returns their engines."""
        left = list(self._pending)
        for job in self._pending.values():
            os.close(job.control)
        self._pending.clear()
        self._link.close()
        return left

    def launch(self, job: Job) -> int:
        """Order it; the pid comes with the answer."""
        self._pending[job.engine] = job
        self._order(job)
        return 0

    def _order(self, job: Job) -> None:
        env = {**job.env, "NAUTILUS_CONTROL_FD": str(CONTROL_FD), "NAUTILUS_ZYGOTE": "1"}
        order = Order(engine=job.engine, module=f"{job.module}.__main__", env=env, log=str(job.log), files=job.files,
                      nice=job.nice, preload=job.preload)  # fmt: skip
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [job.control]))]
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it died: `revive` orders again
            self._link.sendmsg([msgspec.json.encode(order)], rights)

    def fileno(self) -> int:
        """The pair's own end."""
        return self._link.fileno()

    def answers(self) -> list[Answer]:
        """Answers that have come; the control pipe of each answered order is closed here."""
        found: list[Answer] = []
        while True:
            try:
                data = self._link.recv(zygote.PACKET, socket.MSG_DONTWAIT)
            except (BlockingIOError, ConnectionResetError):
                return found
            if not data:
                return found
            answer = msgspec.json.decode(data, type=Answer)
            if not answer.engine:
                self.ready = self.ready or not answer.phase
                found.append(answer)
                continue
            job = self._pending.pop(answer.engine, None)
            if job is not None:
                os.close(job.control)
            found.append(answer)

    def close(self) -> None:
        """End of file ends the zygote."""
        self._link.close()
