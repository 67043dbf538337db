"""Bus servers of the benchmark's own: the fleet's binary and settings in a folder that goes when they end."""

import contextlib
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from engines.fleet import buses, child
from engines.fleet.buses import Bus
from engines.wire.messages import BusName
from stress.busbench.errors import BenchError

START_S = 10.0
_LOOK_S = 0.01
_END_S = 5.0


@contextlib.contextmanager
def pair() -> Iterator[dict[BusName, Bus]]:
    """Both buses on Unix sockets, each with a password.  Raises BenchError, BusError."""
    with _folder() as folder, contextlib.ExitStack() as running:
        yield {name: running.enter_context(_server(name, folder, secrets.token_hex(24))) for name in buses.NAMES}


@contextlib.contextmanager
def open_server() -> Iterator[Bus]:
    """A server like the main bus that asks for no password, for tools that would take it in their arguments only."""
    with _folder() as folder, _server("main", folder, "") as bus:
        yield bus


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder with a short path, nobody else's to read."""
    folder = Path(tempfile.mkdtemp(prefix="nbench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _server(name: BusName, folder: Path, password: str) -> Iterator[Bus]:
    bus = Bus(name, f"unix://{f':{password}@' if password else ''}{folder / f'{name}.sock'}?db=0")
    data = folder / name
    data.mkdir(mode=0o700)
    read, write = os.pipe()
    try:
        argv = (str(buses.find_server(os.environ)), "-")
        pid = child.spawn(argv, {"PATH": os.defpath}, folder / f"{name}.log", stdin=read, files=10_240)
        os.write(write, buses.configuration(bus, data).encode())
    finally:
        os.close(read)
        os.close(write)
    try:
        _wait(bus, folder / f"{name}.log")
        yield bus
    finally:
        _end(pid)


def _wait(bus: Bus, log: Path) -> None:
    until = time.monotonic() + START_S
    while not buses.working(bus):
        if time.monotonic() > until:
            said = log.read_text("utf-8", "replace")[-500:] if log.exists() else ""
            raise BenchError(f"The benchmark's {bus.name} bus did not start in {START_S:.0f} s.", said)
        time.sleep(_LOOK_S)


def _end(pid: int) -> None:
    """SIGTERM, then SIGKILL; reaped either way."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + _END_S
    while os.waitpid(pid, os.WNOHANG)[0] == 0:
        if time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return
        time.sleep(_LOOK_S)
