"""One connection through the proxy: two directions, each treated as the shape of the moment says."""

import asyncio
import collections
import contextlib
import math
import socket
import struct
import time
from typing import cast

from stress.faults.proxy_shape import Dues, Shape, chance, cut, pieces, room

_LEAVE_S = 0.005  # for the first half of a reply to leave before the reset
_LINGER = struct.pack("ii", 1, 0)  # SO_LINGER: a TCP connection ends with a reset instead of a farewell


class Side(asyncio.Protocol):
    """One end of a link: the client's or the server's."""

    def __init__(self, link: "Link") -> None:
        self.link = link
        self.transport: asyncio.Transport | None = None
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the other end before reading."""
        self.transport = cast(asyncio.Transport, transport)
        self.listen(self.link.joined)

    def data_received(self, data: bytes) -> None:
        """Carry it."""
        self.link.way(self).take(data)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - any end is an end
        """The other end hears it."""
        self.lost = True
        self.link.ended(self)

    def pause_writing(self) -> None:
        """Its peer does not read: do not read for it."""
        self.link.other(self).listen(False)

    def resume_writing(self) -> None:
        """Its peer reads again."""
        self.link.other(self).listen(self.link.shape.mode != "stall")

    def listen(self, wanted: bool) -> None:
        """Read, or do not.  Both are harmless when it is so already."""
        if self.transport is not None and not self.transport.is_closing():
            (self.transport.resume_reading if wanted else self.transport.pause_reading)()

    def abort(self) -> None:
        """End at once; TCP's peer gets a reset."""
        if self.transport is None or self.transport.is_closing():
            return
        peer = self.transport.get_extra_info("socket")
        if peer.family != socket.AF_UNIX:
            with contextlib.suppress(OSError):  # it has just ended by itself
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        self.transport.abort()


class Way:
    """One direction: what was read waits here until it is due."""

    def __init__(self, link: "Link", source: Side, target: Side, dues: Dues) -> None:
        self.link, self.source, self.target = link, source, target
        self.held = 0
        self.over = False  # the source has ended: the target ends once it has all
        self.dues = dues
        self._waiting: collections.deque[tuple[float, bytes]] = collections.deque()
        self._timer: asyncio.TimerHandle | None = None

    def take(self, data: bytes) -> None:
        """Bytes of the source.  Those of a half-open connection go nowhere."""
        if self.link.shape.mode == "half-open":
            return
        shape, now = self.link.shape, time.monotonic()
        self._waiting.extend((self.dues.due(shape, now, len(piece)), piece) for piece in pieces(shape, data))
        self.held += len(data)
        if self.held >= room(shape):
            self.source.listen(False)
        self.give()

    def give(self) -> None:
        """Send what is due, in order."""
        mode, most = self.link.shape.mode, room(self.link.shape)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting and self.link.joined and mode not in ("stall", "half-open"):
            due, data = self._waiting[0]
            left_s = due - time.monotonic()  # the loop's own clock counts whole milliseconds
            if mode in ("latency", "bandwidth") and left_s > 0:
                self._timer = self.link.loop.call_later(math.ceil(left_s * 1000) / 1000, self.give)
                return
            self._waiting.popleft()
            full = self.held >= most
            self.held -= len(data)
            if self.link.breaks and self is self.link.down:
                self._send(data[: cut(len(data))])
                self.link.shape = Shape(mode="half-open")  # nothing follows
                self.link.loop.call_later(_LEAVE_S, self.link.cut)
                return
            self._send(data)
            if full and self.held < most:
                self.source.listen(True)
        if self.over and not self._waiting and self.target.transport is not None:
            self.target.transport.close()

    def _send(self, data: bytes) -> None:
        if self.target.transport is not None and not self.target.transport.is_closing():
            self.target.transport.write(data)


class Link:
    """A client's connection and the one that it is carried to.  `victim`: it suffers shapes; the others pass."""

    def __init__(self, number: int, shape: Shape, *, victim: bool) -> None:
        self.loop = asyncio.get_running_loop()
        self.victim = victim
        self.shape = shape
        self.joined = False
        self.breaks = False  # the next reply is its last, and cut
        self.client, self.server = Side(self), Side(self)
        self.up = Way(self, self.client, self.server, Dues(chance(shape.seed, number, "up")))
        self.down = Way(self, self.server, self.client, Dues(chance(shape.seed, number, "down")))
        self._chance = chance(shape.seed, number, "reset")
        self._timer: asyncio.TimerHandle | None = None

    @property
    def open(self) -> bool:
        """Whether its client is still there."""
        return self.client.transport is not None and not self.client.lost

    @property
    def upstream(self) -> bool:
        """Whether it is still carried to the server."""
        return self.server.transport is not None and not self.server.lost

    def way(self, source: Side) -> Way:
        """The direction that begins at a side."""
        return self.up if source is self.client else self.down

    def other(self, side: Side) -> Side:
        """The opposite end."""
        return self.server if side is self.client else self.client

    def join(self) -> None:
        """Both ends are there, or the client's alone where it shall be so: begin."""
        self.joined = True
        self.treat(self.shape)

    def treat(self, shape: Shape) -> None:
        """Do so from now on."""
        before, self.shape = self.shape, shape
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.breaks = False
        if not self.joined:
            return
        orphaned = before.mode == "half-open" and shape.mode != "half-open"
        if shape.mode == "partition" or orphaned:
            self.cut()
            return
        if shape.mode == "half-open":
            self.server.abort()
        if shape.mode == "reset":
            self._timer = self.loop.call_later(self._chance.expovariate(1000 / shape.mean_ms), self._break)
        for way in (self.up, self.down):
            way.dues.forget()
            way.source.listen(shape.mode != "stall")
            way.give()

    def ended(self, side: Side) -> None:
        """One end is gone: the other follows, once it has what was said before."""
        if side is self.server and self.shape.mode == "half-open":
            return  # this is what its client shall not notice
        way = self.way(side)
        way.over = True
        way.give()

    def cut(self) -> None:
        """End both sides at once."""
        self.client.abort()
        self.server.abort()

    def _break(self) -> None:
        self.breaks = True
