"""The control socket: JSON lines over a Unix socket, 0600, and over TCP when asked for (`engines.fleet.tcp`).

A request is one line, `{"op": "status", ...}`; its answer is one line, `{"ok": true, "result": ...}` or
`{"ok": false, "error": {"kind", "what", "why", "next"}}`.  `events` answers with one event a line until either side
hangs up, beginning with those that were missed since sequence number `since`.  docs/control.md is the reference.

Everything is bounded: a request, what a client leaves unread, how many are connected, how long one may be silent.
"""

import contextlib
import os
import selectors
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from engines.fleet.audit import Peer
from engines.fleet.errors import OtherVersion
from engines.fleet.status import Event
from engines.fleet.tcp import Door
from engines.wire import errors
from engines.wire.errors import NautilusError, NotRunning

PROTOCOL = 1  # counts up when a supervisor and a client of different versions could misunderstand each other
_BACKLOG = 4 * 1024 * 1024  # unread bytes after which a subscriber is dropped
_HISTORY = 5000
LONGEST = 64 * 1024  # bytes of a request
MOST = 128  # connections
_PATIENCE_S = 10.0
IDLE_S = 60.0  # silence after which a client that follows no events gives way to others
T = TypeVar("T")
Op = Literal["status", "events", "stop", "start", "restart", "announce", "reload"]


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a client asks.  `seconds`: how long an announcement holds; `dry`: only say what would be done."""

    op: Op
    protocol: int = 0
    engines: tuple[str, ...] = ()
    now: bool = False
    since: int = 0
    seconds: float = 0.0
    reason: str = ""
    dry: bool = False
    token: str = ""  # over TCP


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An error on its way to the client."""

    kind: str
    what: str
    why: str = ""
    next: str = ""

    def error(self) -> NautilusError:
        """The exception that it was, or its nearest kin."""
        kind = getattr(errors, self.kind, NautilusError)
        found = NautilusError.__new__(kind if issubclass(kind, NautilusError) else NautilusError)
        NautilusError.__init__(found, self.what, self.why, self.next)
        return found


def failure(error: NautilusError) -> Failure:
    """An exception as data."""
    return Failure(kind=type(error).__name__, what=error.what, why=error.why, next=error.next_step)


class Greeting(msgspec.Struct, frozen=True, kw_only=True):
    """What a supervisor of any version says of itself."""

    pid: int
    protocol: int = 0
    version: str = ""


