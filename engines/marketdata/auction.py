"""A call auction: the one price at which most trades; a pure function of the orders.

The price maximises the executable volume, then leaves the least imbalance, then is nearest to the reference (of two as
near, the lower).  It stands on the tick and within the collars.  A market order's price is MOST (to buy) or LEAST (to
sell).  Prices are integers of 1/10,000.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

MOST = 1 << 60
LEAST = -MOST
Interest = Sequence[tuple[int, int]]  # (price, quantity)
Ints = npt.NDArray[np.int64]


class Cross(NamedTuple):
    """What an auction finds.  `price` is None when nothing trades.

    `resolved`: no bid that is left reaches an offer that is left.  Without collars that is always so; with them, orders
    may meet beyond a collar, and the market then stays closed.
    """

    price: int | None
    volume: int
    imbalance: int  # bought less sold, if there were enough of both, at the price
    resolved: bool


def cross(
    buys: Interest, sells: Interest, reference: int, tick: int, collars: tuple[int, int] = (LEAST, MOST)
) -> Cross:
    """The auction of `buys` and `sells`."""
    bids, offers = _columns(buys), _columns(sells)
    anywhere = _candidates(bids[0], offers[0], reference, tick, (LEAST, MOST))
    most = int(_volumes(bids, offers, anywhere)[0].max(initial=0))
    prices = _candidates(bids[0], offers[0], reference, tick, collars)
    volumes, imbalances = _volumes(bids, offers, prices)
    if volumes.max(initial=0) == 0:
        return Cross(None, 0, 0, most == 0)
    best = np.lexsort((prices, np.abs(prices - reference), np.abs(imbalances), -volumes))[0]
    volume = int(volumes[best])
    return Cross(int(prices[best]), volume, int(imbalances[best]), volume == most)


def _columns(orders: Interest) -> tuple[Ints, Ints]:
    table = np.array(orders, np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _candidates(bids: Ints, offers: Ints, reference: int, tick: int, collars: tuple[int, int]) -> Ints:
    """Prices among which the best one is: volume and imbalance only change beside the orders' own prices."""
    low, high = collars
    low = -(-low // tick) * tick
    high = high // tick * tick
    floor = reference // tick * tick
    near = np.array([floor, floor + tick], np.int64)
    own = np.concatenate([bids, bids + tick, offers, offers - tick, near])
    own = own[np.abs(own) < MOST - tick]  # not the prices of market orders
    return np.unique(np.clip(own, low, high)) if low <= high else np.empty(0, np.int64)


def _volumes(bids: tuple[Ints, Ints], offers: tuple[Ints, Ints], prices: Ints) -> tuple[Ints, Ints]:
    """Per price, the executable volume and the imbalance."""
    wanted = (bids[1] * (bids[0] >= prices[:, None])).sum(axis=1)
    given = (offers[1] * (offers[0] <= prices[:, None])).sum(axis=1)
    return np.minimum(wanted, given), wanted - given
