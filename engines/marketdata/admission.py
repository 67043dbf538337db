"""Which orders the venue takes, and when they reach the book."""

import zlib

import numpy as np

from engines.marketdata import luld
from engines.marketdata.venue_state import CONFIG, EVERYTHING, Code, Venue
from engines.wire.messages import Order

Refusal = tuple[Code, str]


def arrival_ns(order_id: str, ts_ns: int, seed: int) -> int:
    """When an order that leaves at `ts_ns` reaches the book: the latency, and a jitter that id and seed decide."""
    return ts_ns + CONFIG.latency_ns + zlib.crc32(f"{seed}/{order_id}".encode()) % (CONFIG.jitter_ns + 1)


def refusal(venue: Venue, order: Order, ts_ns: int) -> Refusal | None:
    """Why a new order cannot be taken; None when it can."""
    if venue.closed:
        return "SESSION_CLOSED", "the session is closed"
    if venue.owner_gone:
        return "OWNER_GONE", venue.owner_gone
    for fault in venue.faults:
        if fault.symbol in (order.symbol, EVERYTHING) and fault.start_ns <= ts_ns < fault.end_ns:
            if fault.kind == "reject-storm":
                return "REJECT_STORM", "the venue rejects every order now"
            if fault.kind == "disconnect":
                return "DISCONNECTED", "the connection to the venue is down"
    return invalid(venue, order, ts_ns)


def invalid(venue: Venue, order: Order, ts_ns: int) -> Refusal | None:
    """What is wrong with an order, new or changed."""
    if not 0 < order.quantity <= CONFIG.most_quantity:
        return "INVALID_QUANTITY", f"a quantity of {order.quantity} cannot be traded"
    instrument = venue.instruments.get(order.symbol)
    if instrument is None:
        return "UNKNOWN_SYMBOL", f"{order.symbol} cannot be ordered here"
    if order.limit is None:
        return None
    if not 0 < order.limit <= CONFIG.most_price:
        return "INVALID_PRICE", f"a limit of {order.limit}/10000 is no price"
    if order.limit % instrument.tick:
        return "OFF_TICK", f"its limit is not on the tick of {instrument.tick}/10000"
    return _beyond(venue, order, order.limit, ts_ns)


def _beyond(venue: Venue, order: Order, limit: int, ts_ns: int) -> Refusal | None:
    """A price on the far side of the bands could not trade; one on the paying side trades, and rests, at the band."""
    place = venue.bands.place(order.symbol) if venue.bands is not None else None
    if venue.bands is None or place is None:
        return None
    now = np.array([max(ts_ns, venue.clock_ns)])
    lower, upper = (int(band[0]) for band in luld.at(venue.bands, place, now))
    if (order.side > 0 and limit < lower) or (order.side < 0 and limit > upper):
        return "OUTSIDE_BANDS", f"its limit lies outside the bands of {lower}/10000 to {upper}/10000"
    return None
