"""The zygote: one process that has imported what all engines share, and forks each of them (Linux).

Run as `python -m engines.fleet.zygote FD PARENT`.  It stays single-threaded, opens no bus and no port, and talks to the
supervisor over a SOCK_SEQPACKET pair: one JSON object a packet, so the kernel keeps frames and descriptors together.

It forks twice: the one in between ends at once, so the engine becomes the supervisor's child (a subreaper) and outlives
the zygote.  The engine waits at its gate, one byte on its control pipe, until its dependencies are ready.

It is also who ends a fleet whose supervisor was killed.  A parent-death signal would kill the engines before they could
say that they are halted, and says nothing to one that is stopped; so they have none.  Instead, in order of time:
the end of file on its control pipe halts an engine at once and ends it within 1.2 s, by a thread that also works while
its event loop does not; after 1.5 s the zygote, whose link to the supervisor has ended as well, kills whatever is left
of the supervisor's: the stopped, those in a call that holds the interpreter, their children.  It knows them by the
mark in their first environment, so a zygote that succeeded another knows them too.  The buses bear no such mark: they
keep their streams for the next supervisor.  If zygote and supervisor are killed at the same instant, what cannot end
by itself is ended by the next `up` or `down`.  Where there is no zygote, spawned engines do have a parent-death signal.
"""

import array
import contextlib
import gc
import importlib
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import msgspec

from engines.fleet import child, process
from engines.wire.leash import GATE, ORPHANED, REAP_S

BASE = (
    "asyncio", "numpy", "numpy.random", "msgspec", "redis.asyncio", "hiredis", "uvloop", "httptools", "uvicorn",
    "litestar", "litestar.openapi", "prometheus_client", "duckdb", "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.auto", "uvicorn.lifespan.off", "engines.kit.serve", "engines.fleet.rehearsal",
)  # fmt: skip  # by name: the fleet knows of the kit only that engines share it
PACKET = 160 * 1024
_LOOK_S = 0.1


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Fork one engine.  The read end of its control pipe travels with the packet."""

    engine: str
    module: str
    env: dict[str, str]
    log: str
    files: int
    nice: int = 0
    preload: tuple[str, ...] = ()


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an order; with no engine: the zygote begins `phase`, number `done` of `of`, or it is ready."""

    engine: str = ""
    pid: int = 0
    error: str = ""
    phase: str = ""
    done: int = 0
    of: int = 0
    threads: int = 0  # of the zygote, just before the fork


class Zygote:
    """Takes orders until its supervisor is gone."""

    def __init__(self, link: socket.socket, supervisor: int) -> None:
        self.link = link
        self.supervisor = supervisor
        self.waiting: list[tuple[Order, int]] = []
        self.loaded: set[str] = set()

    def serve(self) -> tuple[Order, int] | None:
        """None at the end; in each forked engine: its order and its control pipe."""
        self._answer(Answer(threads=_threads()))
        while True:
            self._receive(block=not self.waiting)
            if not self.waiting:
                return None
            order, control = self._next()
            pid = self._fork(order)
            if pid is None:
                return order, control
            os.close(control)

    def _receive(self, *, block: bool) -> None:
        """Queue every order that has arrived; with `block`, wait for one.  An empty packet is the end."""
        while True:
            self.link.setblocking(block)
            try:
                data, ancillary, _, _ = self.link.recvmsg(PACKET, socket.CMSG_SPACE(4))
            except BlockingIOError:
                return
            if not data:
                return
            fds = array.array("i")
            for _, _, payload in ancillary:
                fds.frombytes(payload)
            self.waiting.append((msgspec.json.decode(data, type=Order), fds[0]))
            block = False

    def _next(self) -> tuple[Order, int]:
        """First an engine that needs nothing more; else the first one, after its preloads."""
        for index, (order, _) in enumerate(self.waiting):
            if self.loaded.issuperset(order.preload):
                return self.waiting.pop(index)
        order, control = self.waiting.pop(0)
        self.load([name for name in order.preload if name not in self.loaded])
        return order, control

    def load(self, modules: Sequence[str]) -> None:
        """Preload modules, telling the supervisor of each."""
        for number, name in enumerate(modules):
            self._answer(Answer(phase=name, done=number, of=len(modules)))
            preload(name)
        self.loaded.update(modules)
        gc.collect()
        gc.freeze()

    def _fork(self, order: Order) -> int | None:
        """The engine's pid; None in the engine itself."""
        threads = _threads()
        read, write = os.pipe()
        between = os.fork()
        if between == 0:
            engine = os.fork()
            if engine:
                os.write(write, str(engine).encode())
                os._exit(0)
            self.link.detach()
            return None
        os.close(write)
        os.waitpid(between, 0)
        text = os.read(read, 32)
        os.close(read)
        pid = int(text) if text else 0
        self._answer(Answer(engine=order.engine, pid=pid, error="" if pid else "fork failed", threads=threads))
        return pid

    def _answer(self, answer: Answer) -> None:
        self.link.setblocking(True)
        self.link.send(msgspec.json.encode(answer))


