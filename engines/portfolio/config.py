"""The account. Money of 1/10,000 of a currency unit."""

import msgspec

from engines.wire.ticks import PRICE_SCALE


class Config(msgspec.Struct, frozen=True):
    """What the account begins a replay with, unless it is funded otherwise."""

    cash: int = 10_000_000 * PRICE_SCALE


CONFIG = Config()
