"""What a holding must be backed with.  Integers, rounded up, so a holding never goes without."""

from collections.abc import Iterable

import msgspec

from engines.collateral.config import CONFIG, Config, StockRates
from engines.wire.messages import Margin, PositionRow


class Requirement(msgspec.Struct, frozen=True):
    """Money of 1/10,000: `initial` to open, `maintenance` to keep.  Both above 0 unless flat, initial the larger."""

    initial: int
    maintenance: int


NONE = Requirement(0, 0)


def requirement(symbol: str, quantity: int, price: int, multiplier: int = 1, config: Config = CONFIG) -> Requirement:
    """Requirement of `quantity` (negative: short) at `price` (above 0, units of 1/10,000)."""
    if quantity == 0:
        return NONE
    future = config.futures.get(symbol)
    if future is not None:
        return Requirement(abs(quantity) * future.initial, abs(quantity) * future.maintenance)
    maintenance = _stock_maintenance(quantity * multiplier, price, config.stock)
    initial = _percent(abs(quantity) * multiplier * price, config.stock.initial_percent)
    return Requirement(max(initial, maintenance), maintenance)


def margin(rows: Iterable[PositionRow], equity: int, orders: int = 0, config: Config = CONFIG) -> Margin:
    """The account's margin: requirements add up over symbols (no offsets); the call is what maintenance lacks.

    `orders`: what open orders ask for beside it; an order calls for no money, it is refused or it fills.
    """
    each = [requirement(row.symbol, row.quantity, row.mark, row.multiplier, config) for row in rows]
    initial = sum(item.initial for item in each)
    maintenance = sum(item.maintenance for item in each)
    return Margin(initial, maintenance, equity, equity - maintenance, max(0, maintenance - equity), orders)


def capacity(symbol: str, price: int, equity: int, config: Config = CONFIG) -> int:
    """The most shares or contracts that `equity` can open from flat, long."""
    own = max(0, equity)
    future = config.futures.get(symbol)
    if future is not None:
        return own // future.initial
    return own * 100 // (price * max(config.stock.initial_percent, config.stock.long_percent))


def _stock_maintenance(quantity: int, price: int, rates: StockRates) -> int:
    value = abs(quantity) * price
    if quantity > 0:
        return _percent(value, rates.long_percent)
    cheap = price < rates.cheap_below
    share = rates.cheap_percent if cheap else rates.short_percent
    amount = rates.cheap_per_share if cheap else rates.short_per_share
    return max(_percent(value, share), abs(quantity) * amount)


def _percent(value: int, percent: int) -> int:
    """A share of a value, rounded up."""
    return -(-value * percent // 100)