def preload(name: str) -> None:
    """Import a module and run its `warm()`, if it has one (serial kernels only).

    One that cannot be imported is the engine's own failure, shown when it imports it itself.
    MLX is never imported before a fork: its Metal and thread state does not survive one.
    """
    if name.split(".", maxsplit=1)[0] == "mlx":
        return
    try:
        module = importlib.import_module(name)
        warm = getattr(module, "warm", None)
        if callable(warm):
            warm()
    except Exception as error:  # an engine's module may raise anything; it must not stop the others
        sys.stderr.write(f"preload {name}: {type(error).__name__}: {error}\n")


def become(order: Order, control: int, supervisor: int) -> int:
    """In the forked process: settle, wait at the gate, run the engine's `main`; returns its exit code."""
    os.environ.clear()
    os.environ.update(order.env)
    child.settle(Path(order.log), keep=[control], files=order.files, nice=order.nice)
    child.set_name(order.engine)
    if int(order.env["NAUTILUS_CONTROL_FD"]) != control:
        os.dup2(control, int(order.env["NAUTILUS_CONTROL_FD"]))
        os.close(control)
        control = int(order.env["NAUTILUS_CONTROL_FD"])
    until = time.monotonic() + 2.0
    while os.getppid() != supervisor and time.monotonic() < until:
        time.sleep(0.0005)
    child.be_child_of(supervisor)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()  # `random` reseeds itself after a fork, numpy does not
    sys.argv = [order.module]
    module = importlib.import_module(order.module)
    if os.read(control, 1) != GATE:
        return ORPHANED  # the supervisor ended while the engine waited at its gate
    code = module.main()
    return code if isinstance(code, int) else 0


def main() -> int:
    """Entry point of the zygote's process and, after a fork, of an engine's."""
    fd, supervisor = int(sys.argv[1]), int(sys.argv[2])
    child.set_name("zygote")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    link = socket.socket(fileno=fd)
    zygote = Zygote(link, supervisor)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        zygote.load(BASE)
        mine = zygote.serve()
        if mine is not None:
            run(*mine, supervisor)
    end_orphans(supervisor)
    return 0


def end_orphans(supervisor: int) -> None:
    """The supervisor is gone: kill what it left once that has had its time to end by itself."""
    marks = {process.MEMBER: os.environ.get(process.MEMBER, ""), process.OWNER: str(supervisor)}
    until = time.monotonic() + REAP_S
    while left := [identity for identity in process.marked(marks) if identity.pid != os.getpid()]:
        if time.monotonic() >= until:
            for identity in left:
                process.send_group(identity, signal.SIGKILL)
            process.wait_gone(left, 0.2)  # one of another's group may have just ended with it
        time.sleep(_LOOK_S)


def run(order: Order, control: int, supervisor: int) -> NoReturn:
    """Be the engine, then end without the interpreter's finalisation: it would tear down what the zygote imported."""
    code = 1
    try:
        code = become(order, control, supervisor)
    except SystemExit as asked:
        code = asked.code if isinstance(asked.code, int) else int(asked.code is not None)
    except BaseException:  # as the interpreter does: any uncaught exception is printed and ends with 1
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208 - a count, nothing is opened


if __name__ == "__main__":
    sys.exit(main())
