"""The paper venue's state: one replay's day.  Prices are integers of 1/10,000, times market nanoseconds."""

from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from engines.marketdata.book import DEEP_COLUMNS, EndCode, Working
from engines.marketdata.config import VenueConfig
from engines.marketdata.luld import Bands
from engines.wire.messages import Cancelled, Fault, Fill, Filled, Order, Rejected, Replaced, ReplaceRejected

CONFIG = VenueConfig()
EVERYTHING = "*"
Ints = npt.NDArray[np.int64]
Told = Fill | Filled | Cancelled | Rejected | Replaced | ReplaceRejected
Code = (
    EndCode
    | Literal[
        "REQUESTED",  # cancelled: its strategy asked
        "REPLACED",  # cancelled: replaced by no more than had filled
        "OWNER_GONE",
        "DISCONNECTED",  # the scenario's fault
        "REJECT_STORM",  # the scenario's fault
        "SESSION_OVER",
        "SESSION_CLOSED",
        "UNKNOWN_SYMBOL",
        "INVALID_QUANTITY",
        "INVALID_PRICE",
        "OFF_TICK",
        "OUTSIDE_BANDS",
        "TOO_LATE",  # a change of an order that has ended
    ]
)


class Instrument(msgspec.Struct, frozen=True):
    """What may be ordered.  `tick`: 1/10,000; `multiplier`: currency units per point."""

    tick: int
    multiplier: int


class Touch(msgspec.Struct, frozen=True, array_like=True):
    """A quote of a symbol, its sizes as they are displayed or, where that is said, what our orders left of them."""

    ts_ns: int
    bid: int
    ask: int
    bid_size: int
    ask_size: int


class Totals(msgspec.Struct):
    """What the venue did since it was first started."""

    orders: int = 0
    fills: int = 0
    filled: int = 0
    cancelled: int = 0
    rejected: int = 0
    replaced: int = 0
    duplicates: int = 0
    late_cancels: int = 0
    self_trades: int = 0  # orders cancelled before they would have met one of ours
    auctions: int = 0
    pauses: int = 0  # by limit up - limit down
    stale_quotes: int = 0  # older than the one that stood: no market


class Waiting(msgspec.Struct):
    """An accepted order that came before its session."""

    order: Order
    ts_ns: int


class Held(msgspec.Struct):
    """A message that a fault keeps back until `due_ns`."""

    due_ns: int
    body: Told


class Pause(msgspec.Struct):
    """The last pause of a symbol by limit up - limit down, and how often its auction failed."""

    end_ns: int
    extensions: int = 0


class Venue(msgspec.Struct):
    """State of one replay's day.

    `traded`: the last quote of a symbol outside halts, with what our orders left of its sizes.  `deep`: rows of
    displayed books (book.DEEP_COLUMNS).  `recorded`: pauses that the rulebook has from the real day; the tape may or
    may not repeat one, which is told only when its time has passed.
    `owner_gone`: why new orders have no owner; `orphaned`: why the open ones are to be cancelled.
    """

    replay: int = 0
    opened: bool = False  # the session message of this replay was seen
    closed: bool = False
    seed: int = 0
    clock_ns: int = 0  # of the latest quote
    instruments: dict[str, Instrument] = {}
    working: dict[str, Working] = {}
    waiting: dict[str, Waiting] = {}
    seen: set[str] = set()
    seen_before: set[str] = set()  # in the replay before
    halts: dict[str, list[tuple[int, int]]] = {}
    touch: dict[str, Touch] = {}
    traded: dict[str, Touch] = {}
    deep: dict[str, Ints] = {}
    bands: Bands | None = None
    no_bands: str = "no session has opened"
    pauses: dict[str, Pause] = {}
    recorded: dict[str, list[tuple[int, int]]] = {}
    faults: tuple[Fault, ...] = ()
    disconnected: set[int] = set()  # faults that have begun
    held: list[Held] = []
    owner_gone: str = ""
    owner_restarts: int | None = None
    orphaned: str = ""
    arrivals: int = 0
    totals: Totals = msgspec.field(default_factory=Totals)

    def spans(self, symbol: str) -> list[tuple[int, int]]:
        """Halts of a symbol, the market's included: [start, end)."""
        return [*self.halts.get(symbol, ()), *self.halts.get(EVERYTHING, ())]

    def behind(self, symbol: str) -> Ints:
        """The displayed books of a symbol."""
        return self.deep.get(symbol, _NOTHING)


_NOTHING = np.empty((0, DEEP_COLUMNS), np.int64)
