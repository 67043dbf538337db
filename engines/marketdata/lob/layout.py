"""What goes into a book and what comes out: operations and events as numpy rows.

Prices, quantities, ids and owners are integers.  An owner of 0 means nobody: such orders trade with everyone.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt

# kinds of operations
LIMIT, MARKET, IOC, CANCEL, REPLACE = range(5)
# kinds of events.  FILLED, CANCELLED and REJECTED are the ends of an order (a rejected operation that names a live
# order, or one that is gone, ends nothing).
TRADE, RESTED, REPLACED, FILLED, CANCELLED, REJECTED = range(6)
# why an order was cancelled or an operation rejected
NONE, REQUESTED, UNFILLED, SELF_TRADE, BAD_QUANTITY, DUPLICATE_ID, UNKNOWN_ID = range(7)

OP = np.dtype(
    [("order", "<i8"), ("price", "<i8"), ("quantity", "<i8"), ("owner", "<i4"), ("kind", "<i2"), ("side", "<i2")],
)
"""`side` +1 buys, -1 sells.  MARKET ignores `price`, CANCEL all but `order`.  REPLACE names an order, its new price and
the quantity that is to be open from now on; it keeps its place only where the price stays and the quantity falls."""

EVENT = np.dtype(
    [
        ("op", "<i8"),  # place of the operation in its batch
        ("order", "<i8"),
        ("other", "<i8"),  # of a TRADE: the resting order; `order` is the one that came
        ("price", "<i8"),
        ("quantity", "<i8"),  # traded, resting, or what was left when the order ended
        ("kind", "<i4"),
        ("code", "<i4"),
    ]
)


class OpRow(Protocol):
    """One row of OP."""

    order: int
    price: int
    quantity: int
    owner: int
    kind: int
    side: int


Ops = npt.NDArray[np.void]
Events = npt.NDArray[np.void]
Ints = npt.NDArray[np.int64]

# columns of the order table; slot 0 is nobody
ID, SIDE, PRICE, LEFT, OWNER, BEFORE, AFTER = range(7)
ORDER_COLUMNS = 8
# columns of a side's levels.  KEY is the price of a bid and minus the price of an ask: the best level is the largest
# key, and stands last
KEY, HEAD, TAIL = range(3)
LEVEL_COLUMNS = 3
# places of `counts`
BIDS, ASKS, FREE, LIVE = range(4)
