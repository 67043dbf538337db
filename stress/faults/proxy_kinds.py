"""Faults of the connections to a bus, through a proxy: latency, bandwidth, stall, reset, half-open, partition.

At one of the fleet's own buses (Unix sockets) the proxy takes the place of the server's socket for the fault's time,
and the server is told to hang up on everyone, so that all connect again, now through the proxy.  The supervisor and
the harness are spared: it is the network that fails, not the bus, which therefore is not to be replaced.  At an engine
with the parameter `bus` only that engine's connections suffer, whatever process it is restarted as.

A bus at a URL (TCP) has no place that could be taken: a proxy has to stand there from the beginning (`python -m
stress.faults.proxy`, the fleet's URL naming its address), and the parameter `control` names its control socket.
There everyone who connects through it suffers.

What is seen: a probe through the proxy suffers what it should while a PING past it is answered, and connections of
the victims have come to it.
"""

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from engines.fleet import process
from engines.fleet.process import Identity
from engines.fleet.resp import Address
from engines.wire.errors import NautilusError, UsageError
from stress.faults import bus_server, keeper, proxy_client
from stress.faults.fault import BUSES, Done, Fault, Undo, Value, identity_of
from stress.faults.parameter import mistaken
from stress.faults.processes import until
from stress.faults.proxy import Facts, Order, Spec
from stress.faults.proxy_client import ProxyGone, Seen
from stress.faults.proxy_shape import MODES, PARAMETERS, Mode, Shape, Victims, shape_of
from stress.faults.proxy_swap import Place, insert, listener, restore, survey
from stress.faults.undo import UndoJournal

if TYPE_CHECKING:
    from stress.fleet import MissionFleet

_TEXTS = ("bus", "control")
_SILENCE_S = 0.5
_ECHO_S = 0.4  # of a limited connection's time
_MARGIN = 1.1  # between what may be carried and what a probe measures
_MET_S = 10.0  # an engine whose commit is cut claims again after a pause, or a time-out


class Proxied(NamedTuple):
    """One mode of the proxy as a kind of fault."""

    name: Mode
    lasting: bool = True

    def mistakes(self, target: str, parameters: Mapping[str, Value]) -> Iterator[str]:
        """A bus, or an engine and one of its buses; nothing else has connections that a proxy could carry."""
        yield from bus_server.wrong_bus(target, parameters)
        yield from mistaken({k: v for k, v in parameters.items() if k not in _TEXTS}, PARAMETERS[self.name])
        if "control" in parameters and not Path(str(parameters["control"])).is_socket():
            yield f"control = {parameters['control']!r}: no proxy's socket is there"

    def inject(self, fault: Fault, fleet: "MissionFleet", journal: UndoJournal) -> Done:
        """Put a proxy in front of the bus, or tell the one that stands there.

        Raises:
            NautilusError: nobody listens there, a proxy stands there already, or none does and must.
        """
        shape = shape_of(self.name, fault.parameters)
        bus = bus_server.declared(fleet.home, fleet.name, bus_server.bus_of(fault.target, fault.parameters))
        if bus.external:
            return _tell(fault, shape, bus.address, journal)
        place = survey(bus.address.path)
        spec = Spec(
            listen=str(place.via),
            upstream=str(place.real),
            control=str(place.control),
            victims=_victims(fault.target, fleet.pids()),
            shape=shape,
            place=place,
            lifetime_s=(fault.for_s or 0.0) + keeper.BEYOND_S,
        )
        own = keeper.Keeper("stress.faults.proxy")
        facts: dict[str, str | int | float] = {"pid": own.identity.pid, "start": own.identity.start}
        facts |= {"public": place.public, "device": place.device, "inode": place.inode}
        undo = Undo(fault=fault.id, kind=fault.kind, target=fault.target, facts=facts)
        journal.begin(undo)
        own.begin(msgspec.json.encode(spec))
        at = time.monotonic_ns()
        insert(place)
        with bus_server.connect(bus, str(place.real)) as link:
            link.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        return Done(at, *_proof(shape, str(place.control), bus.address), undo)

    def heal(self, undo: Undo, journal: UndoJournal) -> Done:
        """Give the server its place back and end the proxy; or have the standing one carry everything again."""
        if "control" in undo.facts:
            return _untell(undo, journal)
        place = Place(str(undo.facts["public"]), int(undo.facts["device"]), int(undo.facts["inode"]))
        identity = identity_of(undo)
        at = time.monotonic_ns()
        found = restore(place)
        keeper.end(identity)
        proven, seen = _healed(place, identity)
        if proven:
            journal.done(undo)
        return Done(at, proven, f"{found}; {seen}")


KINDS: tuple[Proxied, ...] = tuple(Proxied(mode) for mode in MODES)


def _victims(target: str, pids: Mapping[str, int]) -> Victims:
    if target in BUSES:
        return Victims(spared=(pids["supervisor"], os.getpid()))
    if target not in pids:
        raise UsageError(f"{target} has no process.", "It is down.", "nautilus status")
    return Victims(names=(target,), pids=(pids[target],))


