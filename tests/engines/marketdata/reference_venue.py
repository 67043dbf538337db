"""Continuous trading at the venue, slow and plain to see: one event after another, lists and nothing else.

The oracle of the venue without auctions and bands.  It knows all rows and orders beforehand, so it has no batches.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from engines.wire.messages import Order
from tests.engines.marketdata.venue_rig import Row

Book = list[list[int]]  # [price, size], best first
Told = tuple[str, int, int, int]  # order, quantity, price, time


class Displayed(NamedTuple):
    """A displayed book; each level is [price, size]."""

    ts: int
    symbol: str
    bids: Book
    asks: Book


@dataclass
class Mine:
    """An order of ours; `number`: its place in the order of arrival."""

    order: Order
    live: int
    number: int
    left: int = 0
    rests: int | None = None
    gone: str = ""

    def __post_init__(self) -> None:
        self.left = self.order.quantity

    @property
    def open(self) -> bool:
        return self.left > 0 and not self.gone


@dataclass
class PlainVenue:
    """One symbol; `stands` is the quote that stood before, `closed` the time from which on it is halted for good."""

    symbol: str
    orders: Sequence[Mine]
    books: Sequence[Displayed]
    stands: Row | None = None
    closed: int = 1 << 62
    told: list[Told] = field(default_factory=list)

    def run(self, rows: Sequence[Row], begin: int, end: int) -> None:
        """All quotes of the symbol, and each order's own time in [begin, end)."""
        own = [row for row in rows if row.symbol == self.symbol]
        times = {mine.live for mine in self.orders if begin <= mine.live < end} - {row.ts for row in own}
        sizes = self._sizes()
        for ts, row in sorted([(row.ts, row) for row in own] + [(ts, None) for ts in times], key=lambda at: at[0]):
            if row is not None:
                self.stands, sizes = row, [row.bid_size, row.ask_size]
            if self.stands is not None and self.stands.bid < self.stands.ask and ts < self.closed:
                self._meet(ts, self.stands, sizes)
        for mine in self.orders:
            if mine.open and mine.order.tif == "ioc" and mine.live < end:
                mine.gone = "HALTED" if mine.live >= self.closed else "IOC"

    def _sizes(self) -> list[int]:
        return [self.stands.bid_size, self.stands.ask_size] if self.stands is not None else [0, 0]

    def _meet(self, ts: int, row: Row, sizes: list[int]) -> None:
        """The resting orders first, then those that come."""
        book = next((book for book in reversed(self.books) if book.symbol == self.symbol and book.ts <= ts), None)
        offers = {1: [(row.ask, sizes, 1)], -1: [(row.bid, sizes, 0)]}
        if book is not None:
            offers[1] += [(level[0], level, 1) for level in book.asks if level[0] > row.ask]
            offers[-1] += [(level[0], level, 1) for level in book.bids if level[0] < row.bid]
        for side in (1, -1):
            for price, table, at in offers[side]:
                for mine in self._resting(side):
                    assert mine.rests is not None
                    if (mine.rests - price) * side >= 0:
                        self._trade(mine, table, at, mine.rests, ts)
        coming = [mine for mine in self.orders if mine.open and mine.rests is None and self._due(mine, ts)]
        stood = {mine.number for mine in self._resting(1) + self._resting(-1)}
        for mine in sorted(coming, key=lambda mine: (mine.live, mine.number)):
            self._come(mine, offers[mine.order.side], stood, ts)

    def _come(self, mine: Mine, offers: list[tuple[int, list[int], int]], stood: set[int], ts: int) -> None:
        """At one price an order that `stood` before the row is ahead of what is displayed, a newer one behind."""
        side, limit = mine.order.side, mine.order.limit
        reached = [other for other in self._resting(-side) if limit is None or (limit - (other.rests or 0)) * side >= 0]
        for price, table, at in [*offers, ((1 << 62) * side, [0, 0], 0)]:
            if any((price - (other.rests or 0)) * side >= (other.number not in stood) for other in reached):
                if mine.left:
                    mine.gone = "SELF_TRADE"
                return
            if limit is None or (limit - price) * side >= 0:
                self._trade(mine, table, at, price, ts)
        if mine.left and mine.order.tif == "ioc":
            mine.gone = "IOC"
        elif mine.left and limit is not None:
            mine.rests = limit

    def _resting(self, side: int) -> list[Mine]:
        found = [mine for mine in self.orders if mine.open and mine.rests is not None and mine.order.side == side]
        return sorted(found, key=lambda mine: (-side * (mine.rests or 0), mine.number))

    def _due(self, mine: Mine, ts: int) -> bool:
        return mine.live == ts or (mine.live < ts and mine.order.tif == "day")

    def _trade(self, mine: Mine, table: list[int], at: int, price: int, ts: int) -> None:
        quantity = min(mine.left, table[at])
        if quantity > 0:
            mine.left -= quantity
            table[at] -= quantity
            self.told.append((mine.order.order_id, quantity, price, ts))
