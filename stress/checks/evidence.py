"""The evidence of a run: every message of its topics in stream order, and what was read beside them.  Pure.

Nothing here fills a gap: a topic that was not collected, or that its producer trimmed before it was, is said to be so.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from engines.wire.messages import Body, Envelope, Header, Session
from engines.wire.trace import replay_of
from stress.checks.violation import NotJudged, Violation

B = TypeVar("B", bound=Body)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Risk's limits, as `GET /limits` of the risk engine tells them; money of 1/10,000."""

    order_shares: int
    order_contracts: int
    order_notional: int
    position_shares: int
    position_contracts: int
    position_notional: int
    gross_notional: int
    open_orders: int
    collar_percent: int


class Stray(msgspec.Struct, frozen=True):
    """An entry whose body cannot be decoded; its header, where that can."""

    topic: str
    entry_id: str
    header: Header | None


class Mark(msgspec.Struct, frozen=True):
    """Where one evidence ends and the next begins.

    `last`: the last entry by topic; `added`: entries that the server had taken by then; `numbers`: the last sequence
    number by `producer/epoch/topic`.
    """

    last: dict[str, str] = {}
    added: dict[str, int] = {}
    numbers: dict[str, int] = {}


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a run.

    `topics`: messages in stream order.  `added`: entries that the server took in the same time; more than are here
    means that the stream was trimmed.  `ends`: the last entry of each topic when it was collected.  `before`: the last
    sequence number of each `producer/epoch/topic` before them.  `recorded`: ids of the entries that the recorder holds,
    for each topic that it consumes.  `limits` are settings that no message tells.  `released`: pins of the tape that an
    overlay released, `SYMBOL pin` and why, as the tape's status names them.  `again`: the same mission run once more.
    """

    topics: dict[str, tuple[Envelope, ...]]
    added: dict[str, int] = {}
    ends: dict[str, str] = {}
    before: dict[str, int] = {}
    strays: tuple[Stray, ...] = ()
    recorded: dict[str, frozenset[str]] | None = None
    limits: Limits | None = None
    released: tuple[str, ...] = ()
    again: "Evidence | None" = None

    def of(self, topic: str) -> tuple[Envelope, ...]:
        """A topic's messages.  Raises NotJudged when it was not collected."""
        if topic not in self.topics:
            raise NotJudged(f"{topic} was not collected")
        return self.topics[topic]

    def trimmed(self, topic: str) -> bool:
        """Whether entries of it were gone before they could be collected."""
        strays = sum(stray.topic == topic for stray in self.strays)
        return self.added.get(topic, 0) > len(self.of(topic)) + strays

    def whole(self, *topics: str) -> None:
        """Raises NotJudged unless all of these are here from their first message on."""
        for topic in topics:
            if self.trimmed(topic):
                raise NotJudged(f"{topic} was trimmed: {len(self.of(topic))} of {self.added[topic]} entries were left")

    def concluded(self, found: Sequence[Violation], *topics: str) -> tuple[Violation, ...]:
        """What was found; that nothing was found only counts when these topics are whole."""
        if not found:
            self.whole(*topics)
        return tuple(found)

    def bodies(self, topic: str, kind: type[B]) -> Iterator[tuple[Envelope, B]]:
        """Messages of one class, with their bodies."""
        for message in self.of(topic):
            if isinstance(message.body, kind):
                yield message, message.body

    def way_ns(self) -> tuple[int, int] | None:
        """Market time that an order is on its way to the venue: at least, at most.  None: sessions do not tell one."""
        told = {(body.latency_ns, body.jitter_ns) for _, body in self.bodies("sessions", Session)}
        latency, jitter = told.pop() if len(told) == 1 else (None, None)
        return None if latency is None or jitter is None else (latency, latency + jitter)

    def replays(self) -> list[int]:
        """The replays of which a session was told."""
        found = (replay(message) for message in self.of("sessions"))
        return sorted({number for number in found if number is not None})


def replay(message: Envelope) -> int | None:
    """The replay that a message belongs to."""
    return replay_of(message.header.trace)


def in_replay(messages: Sequence[Envelope], number: int) -> list[Envelope]:
    """Those of one replay."""
    return [message for message in messages if replay(message) == number]
