"""Which messages one request over HTTP, or one message, has caused.

A message names one input, its cause.  That alone does not follow an order: it fills when a later tick comes, and the
fill names that tick.  So whatever bears the id of an order that belongs is taken to belong as well, and what that has
caused.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from engines.wire.bus import Entry
from engines.wire.messages import MAIN, MARKET, Body, Envelope, Header, Session, decode, decode_header
from engines.wire.trace import request_of

_BODIES = MARKET + MAIN
_TOLD = frozenset({"orders", "order-events", "fills", "sessions"})  # whose bodies name an order or a request
_ONLY = {body.TOPIC: body.__name__ for body in _BODIES if sum(each.TOPIC == body.TOPIC for each in _BODIES) == 1}
ORDER = "Order"


class Link(NamedTuple):
    """What of a message tells its place among others.

    `id`: `<topic>/<entry id>`; `kind`: the class of its body; `order`: the id of the order that it is about, if any;
    `request`: the id of the request that it names, in its trace or as a session does; `arrived_ns`: when that request
    arrived (CLOCK_MONOTONIC), 0 where nobody says.
    """

    id: str
    header: Header
    kind: str = ""
    order: str = ""
    request: str = ""
    arrived_ns: int = 0


class Effect(NamedTuple):
    """A message that belongs, and how long after its root's time it was sent."""

    link: Link
    after_ns: int


def link_of(message: Envelope) -> Link:
    """The same of a decoded message."""
    return _link(message.id, message.header, type(message.body).__name__, message.body)


def read(entry: Entry) -> Link:
    """The link of a stream entry; its body is decoded only where it may name an order or a request.

    Raises:
        MessageError: header or body do not fit their schema.
    """
    if entry.topic in _TOLD or entry.topic not in _ONLY:
        return link_of(decode(*entry))
    return _link(f"{entry.topic}/{entry.id}", decode_header(entry.header), _ONLY[entry.topic], None)


def of_request(links: Iterable[Link], request: str) -> tuple[Effect, ...]:
    """What a request has caused, in the order of sending, from its arrival; none where no message names it.

    A session that it asked for is among them; the ticks of that session are sources of their own and are not.
    """
    known = list(links)
    named = [link for link in known if link.request == request]
    arrived = min((link.arrived_ns for link in named if link.arrived_ns), default=None)
    return _effects(known, named, arrived)


def of_message(links: Iterable[Link], root: str) -> tuple[Effect, ...]:
    """One message and what it has caused, in the order of sending, from when the tick at its root was due.

    `root` is its `<topic>/<entry id>`; where it is gone, what names it as its cause.  None where nothing does.
    """
    known = list(links)
    named = [link for link in known if link.id == root] or [link for link in known if link.header.cause == root]
    due = next((link.header.mono_intended for link in named), None)
    return _effects(known, named, due or None)


def closure(links: Sequence[Link], roots: Collection[str]) -> set[str]:
    """Ids of those that are a root, have a cause that belongs, or are about an order that belongs."""
    caused: dict[str, list[Link]] = {}
    about: dict[str, list[Link]] = {}
    for link in links:
        caused.setdefault(link.header.cause, []).append(link)
        about.setdefault(link.order, []).append(link)
    chosen: set[str] = set()
    waiting = [link for link in links if link.id in roots]
    while waiting:
        link = waiting.pop()
        if link.id in chosen:
            continue
        chosen.add(link.id)
        waiting += caused.get(link.id, ())
        if link.kind == ORDER and link.order:
            waiting += about[link.order]
    return chosen


def _effects(known: Sequence[Link], named: Sequence[Link], since: int | None) -> tuple[Effect, ...]:
    """`since` None: nobody says when the root's time was, so it is that of the first sending."""
    ids = closure(known, {link.id for link in named})
    found = sorted((link for link in known if link.id in ids), key=lambda link: (link.header.mono_sent, link.id))
    if found and since is None:
        since = found[0].header.mono_sent
    return tuple(Effect(link, link.header.mono_sent - (since or 0)) for link in found)


def _link(message_id: str, header: Header, kind: str, body: Body | None) -> Link:
    asked = request_of(header.trace)
    if isinstance(body, Session):
        return Link(message_id, header, kind, "", body.request, body.requested_ns)
    return Link(message_id, header, kind, _order(body), asked or "", header.mono_intended if asked else 0)


def _order(body: Body | None) -> str:
    """The order that a body is about; empty: none."""
    within = getattr(body, "order", body)
    named: str = getattr(within, "order_id", "")
    return named
