"""A blocking connection to a Redis-protocol server, for the supervisor's few commands.

redis-py would add 20 MB and 0.15 s to the supervisor for a PING, an INCR and an XADD.
"""

import contextlib
import socket
from collections.abc import Sequence
from types import TracebackType
from urllib.parse import parse_qs, unquote, urlsplit

import hiredis
import msgspec

from engines.wire.errors import BusError

Reply = object  # what a server answers: None, int, bytes, or lists of these


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server listens, and how to log in."""

    path: str = ""  # Unix socket; empty for TCP
    host: str = ""
    port: int = 6379
    tls: bool = False
    username: str = ""
    password: str = ""
    database: int = 0

    @property
    def public(self) -> str:
        """The address without its secrets."""
        return f"unix://{self.path}" if self.path else f"redis{'s' * self.tls}://{self.host}:{self.port}"


def parse(url: str) -> Address:
    """`unix://:password@/path?db=0` or `redis[s]://user:password@host:port/0`.

    Raises:
        BusError: it is neither.
    """
    try:
        parts = urlsplit(url)
        database = (parse_qs(parts.query).get("db") or [parts.path.strip("/") if parts.scheme != "unix" else ""])[0]
        where = Address(
            path=unquote(parts.path) if parts.scheme == "unix" else "",
            host=(parts.hostname or "localhost") if parts.scheme != "unix" else "",
            port=parts.port or 6379,
            tls=parts.scheme == "rediss",
            username=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            database=int(database or 0),
        )
    except ValueError as error:
        raise BusError("A bus URL cannot be read.", str(error), "Give unix://… or redis://host:port/0.") from error
    if parts.scheme not in ("unix", "redis", "rediss") or (parts.scheme == "unix" and not where.path):
        raise BusError(f"A bus URL begins with {parts.scheme!r}.", "", "Give unix:///path or redis://host:port/0.")
    return where


class Connection:
    """One logged-in connection.  Every failure is a BusError; the connection is then of no more use."""

    def __init__(self, address: Address, timeout_s: float) -> None:
        self.address = address
        self._reader = hiredis.Reader()
        self._socket = self._connect(timeout_s)
        try:
            if address.password:
                user = (address.username,) if address.username else ()
                self.ask("AUTH", *user, address.password)
            if address.database:
                self.ask("SELECT", address.database)
        except BusError:
            self.close()
            raise

    def ask(self, *command: str | bytes | int) -> Reply:
        """The reply to one command.

        Raises:
            BusError: the server is gone, does not answer in time, or refuses.
        """
        try:
            packed = hiredis.pack_command(command)  # type: ignore[arg-type] # its stub allows one part only
            self._socket.sendall(packed)
            reply = self._reader.gets()
            while reply is False:
                data = self._socket.recv(65_536)
                if not data:
                    raise BusError(f"The bus at {self.address.public} closed the connection.")
                self._reader.feed(data)
                reply = self._reader.gets()
        except (OSError, hiredis.ProtocolError) as error:
            raise BusError(f"The bus at {self.address.public} does not answer.", str(error)) from error
        if isinstance(reply, hiredis.ReplyError):
            raise BusError(f"The bus at {self.address.public} refuses {command[0]!r}.", str(reply))
        return reply

    def say(self, *command: str | bytes | int) -> None:
        """Send a command whose reply `answered` will find.

        Raises:
            BusError: the server is gone.
        """
        try:
            self._socket.setblocking(False)
            self._socket.sendall(hiredis.pack_command(command))  # type: ignore[arg-type] # as above
        except OSError as error:
            raise BusError(f"The bus at {self.address.public} does not listen.", str(error)) from error

    def answered(self) -> bool:
        """Whether a reply has come, without waiting.  A connection that has ended has none."""
        try:
            self._socket.setblocking(False)
            data = self._socket.recv(65_536)
        except OSError:
            return False
        self._reader.feed(data)
        try:
            return self._reader.gets() is not False
        except hiredis.ProtocolError:
            return False

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def __enter__(self) -> "Connection":
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        self.close()

    def _connect(self, timeout_s: float) -> socket.socket:
        where = self.address
        try:
            if where.path:
                link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                link.settimeout(timeout_s)
                try:
                    link.connect(where.path)
                except OSError:
                    link.close()
                    raise
                return link
            link = socket.create_connection((where.host, where.port), timeout_s)
            if where.tls:
                import ssl

                link = ssl.create_default_context().wrap_socket(link, server_hostname=where.host)
            return link
        except OSError as error:
            raise BusError(f"The bus at {where.public} cannot be reached.", str(error)) from error


class Pulse:
    """Asks a server again and again whether it is alive, and never waits for the answer."""

    def __init__(self, address: Address, every_s: float = 0.5, connect_s: float = 0.2) -> None:
        self._address, self._every_s, self._connect_s = address, every_s, connect_s
        self._link: Connection | None = None
        self._asked_at = 0.0
        self._waiting_since: float | None = None

    def silent_s(self, now: float, since: float) -> float:
        """Seconds for which an answer is due, counted from `since` at the earliest; 0 when none is."""
        if self._link is not None and self._link.answered():
            self._waiting_since = None
        if now - self._asked_at >= self._every_s and (self._link is None or self._waiting_since is None):
            self._asked_at = now
            self._ask(now)
        return 0.0 if self._waiting_since is None else max(0.0, now - max(self._waiting_since, since))

    def close(self) -> None:
        """Hang up, and forget."""
        if self._link is not None:
            self._link.close()
        self._link, self._waiting_since = None, None

    def _ask(self, now: float) -> None:
        try:
            self._link = self._link or Connection(self._address, self._connect_s)
            self._link.say("PING")
        except BusError:
            waiting = self._waiting_since
            self.close()
            self._waiting_since = waiting
        if self._waiting_since is None:
            self._waiting_since = now


def round_trip(address: Address, timeout_s: float) -> None:
    """PING, then an entry written to a stream and read back.

    Raises:
        BusError: any step fails or returns something else.
    """
    with Connection(address, timeout_s) as link:
        if link.ask("PING") != b"PONG":
            raise BusError(f"The bus at {address.public} does not answer PING with PONG.")
        key = "nautilus:probe"
        entry = link.ask("XADD", key, "*", "probe", "1")
        read = link.ask("XRANGE", key, "-", "+")
        link.ask("DEL", key)
        if not isinstance(read, Sequence) or [entry, [b"probe", b"1"]] not in read:
            raise BusError(f"The bus at {address.public} lost an entry that it had acknowledged.", repr(read))
