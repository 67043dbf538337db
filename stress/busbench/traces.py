"""Reads from the streams of a running fleet what tells which message caused which.  Looking changes nothing.

Ticks are sources: nothing causes them, so of their topics only the one message that is asked for is read.
"""

from collections.abc import Mapping
from typing import NamedTuple

from engines.fleet import resp
from engines.wire.bus import Entry
from engines.wire.causes import Link, read
from engines.wire.errors import MessageError, UnknownName, UsageError
from engines.wire.messages import TOPICS, BusName
from engines.wire.trace import is_request_id
from stress.busbench.streams import entries

NEWEST = 10_000
LAST = "last"
_PAGE = 500
_CAUSED = tuple(topic for topic, bus in TOPICS.items() if bus == "main" or topic == "sessions")

Links = Mapping[BusName, resp.Connection]


class Found(NamedTuple):
    """What was read.

    `cut`: by topic of which older entries were left unread, when the oldest that was read had been sent
    (CLOCK_MONOTONIC); `torn`: entries that cannot be decoded.
    """

    links: list[Link]
    cut: dict[str, int]
    torn: int


def root_of(links: Links, asked: str) -> str:
    """What is asked for: the id of a request, or a message's `<topic>/<entry id>`, `<topic>/last` resolved.

    Raises:
        UnknownName: there is no such topic.
        UsageError: it is neither.
        BusError: the bus does not answer.
    """
    topic, slash, entry_id = asked.partition("/")
    if not slash:
        if not is_request_id(asked):
            raise UsageError(
                f"{asked!r} is no id of a request.",
                "One has up to 64 letters, digits, full stops, underscores and hyphens.",
                "Give an id that a reply named in X-Request-Id, or TOPIC/ENTRY of a message.",
            )
        return asked
    if topic not in TOPICS:
        raise UnknownName("topic", topic, TOPICS)
    if entry_id != LAST:
        return asked
    page = entries(links[TOPICS[topic]].ask("XREVRANGE", topic, "+", "-", "COUNT", 1))
    if not page:
        raise UsageError(f"{topic} holds no message.", "None was sent, or all are read and dropped.", "Try fleet/last.")
    return f"{topic}/{page[0][0]}"


def look(links: Links, root: str, newest: int) -> Found:
    """The newest entries of every topic that something can have caused, and the root.  Raises BusError."""
    found = Found([], {}, 0)
    for topic in _CAUSED:
        found = _newest(links[TOPICS[topic]], topic, newest, found)
    topic, slash, entry_id = root.partition("/")
    if slash and all(link.id != root for link in found.links):
        found = _more(found, topic, entries(links[TOPICS[topic]].ask("XRANGE", topic, entry_id, entry_id)))
    return found


def _newest(link: resp.Connection, topic: str, newest: int, found: Found) -> Found:
    """With up to so many entries of a topic."""
    end, left = "+", newest
    while left:
        page = entries(link.ask("XREVRANGE", topic, end, "-", "COUNT", min(left, _PAGE)))
        found = _more(found, topic, page)
        if len(page) < min(left, _PAGE):
            return found
        left -= len(page)
        end = f"({page[-1][0]}"
    if entries(link.ask("XREVRANGE", topic, end, "-", "COUNT", 1)):
        sent = [each.header.mono_sent for each in found.links if each.id.startswith(f"{topic}/")]
        found.cut[topic] = min(sent, default=0)
    return found


def _more(found: Found, topic: str, page: list[tuple[str, dict[str, bytes]]]) -> Found:
    torn = found.torn
    for entry_id, fields in page:
        try:
            found.links.append(read(Entry(topic, entry_id, fields.get("h", b""), fields.get("b", b""))))
        except MessageError:
            torn += 1
    return found._replace(torn=torn)
