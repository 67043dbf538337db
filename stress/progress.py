"""What a running mission says of itself, several times a second."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import msgspec

from stress.load.result import LoadSecond


class Light(NamedTuple):
    """One engine's answer to the last health request; `response_ms` None: it gave none.

    `excused`: an announced fault touches it.
    """

    status: str
    response_ms: float | None
    excused: bool = False


class FaultNote(NamedTuple):
    """A fault was injected, or healed."""

    id: str
    words: str
    event: Literal["inject", "heal"]


class Price(NamedTuple):
    """The middle of a symbol's quote in currency units, at a market time in nanoseconds."""

    symbol: str
    ts_ns: int
    value: float


class Progress(msgspec.Struct, frozen=True):
    """`done_s` of about `total_s` seconds of the whole mission; `facts` and what follows are for display only."""

    phase: str
    text: str
    done_s: float
    total_s: float
    facts: dict[str, float | int | str] = {}
    load: LoadSecond | None = None  # the second that has just passed
    engines: dict[str, Light] | None = None
    fault: FaultNote | None = None
    price: Price | None = None


Listener = Callable[[Progress], None]
