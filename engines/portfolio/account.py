"""An account: positions at average cost, cash, fees.  Integer arithmetic throughout, so nothing is lost to rounding.

A position keeps its total cost rather than an average price; when part of it closes, that part takes its share of the
cost, rounded towards zero, and the rest stays.  So realised + unrealised is exact whatever the rounding.
"""

from typing import Literal

import msgspec

from engines.portfolio.config import CONFIG
from engines.wire.errors import MessageError
from engines.wire.messages import Fill, PositionRow, Positions


class Position(msgspec.Struct):
    """One symbol. `quantity` is signed, `cost` is what it was bought for (negative: sold short for), `mark` a price."""

    quantity: int = 0
    cost: int = 0
    mark: int = 0
    realised: int = 0
    multiplier: int = 1

    @property
    def future(self) -> bool:
        """Whether gains settle in cash; all else is bought with cash, or sold short for it."""
        return self.multiplier > 1

    @property
    def value(self) -> int:
        """Quantity at the mark, money."""
        return self.quantity * self.mark * self.multiplier

    @property
    def unrealised(self) -> int:
        """Gain that closing at the mark would realise, before fees."""
        return self.value - self.cost

    @property
    def average(self) -> int:
        """Average price of what is held, to the nearest 1/10,000; 0 when flat."""
        held = self.quantity * self.multiplier
        return (2 * self.cost + held) // (2 * held) if held else 0


class Account(msgspec.Struct):
    """`cash` after everything settled, `opening`: what it was at first, `fees` paid so far, positions by symbol (flat
    ones with a past included).
    """

    cash: int = CONFIG.cash
    opening: int = CONFIG.cash
    fees: int = 0
    positions: dict[str, Position] = {}

    def fund(self, cash: int) -> None:
        """Have begun with `cash`; what was bought and sold since stays as it is."""
        self.cash += cash - self.opening
        self.opening = cash

    def fill(self, fill: Fill) -> None:
        """Book one fill: position, realised gain, cash, fee.

        Raises:
            MessageError: its quantity or price is not positive, or its multiplier is not that of what is held.
        """
        before = self.positions.get(fill.symbol)
        if fill.quantity <= 0 or fill.price <= 0:
            raise MessageError(f"Fill {fill.fill_id} is of {fill.quantity} at {fill.price}.", "Both must be positive.")
        if before is not None and before.multiplier != fill.multiplier:
            raise MessageError(f"Fill {fill.fill_id} changes the multiplier of {fill.symbol}.")
        held = self.positions.setdefault(fill.symbol, Position(mark=fill.price, multiplier=fill.multiplier))
        gain = take(held, fill.side * fill.quantity, fill.price)
        paid = fill.side * fill.quantity * fill.price * fill.multiplier
        self.cash += (gain if held.future else -paid) - fill.fee
        self.fees += fill.fee

    def mark(self, symbol: str, price: int) -> bool:
        """Note a price; returns whether it changed the equity."""
        held = self.positions.get(symbol)
        if held is None or held.mark == price:
            return False
        held.mark = price
        return held.quantity != 0

    def equity(self) -> int:
        """Cash, shares at their marks, futures at their unrealised gains."""
        parts = (held.unrealised if held.future else held.value for held in self.positions.values())
        return self.cash + sum(parts)

    def gain(self) -> int:
        """Realised + unrealised - fees: what the equity has changed by since the opening."""
        return sum(held.realised + held.unrealised for held in self.positions.values()) - self.fees

    def report(self) -> Positions:
        """The account as a message, symbols in order."""
        rows = tuple(
            PositionRow(symbol, held.quantity, held.average, held.mark, held.realised, held.unrealised, held.multiplier)
            for symbol, held in sorted(self.positions.items())
        )
        return Positions(rows, self.cash, self.fees, self.equity())


def take(held: Position, change: int, price: int) -> int:
    """Change a position by `change` (signed) at `price`; returns the gain realised, which is booked on it too."""
    closing = min(abs(change), abs(held.quantity)) if change * held.quantity < 0 else 0
    direction: Literal[1, -1] = 1 if held.quantity > 0 else -1
    cost = _share(held.cost, closing, abs(held.quantity))
    gain = direction * closing * price * held.multiplier - cost
    opened = change + direction * closing
    held.cost += opened * price * held.multiplier - cost
    held.quantity += change
    held.realised += gain
    return gain


def _share(cost: int, part: int, whole: int) -> int:
    """`part` of `whole` of a signed cost, rounded towards zero; the last part takes what is left."""
    if part == 0:
        return 0
    share = abs(cost) * part // whole
    return share if cost > 0 else -share
