"""A limit order book: continuous matching by price, then time.

Self-trade prevention cancels the newest: an order that meets a resting one of its own owner is cancelled there, with
what it has traded before standing.  The same operations give the same events.
"""

from collections.abc import Sequence

import numpy as np

from engines.marketdata.lob.layout import (
    AFTER,
    EVENT,
    FREE,
    HEAD,
    ID,
    LEFT,
    LEVEL_COLUMNS,
    LIVE,
    OP,
    ORDER_COLUMNS,
    OWNER,
    PRICE,
    Events,
    Ints,
    Ops,
)

Row = tuple[int, int, int, int, int, int]  # order, price, quantity, owner, kind, side


def ops(rows: Sequence[Row]) -> Ops:
    """Rows of (order, price, quantity, owner, kind, side) as operations."""
    return np.array(rows, OP)


class Book:
    """One instrument's book.  `capacity`: live orders that fit before its arrays are doubled."""

    def __init__(self, capacity: int = 256) -> None:
        self._allocate(1 << max(4, (capacity - 1).bit_length()))
        self._events: Events = np.empty(0, EVENT)

    def apply(self, operations: Ops) -> Events:
        """Do the operations in order; what happened, in order.  The rows are overwritten by the next call."""
        from engines.marketdata.lob.kernel import run  # numba: loaded with the first operation, not at start-up

        live = int(self._counts[LIVE])
        while live + operations.size >= self._orders.shape[0]:
            self._grow()
        most = 2 * live + 4 * operations.size  # a trade ends an order, and no other event comes twice an operation
        if self._events.size < most:
            self._events = np.empty(most, EVENT)
        count = run((self._orders, self._levels, self._index, self._counts), operations, self._events)
        return self._events[:count]

    def resting(self, side: int) -> list[tuple[int, int, int, int]]:
        """(order, price, quantity, owner) of a side, in the order in which they would trade."""
        s = 0 if side > 0 else 1
        found: list[tuple[int, int, int, int]] = []
        for at in range(int(self._counts[s]) - 1, -1, -1):
            slot = int(self._levels[s, at, HEAD])
            while slot:
                row = self._orders[slot]
                found.append((int(row[ID]), int(row[PRICE]), int(row[LEFT]), int(row[OWNER])))
                slot = int(row[AFTER])
        return found

    def __len__(self) -> int:
        """Live orders."""
        return int(self._counts[LIVE])

    def _allocate(self, slots: int) -> None:
        self._orders: Ints = np.zeros((slots, ORDER_COLUMNS), np.int64)
        self._levels: Ints = np.zeros((2, slots, LEVEL_COLUMNS), np.int64)
        self._index: Ints = np.zeros(2 * slots, np.int64)
        self._counts: Ints = np.zeros(4, np.int64)
        self._orders[:, AFTER] = np.arange(1, slots + 1)
        self._counts[FREE] = 1  # slot 0 is nobody

    def _grow(self) -> None:
        """Twice as many slots.  Slots keep their numbers; the hash is filled anew."""
        orders, levels, counts = self._orders, self._levels, self._counts
        slots = orders.shape[0]
        self._allocate(2 * slots)
        self._orders[:slots] = orders
        self._levels[:, :slots] = levels
        self._counts[:] = counts
        self._rehash(orders)

    def _rehash(self, orders: Ints) -> None:
        from engines.marketdata.lob.kernel import remember_all

        free = np.zeros(orders.shape[0], np.bool_)
        slot = int(self._counts[FREE])
        while slot < orders.shape[0]:
            free[slot] = True
            slot = int(orders[slot, AFTER])
        free[0] = True
        remember_all(self._orders, self._index, np.flatnonzero(~free))


def warm() -> None:
    """Load the compiled kernel from the cache, or compile it."""
    Book(4).apply(ops([(1, 1, 1, 0, 0, 1)]))
