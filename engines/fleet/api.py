"""What the command line and the stress harness call.  Imports little: `status` and `health` are whole processes."""

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import msgspec

from engines.fleet import control, folders, process
from engines.fleet import logs as log_files
from engines.fleet.control import Answer, Request
from engines.fleet.errors import AlreadyRunning, TimedOut
from engines.fleet.folders import Folders
from engines.fleet.logs import LogLine
from engines.fleet.spec import FleetSpec, encode
from engines.fleet.status import BootEvent, EngineHealth, EngineStatus, Event, FleetStatus
from engines.wire.errors import NautilusError, NotRunning, UnknownName
from engines.wire.settings import DEFAULT_FLEET

__all__ = [
    "BootEvent", "FleetSpec", "FleetStatus", "announce", "down", "events", "foreground", "health", "logs", "restart",
    "status", "token", "up", "wait_settled",
]  # fmt: skip
UP_TIMEOUT_S = 90.0
DOWN_TIMEOUT_S = 30.0
_END_IT = "End it: nautilus down --now"
_SETTLED = ("ready", "degraded", "halted", "failed")
_SOURCE = Path(__file__).resolve().parents[2]
Listener = Callable[[BootEvent], None]


def up(fleet: FleetSpec, engines: Sequence[str] | None = None, on_event: Listener | None = None,
       timeout: float = UP_TIMEOUT_S, *, wait: bool = True) -> FleetStatus:  # fmt: skip
    """Start a fleet, or what is not running of it, and wait until every engine is ready or given up.

    Raises:
        UnknownName, ManifestErrors, PortInUse, BusError: it cannot start.
        TimedOut: it did not settle in time; it goes on.
        NautilusError: the supervisor ended.
    """
    spec = fleet if engines is None else msgspec.structs.replace(fleet, engines=tuple(engines))
    where = folders.of(spec.name, spec.home)
    until = time.monotonic() + timeout
    while not (already := _running(where)) and not _launch(spec):  # another one was faster: it answers soon, or failed
        if time.monotonic() > until:
            raise TimedOut(f"Fleet {spec.name!r} is locked by a supervisor that does not answer.", "", _END_IT)
        time.sleep(0.01)
    if already:
        _join(spec, where)
    if wait:
        wait_settled(spec.name, on_event, max(0.1, until - time.monotonic()), home=spec.home, new=not already)
    return msgspec.structs.replace(status(spec.name, home=spec.home), already=already)


def wait_settled(name: str = DEFAULT_FLEET, on_event: Listener | None = None, timeout: float = UP_TIMEOUT_S, *,
                 home: Path | None = None, new: bool = True) -> None:  # fmt: skip
    """Follow the fleet's events until nothing more will change on its own.  `new`: from its first event on.

    Raises:
        NotRunning: there is none.
        TimedOut: not in time.
        NautilusError: the start-up cannot succeed, or the supervisor ended.
    """
    where = folders.of(name, home)
    until = time.monotonic() + timeout
    if not new and _settled(status(name, home=home)):
        return
    try:
        for event in control.events(where.control, timeout_s=timeout):
            if on_event is not None:
                on_event(event)
            if event.kind == "fatal":
                lines = "; ".join(log_files.tail(where.log(event.name), 3))
                raise NautilusError(event.detail, lines, f"Read its log: {where.log(event.name)}")
            if event.kind == "settled" and (new or _settled(status(name, home=home))):
                return
            if time.monotonic() > until:
                break
        else:
            said = "; ".join(log_files.tail(where.log("supervisor"), 3))
            raise NautilusError(f"The supervisor of fleet {name!r} ended.", said, f"Read the logs in {where.logs}")
    except TimeoutError:
        pass  # silence for the whole time: the same as below
    raise TimedOut(f"Fleet {name!r} did not settle within {timeout:g} s.", "", "See what it waits for: nautilus status")


def status(name: str = DEFAULT_FLEET, *, home: Path | None = None) -> FleetStatus:
    """The fleet now.

    Raises:
        NotRunning: there is none.
    """
    return control.call(folders.of(name, home).control, Request(op="status"), FleetStatus)


