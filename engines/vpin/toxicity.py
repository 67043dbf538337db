"""VPIN, the volume-synchronised probability of informed trading, one time bar at a time.

Easley, Lopez de Prado and O'Hara (2012), "Flow toxicity and liquidity in a high-frequency world":
- a time bar of volume v whose price changed by d has the buy volume v * Z(d / sigma), Z the standard normal CDF
  (bulk volume classification) and sigma the standard deviation of the changes;
- volume is laid into buckets of exactly V; a bar that straddles buckets is split, each part with the bar's Z;
- VPIN = sum over the last n buckets of |V_sell - V_buy| / (n V).
Where they take sigma over the whole sample, sigma here is causal: the population standard deviation of the changes
seen so far, the bar's own included.  A bar without a change, or without a sigma, is half bought.

What VPIN does not show: Andersen and Bondarenko (2014) find no warning before the crash of 6 May 2010 when only
earlier data are used, and a mechanical link to volume and volatility.
"""

import math
from collections.abc import Callable

import msgspec

Cdf = Callable[[float], float]


def normal_cdf(z: float) -> float:
    """Standard normal distribution function."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


class Bucket(msgspec.Struct, frozen=True, array_like=True):
    """A closed bucket: its number from 0, the volume bought in it (fractional), and VPIN up to it."""

    number: int
    bought: float
    vpin: float | None


class Toxicity(msgspec.Struct):
    """One symbol's buckets.  Volumes are shares or contracts, prices integers of 1/10,000."""

    bucket: int  # V
    window: int  # n
    price: int | None = None  # of the last bar
    changes: int = 0
    mean: float = 0.0
    spread: float = 0.0  # sum of squared deviations of the changes from their mean
    filled: int = 0  # of the open bucket
    bought: float = 0.0  # of the open bucket
    closed: int = 0
    imbalances: list[float] = []  # ring of the last n buckets' |V_sell - V_buy|
    imbalance: float = 0.0  # their sum
    total: int = 0  # volume taken in

    def sigma(self) -> float:
        """Population standard deviation of the price changes so far; 0 before the second."""
        return math.sqrt(self.spread / self.changes) if self.changes > 1 else 0.0

    def vpin(self) -> float | None:
        """VPIN of the last n buckets; None before there are n."""
        if self.closed < self.window:
            return None
        return min(1.0, max(0.0, self.imbalance / (self.window * self.bucket)))

    def add(self, volume: int, price: int, cdf: Cdf = normal_cdf) -> list[Bucket]:
        """Take in a time bar that closed at `price`; the buckets that it closes."""
        share = self._classify(price, cdf)
        self.total += volume
        made: list[Bucket] = []
        while volume:
            part = min(volume, self.bucket - self.filled)
            self.filled += part
            self.bought += part * share
            volume -= part
            if self.filled == self.bucket:
                made.append(self._close())
        return made

    def _classify(self, price: int, cdf: Cdf) -> float:
        """Learn the change to `price` (Welford's recurrence); the share of the bar that was bought."""
        if self.price is None:
            self.price = price
            return 0.5
        change = price - self.price
        self.price = price
        self.changes += 1
        away = change - self.mean
        self.mean += away / self.changes
        self.spread += away * (change - self.mean)
        return bought_share(change, self.sigma(), cdf)

    def _close(self) -> Bucket:
        imbalance = abs(self.bucket - 2 * self.bought)
        if len(self.imbalances) < self.window:
            self.imbalances.append(imbalance)
        else:
            place = self.closed % self.window
            self.imbalance -= self.imbalances[place]
            self.imbalances[place] = imbalance
        self.imbalance += imbalance
        self.closed += 1
        bucket = Bucket(self.closed - 1, self.bought, self.vpin())
        self.filled, self.bought = 0, 0.0
        return bucket


def bought_share(change: float, sigma: float, cdf: Cdf = normal_cdf) -> float:
    """Share of a bar's volume that bulk volume classification calls bought, in [0, 1]."""
    return cdf(change / sigma) if sigma > 0 else 0.5