def _tell(fault: Fault, shape: Shape, address: Address, journal: UndoJournal) -> Done:
    """A standing proxy's shape."""
    if "control" not in fault.parameters:
        why = "Nothing can be put in front of a server at a URL."
        raise UsageError(f"{fault.target} is external.", why, "Name a standing proxy's control socket: control = …")
    control = str(fault.parameters["control"])
    proxy_client.ask(control, Order(do="facts"))
    undo = Undo(fault=fault.id, kind=fault.kind, target=fault.target, facts={"control": control})
    journal.begin(undo)
    at = time.monotonic_ns()
    proxy_client.ask(control, Order(do="shape", shape=shape))
    return Done(at, *_proof(shape, control, address), undo)


def _untell(undo: Undo, journal: UndoJournal) -> Done:
    control = str(undo.facts["control"])
    at = time.monotonic_ns()
    try:
        proxy_client.passing(control)
        with proxy_client.probe(control) as link:
            seen = proxy_client.ping(link, _SILENCE_S)
    except ProxyGone as error:
        return Done(at, False, f"{error.what} Whoever connects through it reaches no bus: start it again.")
    if seen.whole:
        journal.done(undo)
    return Done(at, seen.whole, f"a PING through the proxy is {'' if seen.whole else 'not '}answered")


def _healed(place: Place, proxy: Identity) -> tuple[bool, str]:
    if process.alive(proxy):
        return False, f"the proxy, process {proxy.pid}, still runs"
    pid = listener(Path(place.public))
    if pid is None:
        return True, "nobody listens: the bus had ended"
    if pid == proxy.pid or not proxy_client.direct(place.public, _SILENCE_S).whole:
        return False, f"process {pid} listens at {place.public} and answers no PING"
    return True, f"process {pid} listens at {place.public} and answers PING"


def _proof(shape: Shape, control: str, address: Address) -> tuple[bool, str]:
    """What a probe sees, what a PING past the proxy sees, and whether anyone came.  `address`: how to log in."""
    try:
        came = until(lambda: proxy_client.ask(control, Order(do="facts")).met > 0, _MET_S)
        limited = shape.mode == "bandwidth"
        suffers, seen = _limited(shape, control, address) if limited else _suffering(shape, control)
        facts = proxy_client.ask(control, Order(do="facts"))
        past = proxy_client.direct(facts.upstream, _SILENCE_S)
    except (NautilusError, OSError) as error:
        return False, str(error)
    whom = f"{facts.met} connections of {len(facts.pids)} processes" if facts.pids else f"{facts.met} connections"
    beside = f"past it PING took {past.took_s * 1e3:.1f} ms" if past.whole else "past it PING is not answered either"
    return suffers and past.whole and came, f"{seen}; {beside}; {whom} came to the proxy"


def _limited(shape: Shape, control: str, address: Address) -> tuple[bool, str]:
    """Whether an echo comes through the proxy no faster than it may, and past it faster."""
    limit = shape.bytes_per_s
    size = round(limit * _ECHO_S)
    with proxy_client.probe(control) as link:
        through = proxy_client.throughput(link, address, size)
    upstream = proxy_client.ask(control, Order(do="facts")).upstream
    with contextlib.closing(proxy_client.connect(upstream, _SILENCE_S)) as link:
        past = proxy_client.throughput(link, address, size)
    if through is None or past is None:
        return False, f"an echo of {size} bytes did not come back {'through' if through is None else 'past'} the proxy"
    words = f"an echo of {size} bytes took its way at {through:.0f} bytes/s through the proxy, at {past:.0f} past it"
    return through <= limit * _MARGIN < past, words


def _suffering(shape: Shape, control: str) -> tuple[bool, str]:
    if shape.mode == "reset":
        seen = proxy_client.broken(control)
        return seen.closed and not seen.whole and seen.got > 0, f"a connection broke after {seen.got} bytes of a reply"
    least = 2 * shape.delay_ms / 1000
    with proxy_client.probe(control) as link:
        seen = proxy_client.ping(link, 2 * (shape.delay_ms + shape.jitter_ms) / 1000 + _SILENCE_S)
        if shape.mode == "latency":
            return seen.whole and seen.took_s >= least, f"PING took {seen.took_s * 1e3:.1f} ms through the proxy"
        if shape.mode == "partition":
            return seen.closed and seen.got == 0, f"a connection {_fate(seen)}"
        taken = proxy_client.swallowed(link, _SILENCE_S) if shape.mode == "half-open" else 0
        facts = proxy_client.ask(control, Order(do="facts"))
    silent = not seen.whole and not seen.closed and seen.got == 0
    return silent and _carried_rightly(shape.mode, facts, taken), (
        f"a connection {_fate(seen)}, {facts.carried} of {facts.open} have a server"
        + (f", one took {taken} bytes" if taken else "")
    )


def _carried_rightly(mode: Mode, facts: Facts, taken: int) -> bool:
    """A stalled connection has its server still; a half-open one has none and takes whatever it is given."""
    if mode == "stall":
        return facts.carried > 0
    return facts.carried == 0 and taken >= proxy_client.FLOOD


def _fate(seen: Seen) -> str:
    if seen.closed:
        return f"was closed after {seen.got} bytes"
    return f"was answered after {seen.took_s * 1e3:.0f} ms" if seen.whole else "stays open without an answer"
