"""A proxy between the engines and a bus, as a process: ``python -m stress.faults.proxy``, its spec on standard input.

It listens at a Unix socket's path or at `host:port`, carries every connection to the server, and treats those of its
victims as its `Shape` says.  One line of JSON at its control socket changes or asks; it needs no password, since it
never speaks the protocol.  At a Unix socket the client's pid is known from the kernel, so that the supervisor and the
harness may be spared, or one engine alone be harmed.  A proxy that stands in the place of a server's socket gives the
place back by itself when its time is over, should nobody have healed it.

SIGTERM: what is held arrives, then everything is closed.  Exit: 0 ended, 2 the spec cannot be followed.
"""

import asyncio
import contextlib
import signal
import sys
from pathlib import Path
from typing import Literal, cast

import msgspec
import psutil

from stress.faults.proxy_link import Link, Side
from stress.faults.proxy_shape import Shape, Victims
from stress.faults.proxy_swap import Place, peer, restore
from stress.load.priority import ask_for_short_slices

_DRAIN_S = 0.3  # for what a stall has held


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What a proxy is told.  An address is a path or `host:port`.

    `place`: where it will stand, to be given back after `lifetime_s` (0: it stands until it is ended).
    """

    listen: str
    upstream: str
    control: str
    victims: Victims = Victims()
    shape: Shape = Shape()
    place: Place | None = None
    lifetime_s: float = 0.0


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is said at the control socket: change the shape, tell the facts, or carry this connection as a victim's."""

    do: Literal["shape", "facts", "probe"]
    shape: Shape = Shape()
    victims: Victims | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a proxy says of itself.  `met`: victims' connections since the shape began, probes not counted."""

    mode: str
    upstream: str
    met: int
    pids: tuple[int, ...]
    open: int
    carried: int  # of the open ones, those that still have their server
    held_bytes: int
    spared: int


class Proxy:
    """The connections of one proxy."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.shape = spec.shape
        self.victims = spec.victims
        self.links: dict[Link, int | None] = {}
        self.met = 0
        self.pids: set[int] = set()
        self._number = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def treat(self, shape: Shape, victims: Victims | None) -> None:
        """Treat all victims so from now on."""
        self.shape = shape
        self.victims = victims if victims is not None else self.victims
        self.met, self.pids = 0, set()
        for link, pid in self.links.items():
            link.victim = self.victims.holds(pid, _name(pid))
            if link.victim:
                self._count(pid)
            link.treat(shape if link.victim else Shape())

    def accept(self, client: asyncio.Transport, *, probe: bool) -> None:
        """A new connection: a client's, or a probe of the harness that is treated as a victim's."""
        pid = peer(client.get_extra_info("socket"))
        victim = probe or self.victims.holds(pid, _name(pid))
        if victim and not probe:
            self._count(pid)
        self._number += 1
        link = Link(self._number, self.shape if victim else Shape(seed=self.shape.seed), victim=victim)
        client.set_protocol(link.client)
        link.client.connection_made(client)
        if link.shape.mode == "partition":
            client.close()
            return
        self.links[link] = pid
        task = asyncio.ensure_future(self._carry(link))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def facts(self) -> Facts:
        """Now."""
        self._forget()
        victims = [link for link in self.links if link.victim]
        return Facts(
            mode=self.shape.mode,
            upstream=self.spec.upstream,
            met=self.met,
            pids=tuple(sorted(self.pids)),
            open=sum(link.open for link in victims),
            carried=sum(link.upstream for link in victims),
            held_bytes=sum(link.up.held + link.down.held for link in victims),
            spared=sum(link.open for link in self.links if not link.victim),
        )

    async def close(self) -> None:
        """Let what is held arrive, then end every connection."""
        held = self.shape.mode in ("stall", "latency", "bandwidth") and bool(self.links)
        self.treat(Shape(), None)
        await asyncio.sleep(_DRAIN_S if held else 0)
        for link in self.links:
            link.cut()

    async def _carry(self, link: Link) -> None:
        """Find the server, unless nobody is to be found there."""
        self._forget()
        if link.shape.mode != "half-open":
            try:
                await _connect(self.spec.upstream, link.server)
            except OSError:
                link.client.abort()
                return
        link.join()

    def _count(self, pid: int | None) -> None:
        self.met += 1
        if pid is not None:
            self.pids.add(pid)

    def _forget(self) -> None:
        for link in [link for link in self.links if link.client.lost]:
            del self.links[link]


class _Door(asyncio.Protocol):
    """Where clients come in."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand it over."""
        self._proxy.accept(cast(asyncio.Transport, transport), probe=False)


class _Control(asyncio.Protocol):
    """One line of JSON in, one out; after `probe` the connection is a client's."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._said = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Obey a whole line; hang up on one that is no order."""
        self._said += data
        line, end, _ = self._said.partition(b"\n")
        if not end:
            return
        self._said = b""
        try:
            order = msgspec.json.decode(line, type=Order)
        except msgspec.DecodeError:
            self._transport.close()
            return
        if order.do == "shape":
            self._proxy.treat(order.shape, order.victims)
        self._transport.write(msgspec.json.encode(self._proxy.facts()) + b"\n")
        if order.do == "probe":
            self._proxy.accept(self._transport, probe=True)


async def run(spec: Spec) -> None:
    """Stand until SIGTERM, or until the time is over."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    loop.add_signal_handler(signal.SIGINT, over.set)
    proxy = Proxy(spec)
    host, _, port = spec.listen.rpartition(":")
    if spec.listen.startswith("/"):
        Path(spec.listen).unlink(missing_ok=True)
        door = await loop.create_unix_server(lambda: _Door(proxy), spec.listen, backlog=1024)
        Path(spec.listen).chmod(0o600)
    else:
        door = await loop.create_server(lambda: _Door(proxy), host, int(port), backlog=1024)
    Path(spec.control).unlink(missing_ok=True)
    control = await loop.create_unix_server(lambda: _Control(proxy), spec.control)
    Path(spec.control).chmod(0o600)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(over.wait(), spec.lifetime_s or None)
    if spec.place is not None and not over.is_set():
        restore(spec.place)
    door.close()
    control.close()
    await proxy.close()
    await asyncio.sleep(0)
    Path(spec.control).unlink(missing_ok=True)


async def _connect(upstream: str, side: Side) -> None:
    loop = asyncio.get_running_loop()
    if upstream.startswith("/"):
        await loop.create_unix_connection(lambda: side, upstream)
    else:
        host, _, port = upstream.rpartition(":")
        await loop.create_connection(lambda: side, host, int(port))


def _name(pid: int | None) -> str:
    try:
        return psutil.Process(pid).name() if pid is not None else ""
    except psutil.NoSuchProcess:
        return ""


def main() -> int:
    """Read the spec and stand."""
    import uvloop  # only the process needs it: whoever gives orders imports this module too

    try:
        spec = msgspec.json.decode(sys.stdin.buffer.read(), type=Spec)
        ask_for_short_slices()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(spec))
    except (msgspec.DecodeError, OSError, ValueError) as error:
        sys.stderr.write(f"The proxy cannot stand: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
