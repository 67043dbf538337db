"""Frames of the stream: what clients are sent and may send.  JSON text, one object a frame.

Server: `{"type":"message","topic",…,"body"}`, `{"type":"dropped","count"}`, `{"type":"subscribed","topics"}`,
`{"type":"pong"}`, `{"type":"error","detail"}`.
Client: `{"op":"subscribe","topics":[…]}`, `{"op":"unsubscribe","topics":[…]}`, `{"op":"ping"}`.
Rows of ticks are lists in the order of `columns`.
"""

from collections.abc import Collection

import msgspec
import numpy as np

from engines.wire.errors import UnknownName, UsageError
from engines.wire.messages import TOPICS, Body, Envelope, Levels, Quotes, Trades
from engines.wire.ticks import LEVEL, QUOTE, TRADE

_DTYPES = {Trades: TRADE, Quotes: QUOTE, Levels: LEVEL}


class Ticks(msgspec.Struct, frozen=True):
    """A batch of ticks for people: `rows` follow `columns`; `symbol` is an index into `symbols`."""

    symbols: tuple[str, ...]
    columns: tuple[str, ...]
    rows: list[tuple[int, ...]]


class MessageFrame(msgspec.Struct, frozen=True, tag_field="type", tag="message"):
    """One message.  `id` is unique; `ts_event` is market time in ns."""

    topic: str
    id: str
    kind: str
    producer: str
    seq: int
    trace: str
    ts_event: int
    body: Body | Ticks


class Dropped(msgspec.Struct, frozen=True, tag_field="type", tag="dropped"):
    """This client was too slow: `count` messages before the next one were left out."""

    count: int


class Subscribed(msgspec.Struct, frozen=True, tag_field="type", tag="subscribed"):
    """The topics that this client gets from now on."""

    topics: tuple[str, ...]


class Pong(msgspec.Struct, frozen=True, tag_field="type", tag="pong"):
    """The answer to a ping."""


class Error(msgspec.Struct, frozen=True, tag_field="type", tag="error"):
    """A command that cannot be obeyed."""

    detail: str


class Subscribe(msgspec.Struct, frozen=True, tag_field="op", tag="subscribe"):
    """Send these topics too."""

    topics: tuple[str, ...]


class Unsubscribe(msgspec.Struct, frozen=True, tag_field="op", tag="unsubscribe"):
    """Send these topics no more."""

    topics: tuple[str, ...]


class Ping(msgspec.Struct, frozen=True, tag_field="op", tag="ping"):
    """Ask for a pong."""


Command = Subscribe | Unsubscribe | Ping
_commands: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
_encoder = msgspec.json.Encoder()


def frame(envelope: Envelope) -> bytes:
    """A message as its frame."""
    header, body = envelope.header, envelope.body
    return _encoder.encode(
        MessageFrame(
            topic=envelope.topic,
            id=envelope.id,
            kind=type(body).__name__,
            producer=header.producer,
            seq=header.seq,
            trace=header.trace,
            ts_event=header.ts_event,
            body=_ticks(body) if isinstance(body, Trades | Quotes | Levels) else body,
        )
    )


def notice(reply: Dropped | Subscribed | Pong | Error) -> bytes:
    """Any other frame."""
    return _encoder.encode(reply)


def command(text: str | bytes) -> Command:
    """What a client asks.

    Raises:
        UsageError: it is no command, or names an unknown topic.
    """
    try:
        asked = _commands.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError("That is no command.", str(error), 'Try {"op":"subscribe","topics":["trades"]}.') from error
    if not isinstance(asked, Ping):
        known(asked.topics)
    return asked


def known(topics: Collection[str]) -> frozenset[str]:
    """The topics, all of which exist.

    Raises:
        UnknownName: with the nearest topic.
    """
    for topic in topics:
        if topic not in TOPICS:
            raise UnknownName("topic", topic, TOPICS)
    return frozenset(topics)


def _ticks(body: Trades | Quotes | Levels) -> Ticks:
    dtype = _DTYPES[type(body)]
    return Ticks(body.symbols, dtype.names or (), np.frombuffer(body.rows, dtype).tolist())
