"""The TWS API's socket protocol as a server speaks it: frames, the client's requests, the server's messages.

A frame is a 4-byte big-endian length and fields, each ended by a NUL byte.  A client opens with `API\\0` and a frame
that names the versions it knows (`v157..178`); the server answers with the version in use and its time.  Message
numbers and field orders are those that ib_async 2.1.0 encodes and decodes for server version 176.
"""

import enum
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

SERVER_VERSION = 176
MOST_BYTES = 1 << 20
_GREETING = b"API\0"
_LENGTH = struct.Struct(">I")
_CONTRACT = 12  # fields of a contract in a request: conId, symbol, secType, ... tradingClass

Field = str | int | float


class Incoming(enum.IntEnum):
    """Requests that the simulator knows by number."""

    PLACE_ORDER = 3
    CANCEL_ORDER = 4
    CONTRACT_DETAILS = 9
    DEPTH = 10
    CANCEL_DEPTH = 11
    BARS = 20
    CANCEL_BARS = 25
    TIME = 49
    START = 71
    TICKS = 96
    TICK_BY_TICK = 97
    CANCEL_TICK_BY_TICK = 98


class ProtocolError(ValueError):
    """A client does not speak the protocol."""


class Contract(NamedTuple):
    """The part of a requested contract that the simulator looks at."""

    con_id: int
    symbol: str
    kind: str  # STK, FUT, CASH ...
    currency: str


class Frames:
    """Cuts a byte stream into frames; the greeting comes once, before the first."""

    def __init__(self) -> None:
        self._data = b""
        self._greeted = False

    def feed(self, data: bytes) -> Iterator[list[str]]:
        """The fields of each frame that is complete.

        Raises:
            ProtocolError: the stream does not begin with the greeting, or a frame is longer than `MOST_BYTES`.
        """
        self._data += data
        if not self._greeted:
            if not _GREETING.startswith(self._data[:4]) or len(self._data) < len(_GREETING):
                if not _GREETING.startswith(self._data[:4]):
                    raise ProtocolError(f"The client opens with {self._data[:4]!r}, not with {_GREETING!r}.")
                return
            self._data, self._greeted = self._data[4:], True
        while len(self._data) >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(self._data)
            if size > MOST_BYTES:
                raise ProtocolError(f"A frame of {size} bytes; the most is {MOST_BYTES}.")
            end = _LENGTH.size + size
            if len(self._data) < end:
                return
            body, self._data = self._data[_LENGTH.size : end], self._data[end:]
            yield body.decode().removesuffix("\0").split("\0")


def frame(*fields: Field) -> bytes:
    """One frame."""
    body = "".join(f"{field}\0" for field in fields).encode()
    return _LENGTH.pack(len(body)) + body


def agreed(offer: str) -> int:
    """The version in use: ours, or the client's newest when that is older.

    Raises:
        ProtocolError: `offer` is no version range (`v157..178`), or ours is older than it begins.
    """
    first, _, last = offer.partition(" ")[0].removeprefix("v").partition("..")
    if not (first.isdigit() and last.isdigit()):
        raise ProtocolError(f"{offer!r} is no range of versions.")
    version = min(SERVER_VERSION, int(last))
    if version < int(first):
        raise ProtocolError(f"The client wants version {first} or newer; this is {version}.")
    return version


def contract(fields: Sequence[str], at: int) -> Contract:
    """The contract whose fields begin at `at`."""
    part = fields[at : at + _CONTRACT]
    return Contract(int(part[0] or 0), part[1], part[2], part[9])


def depth_contract(fields: Sequence[str]) -> tuple[Contract, int]:
    """The contract of a depth request (which has no includeExpired) and its number of rows."""
    part = fields[3 : 3 + _CONTRACT]
    return Contract(int(part[0] or 0), part[1], part[2], part[9]), int(fields[3 + _CONTRACT])


def error(request: int, code: int, text: str) -> bytes:
    """Message 4; `request` is -1 for what belongs to no request."""
    return frame(4, 2, request, code, text, "")


def depth(request: int, position: int, operation: int, side: int, price: float, size: float) -> bytes:
    """Message 12: operation 0 insert, 1 update, 2 delete; side 0 ask, 1 bid."""
    return frame(12, 1, request, position, operation, side, price, size)


def details(request: int, symbol: str, con_id: int) -> bytes:
    """Message 10 for a US share on SMART, and message 52, which ends the answer."""
    head: tuple[Field, ...] = (10, request, symbol, "STK", "", 0.0, "", "SMART", "USD", symbol, symbol, symbol, con_id)
    identity: tuple[Field, ...] = (0.01, "", "LMT,MKT", "SMART", 1, 0, f"{symbol} (SIMULATED)", "NASDAQ")
    session: tuple[Field, ...] = ("", "", "", "", "US/Eastern", "", "", "", "")
    tail: tuple[Field, ...] = (0, 1, "", "", "26", "", "COMMON", 1, 1, 100)
    return frame(*head, *identity, *session, *tail) + frame(52, 1, request)


def bars(request: int, rows: Sequence[tuple[str, float, float, float, float, int]]) -> bytes:
    """Message 17: rows of date (YYYYmmdd), open, high, low, close, volume."""
    span = (rows[0][0], rows[-1][0]) if rows else ("", "")
    flat: Iterable[Field] = (field for row in rows for field in (*row, round((row[2] + row[3]) / 2, 4), 1))
    return frame(17, request, *span, len(rows), *flat)


def ticks(request: int, rows: Sequence[tuple[int, float, int]]) -> bytes:
    """Message 98 (trades), whole: rows of Unix seconds, price, size."""
    flat: Iterable[Field] = (field for ts, price, size in rows for field in (ts, 0, price, size, "SIM", ""))
    return frame(98, request, len(rows), *flat, 1)


def tick(request: int, ts: int, price: float, size: int) -> bytes:
    """Message 99, a trade of a tick-by-tick subscription; `ts` is Unix seconds."""
    return frame(99, request, 1, ts, price, size, 0, "SIM", "")