class _Greeted(msgspec.Struct, frozen=True):
    """The part of a status that every version has."""

    supervisor: Greeting


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answer line."""

    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: Failure | None = None


class _Client:
    """One connection to the supervisor."""

    def __init__(self, link: socket.socket, door: Door | None, now: float) -> None:
        self.link = link
        self.door = door
        self.received = b""
        self.unsent = bytearray()
        self.subscribed = False
        self.heard_at = now
        self.peer = _peer(link) if door is None else Peer(address="{}:{}".format(*link.getpeername()[:2]))


def _peer(link: socket.socket) -> Peer:
    """What the kernel says of the other end of a Unix socket; elsewhere than on Linux only the owner can be there."""
    if not hasattr(socket, "SO_PEERCRED"):
        return Peer(uid=os.getuid())
    pid, uid, _ = struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return Peer(uid=uid, pid=pid)


class Server:
    """The supervisor's end: never blocks, serves any number of clients from the supervisor's own loop."""

    def __init__(
        self, path: Path, selector: selectors.BaseSelector, answer: Callable[[Request, Peer], object],
        door: Door | None = None, clock: Callable[[], float] = time.monotonic,
        hear: Callable[[Event], object] = lambda _: None,
    ) -> None:  # fmt: skip
        self._answer = answer
        self._selector = selector
        self._clock = clock
        self._hear = hear
        self._clients: set[_Client] = set()
        self.history: deque[Event] = deque(maxlen=_HISTORY)
        self._path = path
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            self._listener.bind(str(path))
        finally:
            os.umask(mask)
        self._listener.listen(MOST)
        self._listener.setblocking(False)
        self._listeners = [self._listener] if door is None else [self._listener, door.listener]
        selector.register(self._listener, selectors.EVENT_READ, lambda _mask: self._accept(self._listener, None))
        if door is not None:
            selector.register(door.listener, selectors.EVENT_READ, lambda _mask: self._accept(door.listener, door))

    def publish(self, event: Event) -> None:
        """Send an event to every subscriber, and to `hear`."""
        self.history.append(event)
        line = msgspec.json.encode(event) + b"\n"
        for client in [client for client in self._clients if client.subscribed]:
            client.unsent += line
            self._flush(client)
        self._hear(event)

    def close(self, flush_s: float = 1.0) -> None:
        """Deliver what can still be delivered, then hang up."""
        for client in list(self._clients):
            client.link.settimeout(flush_s)
            with contextlib.suppress(OSError):
                client.link.sendall(client.unsent)
            self._drop(client)
        for listener in self._listeners:
            self._selector.unregister(listener)
            listener.close()
        self._path.unlink(missing_ok=True)

    def _accept(self, listener: socket.socket, door: Door | None) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError, OSError):
            link, _ = listener.accept()
            link.setblocking(False)
            now = self._clock()
            client = _Client(link, door, now)
            for other in [other for other in self._clients if not other.subscribed and now - other.heard_at > IDLE_S]:
                self._drop(other)
            if len(self._clients) >= MOST:
                with link:
                    link.send(_line(_FULL))
                return
            self._clients.add(client)
            self._selector.register(link, selectors.EVENT_READ, lambda mask: self._serve(client, mask))

    def _serve(self, client: _Client, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            self._flush(client)
        if not mask & selectors.EVENT_READ or client not in self._clients:
            return
        try:
            data = client.link.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        client.received += data
        client.heard_at = self._clock()
        if not data or len(client.received) > LONGEST:
            self._drop(client)
            return
        *lines, client.received = client.received.split(b"\n")
        for line in lines:
            if client in self._clients:
                self._handle(client, line)

    def _handle(self, client: _Client, line: bytes) -> None:
        try:
            request = msgspec.json.decode(line, type=Request)
            if client.door is not None and not client.door.admits(request.token):
                client.unsent += _line(_STRANGER)
                self._flush(client)
                self._drop(client)
                return
            if request.op == "events":
                client.subscribed = True
                missed = [event for event in self.history if event.seq > request.since]
                client.unsent += b"".join(msgspec.json.encode(event) + b"\n" for event in missed)
                self._flush(client)
                return
            if request.op not in ("status", "stop"):
                _check_protocol(request.protocol)
            answer = Answer(ok=True, result=msgspec.Raw(msgspec.json.encode(self._answer(request, client.peer))))
        except msgspec.DecodeError as error:
            answer = Answer(
                ok=False, error=Failure(kind="UsageError", what="The request is not understood.", why=str(error))
            )
        except NautilusError as error:
            answer = Answer(ok=False, error=failure(error))
        client.unsent += _line(answer)
        self._flush(client)

    def _flush(self, client: _Client) -> None:
        try:
            sent = client.link.send(client.unsent)
            del client.unsent[:sent]
        except BlockingIOError:
            pass  # the selector says when there is room
        except OSError:
            self._drop(client)
            return
        if len(client.unsent) > _BACKLOG:
            self._drop(client)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.unsent else 0)
        if self._selector.get_key(client.link).events != wanted:
            self._selector.modify(client.link, wanted, lambda mask: self._serve(client, mask))

    def _drop(self, client: _Client) -> None:
        self._clients.discard(client)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(client.link)
        client.link.close()


def _line(answer: Answer) -> bytes:
    return msgspec.json.encode(answer) + b"\n"


_FULL = Answer(
    ok=False,
    error=Failure(kind="NautilusError", what="Too many are connected to the supervisor.", next="Try again later."),
)
_STRANGER = Answer(ok=False, error=Failure(kind="UsageError", what="The token is missing or wrong."))


def call(path: Path, request: Request, kind: type[T], timeout_s: float = 10.0) -> T:
    """Ask the supervisor.

    Raises:
        NotRunning: no supervisor listens.
        OtherVersion: its answer is not understood.
        NautilusError: what the supervisor answers with.
    """
    with _connect(path, timeout_s) as link, link.makefile("rb") as lines:
        try:
            link.sendall(msgspec.json.encode(msgspec.structs.replace(request, protocol=PROTOCOL)) + b"\n")
            line = lines.readline()
        except TimeoutError as error:
            raise NautilusError(
                f"The supervisor did not answer within {timeout_s:g} s.",
                "",
                "Try again, or end it: nautilus down --now",
            ) from error
        except OSError as error:
            raise _not_running(str(error)) from error
    if not line:
        raise _not_running("The supervisor hung up.")
    answer = _understood(line, Answer)
    if answer.error is not None:
        raise answer.error.error()
    return _understood(answer.result, kind)


def greet(path: Path) -> Greeting:
    """Who supervises, be it of another version.

    Raises:
        NotRunning: nobody.
    """
    return call(path, Request(op="status"), _Greeted).supervisor


def events(path: Path, since: int = 0, timeout_s: float | None = None) -> Iterator[Event]:
    """Events since a sequence number, then as they happen, until the supervisor ends.

    Raises:
        NotRunning: no supervisor listens.
        OtherVersion: what it says is not understood.
        TimeoutError: nothing happened for so long.
    """
    with _connect(path, timeout_s) as link, link.makefile("rb") as lines:
        link.sendall(msgspec.json.encode(Request(op="events", since=since)) + b"\n")
        with contextlib.suppress(ConnectionResetError):
            for line in lines:
                yield _understood(line, Event)


def _connect(path: Path, timeout_s: float | None) -> socket.socket:
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.settimeout(timeout_s)
    until = time.monotonic() + (timeout_s if timeout_s is not None else _PATIENCE_S)
    while True:
        try:
            link.connect(str(path))
        except BlockingIOError as error:  # more knock than it has let in: it does run
            if time.monotonic() < until:
                time.sleep(0.005)
                continue
            link.close()
            raise NautilusError(
                "The supervisor lets nobody in.", "Too many connect to it.", "Try again later."
            ) from error
        except OSError as error:
            link.close()
            raise _not_running(error.strerror or str(error)) from error
        return link


def _not_running(why: str) -> NotRunning:
    return NotRunning("No fleet is running.", f"Its supervisor does not answer: {why}.", "Start it: nautilus up")


def _check_protocol(theirs: int) -> None:
    if theirs != PROTOCOL:
        raise OtherVersion(f"The command speaks protocol {theirs}, the supervisor {PROTOCOL}.")


def _understood(line: bytes | msgspec.Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise OtherVersion(f"What the supervisor says is not understood: {error}.") from error
