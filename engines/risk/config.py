"""Risk limits. Money of 1/10,000 of a currency unit; contracts are of instruments whose multiplier exceeds 1."""

import msgspec

from engines.wire.ticks import PRICE_SCALE


class Limits(msgspec.Struct, frozen=True):
    """What an order, a holding and the account may reach."""

    order_shares: int = 50_000
    order_contracts: int = 200
    order_notional: int = 12_000_000 * PRICE_SCALE
    position_shares: int = 100_000
    position_contracts: int = 400
    position_notional: int = 25_000_000 * PRICE_SCALE
    gross_notional: int = 60_000_000 * PRICE_SCALE
    open_orders: int = 200
    collar_percent: int = 10  # a limit price this far beyond the mark, on the paying side, is an error
    loss: int = 1_000_000 * PRICE_SCALE  # of the replay so far; reaching it kills
    near_percent: int = 80  # of a market-wide breaker's first fall: worth an alert


LIMITS = Limits()
