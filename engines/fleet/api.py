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

from engines.fleet import control, folders, logfollow, logview, process
from engines.fleet import logs as log_files
from engines.fleet.control import Answer, Request
from engines.fleet.errors import AlreadyRunning, OtherVersion, TimedOut
from engines.fleet.folders import Folders
from engines.fleet.logview import LAST, Line, Wanted
from engines.fleet.rollout import restart
from engines.fleet.spec import FleetSpec, encode
from engines.fleet.status import BootEvent, EngineHealth, EngineStatus, Event, FleetStatus
from engines.wire import project
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
    while not (already := _running(where)) and not _launch(spec, where):  # else it answers soon
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
        supervisor = process.identify(control.greet(where.control).pid)
        seen = control.call(where.control, Request(op="stop", now=now), int)
    except NotRunning:
        if not _clear(where):
            raise
        return
    with contextlib.suppress(NotRunning, TimeoutError, OtherVersion):
        for event in control.events(where.control, seen, timeout):
            if on_event is not None:
                on_event(event)
    if supervisor is not None and process.wait_gone([supervisor], timeout):
        raise TimedOut(f"fleet {name!r} did not stop within {timeout:g} s")


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


def logs(name: str = DEFAULT_FLEET, engines: Sequence[str] = (), wanted: Wanted = LAST, *, follow: bool = False,
         home: Path | None = None) -> Iterator[Line]:  # fmt: skip
    """Lines of the named processes' logs, or of all, in the order of time; then new ones as they come.

    Raises:
        NotRunning: the fleet has never been up.
        UnknownName: there is no such process.
    """
    where = folders.of(name, home)
    known = logview.known(where.logs)
    if not known:
        raise NotRunning(f"Fleet {name!r} has no logs.", "It has never been up.", "Start it: nautilus up")
    if not set(engines) <= known.keys():
        from engines.wire import manifest

        names = {*known, *(each.name for each in manifest.discover())}
        for engine in engines:
            if engine not in names:
                raise UnknownName("log", engine, names)

    def chosen() -> dict[str, Path]:
        return {key: path for key, path in logview.known(where.logs).items() if not engines or key in engines}

    return logfollow.follow(chosen, wanted) if follow else logview.read(chosen(), wanted)


def foreground(fleet: FleetSpec, on_event: Listener) -> int:
    """Run a fleet that ends with this process.  SIGINT, SIGTERM or SIGHUP stop it, a second one skips the grace.

    Returns:
        the number of the signal that stopped it; 0 when something else did.

    Raises:
        NautilusError: it is already up, cannot start, or its supervisor was killed.
    """
    from engines.fleet import foreground as stay

    spec = msgspec.structs.replace(fleet, foreground=True)
    where = folders.of(spec.name, spec.home)
    try:
        with stay.hearing(), _start() as daemon, stay.burying(daemon):
            if not _answered(daemon, spec):
                raise AlreadyRunning(f"Fleet {spec.name!r} is already up.", "", "Stop it first: nautilus down")
            _record(where, spec, "up --foreground", "ok")
            return stay.follow(daemon, where, on_event)
    except stay.Told as told:  # before it supervised
        return told.number


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


def _launch(spec: FleetSpec, where: Folders) -> bool:
    """Start a supervisor.  False: another one was faster."""
    with _start() as daemon:
        try:
            mine = _answered(daemon, spec)
        except NautilusError as error:
            _record(where, spec, "up", f"refused: {error.what}")
            raise
    if mine:
        _record(where, spec, "up", "ok")
    return mine


def _record(where: Folders, spec: FleetSpec, op: str, outcome: str) -> None:
    """Into the operators' log, which the supervisor cannot do for a start."""
    from engines.fleet import audit

    if where.state.is_dir():
        audit.record(where.audit, op, outcome, engines=spec.engines or ())


def _start() -> "subprocess.Popen[bytes]":
    path = [str(_SOURCE), *(str(Path(part).absolute()) for part in os.environ.get("PYTHONPATH", "").split(":") if part)]
    place = project.find()  # the supervisor looks for it nowhere else: its working directory is another
    path += [str(place / project.ENGINES)] if place is not None else []
    env = {**os.environ, "PYTHONPATH": ":".join(dict.fromkeys(path)), "PYTHONSAFEPATH": "1"}
    env[project.VARIABLE] = str(place or "")
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
    try:
        daemon.stdin.write(encode(spec))
        daemon.stdin.flush()
    except BrokenPipeError:  # it has ended, and says below why
        with contextlib.suppress(BrokenPipeError):
            daemon.stdin.close()  # which drops what it was not told
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
    """The fleet is already up: have what is asked for started as well; all of it when nothing is named."""
    now = status(spec.name, home=spec.home)
    names = [engine.name for engine in now.engines] if spec.engines is None else spec.engines
    idle = [name for name in names if not _engine(now, name).wanted]
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
    from engines.fleet import audit, ground, journal

    if not where.lock.exists():
        return False
    lock = os.open(where.lock, os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        left = [identity for identity in journal.unended(journal.read(where.journal)) if process.alive(identity)]
        left += process.members(where.state)
        ground.clear(where)
        if left:
            audit.record(where.audit, "clear", "ok", detail=f"{len(left)} processes of a killed supervisor")
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return bool(left)