def health(name: str = DEFAULT_FLEET, *, home: Path | None = None, timeout_s: float = 2.0) -> list[EngineHealth]:
    """Every wanted engine's own report, asked over HTTP at once.

    Raises:
        NotRunning: there is no fleet.
    """
    from engines.fleet.probe import probe

    now = status(name, home=home)
    return probe(now.wanted, now.host, timeout_s)


def down(name: str = DEFAULT_FLEET, now: bool = False, *, home: Path | None = None, on_event: Listener | None = None,
         timeout: float = DOWN_TIMEOUT_S) -> None:  # fmt: skip
    """Stop everything in reverse order; also ends what a killed supervisor left behind.

    Raises:
        NotRunning: there was nothing to stop.
        TimedOut: it did not end in time.
    """
    where = folders.of(name, home)
    try:
        supervisor = process.identify(status(name, home=home).supervisor.pid)
        seen = control.call(where.control, Request(op="stop", now=now), int)
    except NotRunning:
        if not _clear(where):
            raise
        return
    with contextlib.suppress(NotRunning, TimeoutError):
        for event in control.events(where.control, seen, timeout):
            if on_event is not None:
                on_event(event)
    if supervisor is not None and process.wait_gone([supervisor], timeout):
        raise TimedOut(f"fleet {name!r} did not stop within {timeout:g} s")


def restart(name: str, engine: str, *, home: Path | None = None, on_event: Listener | None = None,
            timeout: float = UP_TIMEOUT_S) -> FleetStatus:  # fmt: skip
    """Stop one engine and start it again, with a clean slate; waits until it is ready or given up.

    Raises:
        NotRunning, UnknownName, TimedOut.
    """
    where = folders.of(name, home)
    seen = control.call(where.control, Request(op="restart", engines=(engine,)), int)
    try:
        for event in control.events(where.control, seen, timeout):
            if on_event is not None:
                on_event(event)
            if event.name == engine and event.state in _SETTLED:
                return status(name, home=home)
    except TimeoutError:
        raise TimedOut(
            f"{engine} was not ready again within {timeout:g} s.", "", f"See why: nautilus logs {engine}"
        ) from None
    raise NotRunning(f"Fleet {name!r} was stopped meanwhile.", "", "Start it: nautilus up")


def announce(name: str, engine: str, *, reason: str, seconds: float = 30.0, home: Path | None = None) -> None:
    """Say that an engine is about to end on purpose: its next end within `seconds` is not a crash.

    Raises:
        NotRunning, UnknownName.
    """
    request = Request(op="announce", engines=(engine,), reason=reason, seconds=seconds)
    control.call(folders.of(name, home).control, request, int)


def events(name: str = DEFAULT_FLEET, *, since: int = 0, home: Path | None = None,
           timeout_s: float | None = None) -> Iterator[Event]:  # fmt: skip
    """Events after sequence number `since`, then as they happen, until the supervisor ends.

    Raises:
        NotRunning: there is no fleet.
    """
    return control.events(folders.of(name, home).control, since, timeout_s)


def logs(name: str = DEFAULT_FLEET, engine: str | None = None, *, lines: int = 50, follow: bool = False,
         home: Path | None = None) -> Iterator[LogLine]:  # fmt: skip
    """Lines of one process's log, or of all, one process after the other; then new ones as they come.

    Raises:
        UnknownName: there is no such log.
    """
    where = folders.of(name, home)
    known = {path.stem: path for path in sorted(where.logs.glob("*.log"))}
    if engine is not None and engine not in known:
        raise UnknownName("log", engine, known)
    chosen = [(key, path) for key, path in known.items() if engine in (None, key)]
    if follow:
        yield from log_files.follow(chosen, lines)
    for key, path in chosen:
        for text in log_files.tail(path, lines):
            yield LogLine(key, text)


