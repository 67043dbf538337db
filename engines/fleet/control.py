"""The control socket: JSON lines over a Unix socket, 0600.

A request is one line, `{"op": "status", ...}`; its answer is one line, `{"ok": true, "result": ...}` or
`{"ok": false, "error": {"kind", "what", "why", "next"}}`.  `events` answers with one event a line until either side
hangs up, beginning with those that were missed since sequence number `since`.
"""

import contextlib
import os
import selectors
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from engines.fleet.status import Event
from engines.wire import errors
from engines.wire.errors import NautilusError, NotRunning

PROTOCOL = 1  # counts up when a supervisor and a client of different versions could misunderstand each other
_BACKLOG = 4 * 1024 * 1024  # unread bytes after which a subscriber is dropped
_HISTORY = 5000
T = TypeVar("T")
Op = Literal["status", "events", "stop", "start", "restart", "announce"]


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a client asks.  `seconds`: how long an announcement holds."""

    op: Op
    protocol: int = 0
    engines: tuple[str, ...] = ()
    now: bool = False
    since: int = 0
    seconds: float = 0.0
    reason: str = ""


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


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answer line."""

    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: Failure | None = None


class _Client:
    """One connection to the supervisor."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.received = b""
        self.unsent = bytearray()
        self.subscribed = False
        credentials = (
            link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12) if hasattr(socket, "SO_PEERCRED") else b""
        )
        pid, uid, _ = struct.unpack("3i", credentials) if credentials else (0, os.getuid(), 0)
        self.who = f"uid {uid} pid {pid}"


class Server:
    """The supervisor's end: never blocks, serves any number of clients from the supervisor's own loop."""

    def __init__(self, path: Path, selector: selectors.BaseSelector, answer: Callable[[Request, str], object]) -> None:
        self._answer = answer
        self._selector = selector
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
        self._listener.listen(64)
        self._listener.setblocking(False)
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def publish(self, event: Event) -> None:
        """Send an event to every subscriber."""
        self.history.append(event)
        line = msgspec.json.encode(event) + b"\n"
        for client in [client for client in self._clients if client.subscribed]:
            client.unsent += line
            self._flush(client)

    def close(self, flush_s: float = 1.0) -> None:
        """Deliver what can still be delivered, then hang up."""
        for client in list(self._clients):
            client.link.settimeout(flush_s)
            with contextlib.suppress(OSError):
                client.link.sendall(client.unsent)
            self._drop(client)
        self._selector.unregister(self._listener)
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _accept(self, _mask: int) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            link, _ = self._listener.accept()
            link.setblocking(False)
            client = _Client(link)
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
        if not data or len(client.received) > 1_000_000:
            self._drop(client)
            return
        *lines, client.received = client.received.split(b"\n")
        for line in lines:
            if client in self._clients:
                self._handle(client, line)

    def _handle(self, client: _Client, line: bytes) -> None:
        try:
            request = msgspec.json.decode(line, type=Request)
            if request.op == "events":
                client.subscribed = True
                missed = [event for event in self.history if event.seq > request.since]
                client.unsent += b"".join(msgspec.json.encode(event) + b"\n" for event in missed)
                self._flush(client)
                return
            if request.op not in ("status", "stop"):
                _check_protocol(request.protocol)
            answer = Answer(ok=True, result=msgspec.Raw(msgspec.json.encode(self._answer(request, client.who))))
        except msgspec.DecodeError as error:
            answer = Answer(
                ok=False, error=Failure(kind="UsageError", what="The request is not understood.", why=str(error))
            )
        except NautilusError as error:
            answer = Answer(ok=False, error=failure(error))
        client.unsent += msgspec.json.encode(answer) + b"\n"
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


def call(path: Path, request: Request, kind: type[T], timeout_s: float = 10.0) -> T:
    """Ask the supervisor.

    Raises:
        NotRunning: no supervisor listens.
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
    answer = msgspec.json.decode(line, type=Answer)
    if answer.error is not None:
        raise answer.error.error()
    return msgspec.json.decode(answer.result, type=kind)


def events(path: Path, since: int = 0, timeout_s: float | None = None) -> Iterator[Event]:
    """Events since a sequence number, then as they happen, until the supervisor ends.

    Raises:
        NotRunning: no supervisor listens.
        TimeoutError: nothing happened for so long.
    """
    with _connect(path, timeout_s) as link, link.makefile("rb") as lines:
        link.sendall(msgspec.json.encode(Request(op="events", since=since)) + b"\n")
        with contextlib.suppress(ConnectionResetError):
            for line in lines:
                yield msgspec.json.decode(line, type=Event)


def _connect(path: Path, timeout_s: float | None) -> socket.socket:
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.settimeout(timeout_s)
    try:
        link.connect(str(path))
    except OSError as error:
        link.close()
        raise _not_running(error.strerror or str(error)) from error
    return link


def _not_running(why: str) -> NotRunning:
    return NotRunning("No fleet is running.", f"Its supervisor does not answer: {why}.", "Start it: nautilus up")


def _check_protocol(theirs: int) -> None:
    if theirs != PROTOCOL:
        raise NautilusError(
            "This command and the running supervisor are of different versions.",
            f"The command speaks protocol {theirs}, the supervisor {PROTOCOL}.",
            "Restart the fleet with this version: nautilus down && nautilus up",
        )
