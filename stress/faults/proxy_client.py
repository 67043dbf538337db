"""The harness's side of a proxy: give it orders, and see with a probe what its victims see."""

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import NamedTuple

import hiredis
import msgspec

from engines.fleet.resp import Address
from engines.wire.errors import NautilusError
from stress.faults.proxy import Facts, Order
from stress.faults.proxy_shape import Shape

_PING = b"PING\r\n"  # inline command: answered by PONG or, without a password, by a refusal; each is an answer
_ANSWERS = (b"+", b"-")
_ASK_S = 2.0
FLOOD = 4 << 20  # more than two sockets' buffers hold
_RESETS_S = 20.0
_PIECE = 1024
_ECHO_S = 10.0


class ProxyGone(NautilusError):
    """No proxy answers at a control socket."""


class Seen(NamedTuple):
    """What became of one PING: the answer's first byte was one (`whole`: all of it came), after `took_s`; `closed`:
    the connection ended instead; neither: silence.  `got`: bytes that came.
    """

    whole: bool
    closed: bool
    took_s: float
    got: int


def ask(control: str, order: Order) -> Facts:
    """Give an order.  Raises ProxyGone."""
    with contextlib.closing(_order(control, order)) as link:
        return _facts(link, control)


@contextlib.contextmanager
def probe(control: str) -> Iterator[socket.socket]:
    """A connection that is treated as a victim's.  Raises ProxyGone."""
    with contextlib.closing(_order(control, Order(do="probe"))) as link:
        _facts(link, control)
        yield link


def connect(address: str, timeout_s: float) -> socket.socket:
    """A connection to a path or `host:port`."""
    if address.startswith("/"):
        link = socket.socket(socket.AF_UNIX)
        link.settimeout(timeout_s)
        try:
            link.connect(address)
        except OSError:
            link.close()
            raise
        return link
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout_s)


def ping(link: socket.socket, limit_s: float) -> Seen:
    """One PING and what comes of it."""
    began = time.monotonic()
    data = b""
    link.settimeout(limit_s)
    try:
        link.sendall(_PING)
        while not data.endswith(b"\r\n"):
            more = link.recv(4096)
            if not more:
                return Seen(False, True, time.monotonic() - began, len(data))
            data += more
    except TimeoutError:
        return Seen(False, False, time.monotonic() - began, len(data))
    except OSError:  # reset, or a broken pipe
        return Seen(False, True, time.monotonic() - began, len(data))
    return Seen(data[:1] in _ANSWERS, False, time.monotonic() - began, len(data))


def direct(address: str, limit_s: float) -> Seen:
    """One PING past the proxy."""
    try:
        with contextlib.closing(connect(address, limit_s)) as link:
            return ping(link, limit_s)
    except OSError:
        return Seen(False, True, 0.0, 0)


def swallowed(link: socket.socket, limit_s: float) -> int:
    """How many bytes a connection takes before it stops taking any, at most 4 MiB."""
    link.settimeout(limit_s)
    sent = 0
    with contextlib.suppress(OSError):
        while sent < FLOOD:
            sent += link.send(b"\0" * 65_536)
    return sent


def throughput(link: socket.socket, address: Address, size: int) -> float | None:
    """Bytes a second of an echo of `size` bytes, there and back at once; None: not all of it came."""
    user = (address.username,) if address.username else ()
    link.settimeout(_ECHO_S)
    try:
        if address.password:
            link.sendall(hiredis.pack_command(("AUTH", *user, address.password)))
            link.recv(_PIECE)
        piece = b"\0" * min(size, _PIECE)
        packed = hiredis.pack_command((b"ECHO", piece))  # type: ignore[arg-type] # its stub allows one part only
        asked = packed * -(-size // len(piece))
        came, began = 0, time.monotonic()
        link.sendall(asked)
        while came < size:
            more = len(link.recv(65_536))
            if not more:
                return None
            came += more
    except OSError:
        return None
    return came / (time.monotonic() - began)


def broken(control: str, limit_s: float = _RESETS_S) -> Seen:
    """PINGs through the proxy until a connection breaks; the last one's fate."""
    until = time.monotonic() + limit_s
    with probe(control) as link:
        seen = ping(link, limit_s)
        while seen.whole and time.monotonic() < until:
            seen = ping(link, limit_s)
    return seen


def _order(control: str, order: Order) -> socket.socket:
    try:
        link = connect(control, _ASK_S)
        link.sendall(msgspec.json.encode(order) + b"\n")
    except OSError as error:
        heal = "Take the fault back: nautilus stress heal"
        raise ProxyGone(f"No proxy answers at {control}.", str(error), heal) from error
    return link


def _facts(link: socket.socket, control: str) -> Facts:
    """One line, byte by byte: what follows it belongs to the probe."""
    line = b""
    try:
        while not line.endswith(b"\n"):
            more = link.recv(1)
            if not more:
                break
            line += more
        return msgspec.json.decode(line, type=Facts)
    except (OSError, msgspec.DecodeError) as error:
        raise ProxyGone(f"The proxy at {control} does not answer.", str(error)) from error


def passing(control: str) -> Facts:
    """Have a standing proxy carry everything again.  Raises ProxyGone."""
    return ask(control, Order(do="shape", shape=Shape()))
