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
    from the market to trade.  cash: currency units that the account begins with; the portfolio engine's own where none
    is said.  margin_use: maintenance margin over equity, a call comes above 1; the cash that gives it is found once the
    positions are there, from what they gained and what collateral requires of them, and reached within 0.05.
    """

    positions: dict[str, Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]] = msgspec.field(default_factory=dict)
    open_orders: Annotated[int, Meta(ge=0, le=190)] = 0
    cash: Annotated[float, Meta(ge=0, le=1e12)] | None = None
    margin_use: Annotated[float, Meta(gt=0, le=1)] | None = None
    limit_s: Seconds = 20.0

    @property
    def lead_s(self) -> float:
        """The lead that a storm needs to take it, wall seconds: its market must have come to its window for a use."""
        return 15.0 if self.margin_use is None else 30.0

    def mistakes(self, symbols: tuple[str, ...]) -> Iterator[str]:
        """It asks for something, of symbols that its replays have.  `symbols`: what may be ordered in all of them."""
        if not self.positions and not self.open_orders and self.cash is None:
            yield "start: positions, open_orders or cash; without any there is nothing to reach"
        if self.cash is not None and self.margin_use is not None:
            yield "start: cash or margin_use, not both: the use is what the cash is found from"
        if self.margin_use is not None and not self.positions:
            yield "start.margin_use: without positions no margin is in use"
        for symbol, quantity in self.positions.items():
            if symbol not in symbols:
                yield f"start.positions: {symbol} cannot be ordered in the mission's replays ({', '.join(symbols)} can)"
            if quantity == 0:
                yield f"start.positions: {symbol} is 0, which it is anyway"
