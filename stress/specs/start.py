"""The state that a mission begins its replays with, as data."""

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from stress.specs.base import Part, Seconds


class Start(Part, frozen=True, kw_only=True):
    """What the account holds before the measured part of each replay.

    It comes about through orders of a strategy `start`, checked by risk and filled at the venue like any others.
    positions: shares or contracts by symbol, negative for short.  open_orders: limit orders for one unit each, too far
    from the market to trade.  margin_use: maintenance margin over equity that these positions must bring about, within
    0.05: a call comes at 1.  The account's cash is the portfolio engine's own and cannot be set.
    """

    positions: dict[str, Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]] = msgspec.field(default_factory=dict)
    open_orders: Annotated[int, Meta(ge=0, le=190)] = 0
    margin_use: Annotated[float, Meta(ge=0, le=1)] | None = None
    limit_s: Seconds = 20.0

    def mistakes(self, symbols: tuple[str, ...]) -> Iterator[str]:
        """It asks for something, of symbols that its replays have.  `symbols`: what may be ordered in all of them."""
        if not self.positions and not self.open_orders:
            yield "start: positions or open_orders; without either there is nothing to reach"
        for symbol, quantity in self.positions.items():
            if symbol not in symbols:
                yield f"start.positions: {symbol} cannot be ordered in the mission's replays ({', '.join(symbols)} can)"
            if quantity == 0:
                yield f"start.positions: {symbol} is 0, which it is anyway"