def foreground(fleet: FleetSpec, on_event: Listener) -> None:
    """Run a fleet that ends with this process.  Ctrl-C stops it, a second one skips the grace.

    Raises:
        NautilusError: it is already up, or cannot start.
    """
    spec = msgspec.structs.replace(fleet, foreground=True)
    where = folders.of(spec.name, spec.home)
    with _start() as daemon:
        if not _answered(daemon, spec):
            raise AlreadyRunning(f"Fleet {spec.name!r} is already up.", "", "Stop it first: nautilus down")
        since, hasty = 0, False
        while daemon.poll() is None:
            try:
                for event in control.events(where.control, since):
                    since = event.seq
                    on_event(event)
                daemon.wait()
            except KeyboardInterrupt:
                with contextlib.suppress(NotRunning):
                    control.call(where.control, Request(op="stop", now=hasty), int)
                hasty = True
            except NotRunning:
                daemon.wait()


def token(name: str = DEFAULT_FLEET, *, home: Path | None = None) -> str:
    """The fleet's token, which mutating routes need.

    Raises:
        NotRunning: the fleet was never up.
    """
    where = folders.of(name, home)
    if not where.secrets.exists():
        raise NotRunning(f"Fleet {name!r} has never been up.", "", "Start it: nautilus up")
    return str(msgspec.json.decode(where.secrets.read_bytes(), type=dict[str, str])["token"])


def _running(where: Folders) -> bool:
    try:
        control.call(where.control, Request(op="status"), FleetStatus)
    except NotRunning:
        return False
    return True


def _launch(spec: FleetSpec) -> bool:
    """Start a supervisor.  False: another one was faster."""
    with _start() as daemon:
        return _answered(daemon, spec)


def _start() -> "subprocess.Popen[bytes]":
    path = [str(_SOURCE), *(str(Path(part).absolute()) for part in os.environ.get("PYTHONPATH", "").split(":") if part)]
    env = {**os.environ, "PYTHONPATH": ":".join(dict.fromkeys(path)), "PYTHONSAFEPATH": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "engines.fleet.daemon"],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _answered(daemon: "subprocess.Popen[bytes]", spec: FleetSpec) -> bool:
    """Give it its specification and read its one line.  False: another one was faster."""
    if daemon.stdin is None or daemon.stdout is None:
        raise NautilusError("The supervisor has no pipes.")
    with contextlib.suppress(BrokenPipeError):
        daemon.stdin.write(encode(spec))
        daemon.stdin.flush()
    said = _first_line(daemon.stdout)
    try:
        answer = msgspec.json.decode(said, type=Answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        text = said.decode("utf-8", "replace").strip()
        raise NautilusError("The supervisor ended before it could supervise.", text[-2000:]) from error
    if answer.error is None:
        return True
    if answer.error.kind == "AlreadyRunning":
        return False
    raise answer.error.error()


def _first_line(stream: IO[bytes]) -> bytes:
    """The line that is an answer, or, when none comes, all that was said."""
    said = b""
    for line in stream:
        if line.startswith(b"{"):
            return line
        said += line
    return said


def _join(spec: FleetSpec, where: Folders) -> None:
    """The fleet is already up: have what is asked for started as well."""
    now = status(spec.name, home=spec.home)
    idle = [name for name in spec.engines or () if not _engine(now, name).wanted]
    if idle:
        control.call(where.control, Request(op="start", engines=tuple(idle)), int)


def _engine(now: FleetStatus, name: str) -> EngineStatus:
    for engine in now.engines:
        if engine.name == name:
            return engine
    raise UnknownName("engine", name, (engine.name for engine in now.engines))


def _settled(now: FleetStatus) -> bool:
    return all(engine.state in _SETTLED for engine in now.wanted)


def _clear(where: Folders) -> bool:
    """End what a killed supervisor left; whether there was anything."""
    from engines.fleet import ground, journal

    if not where.lock.exists():
        return False
    lock = os.open(where.lock, os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        left = [identity for identity in journal.unended(journal.read(where.journal)) if process.alive(identity)]
        left += process.members(where.state)
        ground.clear(where)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return bool(left)
