"""A depth subscription's book, rebuilt from TWS's operations by their published reading.

An insert moves the rows from its position on down by one, a delete moves those below it up.  ib_async 2.1.0 keeps a row
at its position instead, so its `domBids` and `domAsks` go wrong where TWS inserts or deletes in the middle of a side;
where TWS does so at the end only, both readings agree.
"""

from typing import NamedTuple

ASK, BID = 0, 1
_INSERT, _UPDATE, _DELETE = 0, 1, 2


class Rung(NamedTuple):
    """One row: price in currency units, displayed size."""

    price: float
    size: float


class Ladder:
    """Both sides, best price first.  `strays` counts operations on rows that do not exist: each is ignored."""

    def __init__(self) -> None:
        self.asks: list[Rung] = []
        self.bids: list[Rung] = []
        self.operations = 0
        self.resets = 0
        self.strays = 0

    def apply(self, position: int, operation: int, side: int, price: float, size: float) -> None:
        """One operation: 0 insert, 1 update, 2 delete; side 0 ask, 1 bid."""
        rows = self.bids if side == BID else self.asks
        self.operations += 1
        if operation == _INSERT and 0 <= position <= len(rows):
            rows.insert(position, Rung(price, size))
        elif operation == _UPDATE and 0 <= position < len(rows):
            rows[position] = Rung(price, size)
        elif operation == _DELETE and 0 <= position < len(rows):
            del rows[position]
        else:
            self.strays += 1

    def reset(self) -> None:
        """TWS starts the book again (error 317)."""
        self.clear()
        self.resets += 1

    def clear(self) -> None:
        """Forget both sides."""
        self.asks.clear()
        self.bids.clear()
