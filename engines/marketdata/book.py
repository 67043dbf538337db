"""Our own resting orders in one symbol, matched against the tape's touch.

Convention: an order takes the touch at the first quote it meets, as far as the displayed size goes; whatever is left of
a limit order then rests, and fills at its limit when the touch crosses it; whatever is left of a market order takes the
next touch.  Each quote offers its displayed size once, to our orders in price-time priority.  Our fills come on top of
the tape's volume and do not move it.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from engines.wire.messages import Order
from engines.wire.ticks import Rows

Ints = npt.NDArray[np.int64]


class Working(msgspec.Struct):
    """An order at the venue."""

    order: Order
    live_ns: int  # no quote before this market time fills it
    arrival: int  # place in time priority
    remaining: int
    fills: int = 0
    resting: bool = False  # it met a quote and is a resting order from then on


class Match(NamedTuple):
    """One execution, before fees."""

    working: Working
    number: int  # of this order's fills
    last: bool  # nothing remains of the order
    quantity: int
    price: int
    ts_ns: int


def match(orders: Sequence[Working], rows: Rows) -> list[Match]:
    """Match `orders` of one symbol against its quotes (ticks.QUOTE, in time order); changes the orders in place."""
    found: list[Match] = []
    for side, price, size in ((1, "ask", "ask_size"), (-1, "bid", "bid_size")):
        ours = sorted((w for w in orders if w.order.side == side), key=_priority)
        if ours:
            found += _one_side(ours, rows["ts"], rows[price], rows[size])
    return sorted(found, key=lambda m: m.ts_ns)


def _priority(working: Working) -> tuple[int, int, int]:
    """Market orders first, then the better limit, then the earlier arrival."""
    limit = working.order.limit
    return (0, 0, working.arrival) if limit is None else (1, -working.order.side * limit, working.arrival)


def _one_side(ours: list[Working], ts: Ints, touch: Ints, shown: Ints) -> Iterator[Match]:
    starts = [int(ts.searchsorted(working.live_ns)) for working in ours]
    crossings: list[npt.NDArray[np.bool_]] = []
    for working, start in zip(ours, starts, strict=True):
        crossings.append(_crosses(working.order, touch))
        crossings[-1][:start] = False
    for i in np.flatnonzero(np.any(crossings, axis=0)):
        price, left = int(touch[i]), int(shown[i])
        for working, start, crossing in zip(ours, starts, crossings, strict=True):
            quantity = min(left, working.remaining)
            if quantity == 0 or not crossing[i]:
                continue
            left -= quantity
            working.remaining -= quantity
            working.fills += 1
            limit = working.order.limit
            paid = limit if limit is not None and (working.resting or i > start) else price
            yield Match(working, working.fills, working.remaining == 0, quantity, paid, int(ts[i]))
        if all(working.remaining == 0 for working in ours):
            break
    for working, start in zip(ours, starts, strict=True):
        working.resting |= start < ts.size


def _crosses(order: Order, touch: Ints) -> npt.NDArray[np.bool_]:
    """Whether the touch on the other side is at the order's limit or better for it."""
    if order.limit is None:
        return np.ones(touch.shape, np.bool_)
    return (touch - order.limit) * order.side <= 0
