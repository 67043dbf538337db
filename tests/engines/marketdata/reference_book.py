"""A limit order book that is slow and plain to see: two sorted lists and nothing else.

The oracle of the compiled book, and the pure Python book that its benchmark is paired with.
"""

from bisect import insort
from dataclasses import dataclass

from engines.marketdata.lob.layout import (
    BAD_QUANTITY,
    CANCEL,
    CANCELLED,
    DUPLICATE_ID,
    FILLED,
    IOC,
    LIMIT,
    MARKET,
    NONE,
    REJECTED,
    REPLACED,
    REQUESTED,
    RESTED,
    SELF_TRADE,
    TRADE,
    UNFILLED,
    UNKNOWN_ID,
)

Event = tuple[int, int, int, int, int, int]  # order, other, price, quantity, kind, code
Op = tuple[int, int, int, int, int, int]  # order, price, quantity, owner, kind, side


@dataclass
class Resting:
    """One order on a side, which is kept in the order of (-side * price, arrival)."""

    order: int
    side: int
    price: int
    left: int
    owner: int
    arrival: int

    def __lt__(self, other: "Resting") -> bool:
        return (-self.side * self.price, self.arrival) < (-other.side * other.price, other.arrival)


class ReferenceBook:
    """Price-time priority; an order that meets one of its own owner is cancelled."""

    def __init__(self) -> None:
        self.sides: dict[int, list[Resting]] = {1: [], -1: []}
        self.live: dict[int, Resting] = {}
        self.arrivals = 0

    def do(self, op: Op) -> list[Event]:
        """One operation; what happened."""
        order, price, quantity, owner, kind, side = op
        if kind in (LIMIT, MARKET, IOC):
            if quantity <= 0:
                return [(order, 0, price, quantity, REJECTED, BAD_QUANTITY)]
            if order in self.live:
                return [(order, 0, price, quantity, REJECTED, DUPLICATE_ID)]
            return self._come(Resting(order, side, price, quantity, owner, 0), kind)
        known = self.live.get(order)
        if known is None:
            return [(order, 0, price, quantity, REJECTED, UNKNOWN_ID)]
        if kind == CANCEL:
            self._drop(known)
            return [(order, 0, known.price, known.left, CANCELLED, REQUESTED)]
        if quantity <= 0:
            return [(order, 0, price, quantity, REJECTED, BAD_QUANTITY)]
        replaced = (order, 0, price, quantity, REPLACED, NONE)
        if price == known.price and quantity <= known.left:
            known.left = quantity
            return [replaced]
        self._drop(known)
        return [replaced, *self._come(Resting(order, known.side, price, quantity, known.owner, 0), LIMIT)]

    def _come(self, taker: Resting, kind: int) -> list[Event]:
        out: list[Event] = []
        others = self.sides[-taker.side]
        while taker.left and others:
            maker = others[0]
            if kind != MARKET and (taker.price - maker.price) * taker.side < 0:
                break
            if taker.owner and taker.owner == maker.owner:
                return [*out, (taker.order, 0, taker.price, taker.left, CANCELLED, SELF_TRADE)]
            traded = min(taker.left, maker.left)
            taker.left -= traded
            maker.left -= traded
            out.append((taker.order, maker.order, maker.price, traded, TRADE, NONE))
            if not maker.left:
                self._drop(maker)
                out.append((maker.order, 0, maker.price, 0, FILLED, NONE))
        if not taker.left:
            return [*out, (taker.order, 0, taker.price, 0, FILLED, NONE)]
        if kind != LIMIT:
            return [*out, (taker.order, 0, taker.price, taker.left, CANCELLED, UNFILLED)]
        self.arrivals += 1
        taker.arrival = self.arrivals
        insort(self.sides[taker.side], taker)
        self.live[taker.order] = taker
        return [*out, (taker.order, 0, taker.price, taker.left, RESTED, NONE)]

    def _drop(self, resting: Resting) -> None:
        self.sides[resting.side].remove(resting)
        del self.live[resting.order]

    def resting(self, side: int) -> list[tuple[int, int, int, int]]:
        """(order, price, quantity, owner), best first."""
        return [(r.order, r.price, r.left, r.owner) for r in self.sides[side]]
