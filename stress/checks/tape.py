"""The ticks of a replay as arrays, put together from its messages in stream order."""

from collections.abc import Sequence

import msgspec
import numpy as np

from engines.wire.messages import Body, Busts, Depths, Envelope, Levels, Quotes, Session, Trades
from engines.wire.ticks import BUST, DEPTH, LEVEL, QUOTE, TRADE, Rows
from stress.checks.evidence import Evidence, in_replay
from stress.checks.violation import NotJudged

_DTYPES = {"trades": TRADE, "quotes": QUOTE, "levels": LEVEL, "depths": DEPTH, "busts": BUST}
_Batch = Trades | Quotes | Levels | Depths | Busts


class Ticks(msgspec.Struct, frozen=True):
    """Rows of one topic and replay; `source` tells of each row which of `messages` brought it."""

    symbols: tuple[str, ...]
    rows: Rows
    source: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    messages: tuple[Envelope, ...]

    def of(self, symbol: str) -> "Ticks":
        """The rows of one symbol."""
        place = self.symbols.index(symbol) if symbol in self.symbols else -1
        own = self.rows["symbol"] == place
        return Ticks(self.symbols, self.rows[own], self.source[own], self.messages)

    def brought(self, row: int) -> Envelope:
        """The message of a row."""
        return self.messages[int(self.source[row])]


def ticks(evidence: Evidence, topic: str, number: int) -> Ticks:
    """All rows of a topic in a replay.

    Raises:
        NotJudged: the topic was not collected, or its batches list different symbols.
    """
    messages = tuple(m for m in in_replay(evidence.of(topic), number) if isinstance(m.body, _Batch))
    named = {_batch(message.body).symbols for message in messages}
    if len(named) > 1:
        raise NotJudged(f"the batches of {topic} in r{number} list different symbols")
    parts = [np.frombuffer(_batch(message.body).rows, _DTYPES[topic]) for message in messages]
    rows = np.concatenate(parts) if parts else np.empty(0, _DTYPES[topic])
    source = np.repeat(np.arange(len(parts), dtype=np.int64), [part.size for part in parts])
    return Ticks(next(iter(named), ()), rows, source, messages)


def opening(evidence: Evidence, number: int) -> tuple[Envelope, Session]:
    """The session that a replay opened.  Raises NotJudged when there is none."""
    found = [(m, m.body) for m in in_replay(evidence.of("sessions"), number) if isinstance(m.body, Session)]
    opened = next(((m, body) for m, body in found if body.event == "open"), None)
    if opened is None:
        raise NotJudged(f"r{number} tells no session's open")
    return opened


def closed(evidence: Evidence, number: int) -> bool:
    """Whether the replay's session closed."""
    return any(isinstance(m.body, Session) and m.body.event == "close"
               for m in in_replay(evidence.of("sessions"), number))  # fmt: skip


def some(numbers: Sequence[int]) -> Sequence[int]:
    """The replays to judge.  Raises NotJudged when there is none."""
    if not numbers:
        raise NotJudged("nothing was replayed")
    return numbers


def _batch(body: Body) -> _Batch:
    if not isinstance(body, _Batch):
        raise TypeError(f"{type(body).__name__} holds no ticks")
    return body
