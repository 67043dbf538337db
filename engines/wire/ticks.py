"""The rows in which ticks travel: one message carries one structured array of one of these types.

``ts``      nanoseconds since the Unix epoch, UTC
``symbol``  index into the scenario's symbol tuple; 0 is the index, which is a level and never traded
``price``, ``bid``, ``ask``, ``level``  integers of 1/10,000 of a currency unit (or of an index point)
``side``    +1 buyer-initiated, -1 seller-initiated
``size``    shares or contracts
``bid``, ``ask`` of a DEPTH row are the first five prices of each side, best first, with their displayed sizes; level 1
is the touch. A level that shows nothing has size 0.

The types are packed and little-endian, so the bytes of an array are the same on every machine.
"""

import numpy as np
import numpy.typing as npt

PRICE_SCALE = 10_000

TRADE = np.dtype([("ts", "<i8"), ("symbol", "u1"), ("side", "i1"), ("price", "<i8"), ("size", "<i8")])
QUOTE = np.dtype(
    [
        ("ts", "<i8"),
        ("symbol", "u1"),
        ("bid", "<i8"),
        ("ask", "<i8"),
        ("bid_size", "<i4"),
        ("ask_size", "<i4"),
    ]
)
BOOK_LEVELS = 5
DEPTH = np.dtype(
    [
        ("ts", "<i8"),
        ("symbol", "u1"),
        ("bid", "<i8", (BOOK_LEVELS,)),
        ("ask", "<i8", (BOOK_LEVELS,)),
        ("bid_size", "<i4", (BOOK_LEVELS,)),
        ("ask_size", "<i4", (BOOK_LEVELS,)),
    ]
)
LEVEL = np.dtype([("ts", "<i8"), ("symbol", "u1"), ("level", "<i8")])

# A trade that an exchange takes back: `trade_ts`, `price` and `size` are the trade's, `corrected` is the price that
# stands in its place, or 0 where the trade is gone.
BUST = np.dtype(
    [("ts", "<i8"), ("symbol", "u1"), ("trade_ts", "<i8"), ("price", "<i8"), ("size", "<i8"), ("corrected", "<i8")]
)

Rows = npt.NDArray[np.void]


def to_units(price: float) -> int:
    """A price in currency units as the nearest integer of 1/10,000."""
    return round(price * PRICE_SCALE)
