"""Margin rates. Percent of market value; money of 1/10,000 of a currency unit."""

import msgspec

from engines.wire.ticks import PRICE_SCALE


class StockRates(msgspec.Struct, frozen=True):
    """Regulation T's initial 50 %; FINRA Rule 4210(c)'s maintenance minima.

    A short position needs the greater of a share of its value and an amount a share: 30 % or $5 at prices from $5,
    100 % or $2.50 below.  The amounts a share and the $5 border were not checked against the rule's text.
    """

    initial_percent: int = 50
    long_percent: int = 25
    short_percent: int = 30
    short_per_share: int = 5 * PRICE_SCALE
    cheap_below: int = 5 * PRICE_SCALE
    cheap_percent: int = 100
    cheap_per_share: int = 5 * PRICE_SCALE // 2


class FutureRates(msgspec.Struct, frozen=True):
    """Margin of one contract, long or short, and its multiplier (currency units per point)."""

    initial: int
    maintenance: int
    multiplier: int


class Config(msgspec.Struct, frozen=True):
    """`futures`: per-contract rates of this platform, near the E-mini's of 2010; they are settings, not a record.

    A future without a rate of its own is margined like a stock, on its full value.
    """

    stock: StockRates = StockRates()
    futures: dict[str, FutureRates] = msgspec.field(
        default_factory=lambda: {"ESX": FutureRates(5_625 * PRICE_SCALE, 4_500 * PRICE_SCALE, 50)}
    )
    haircut_floor_percent: int = 1


CONFIG = Config()
