"""What the account holds and has asked for: positions, open orders, marks; and the worst that may come of them.

Fills and order events travel on different topics, so a terminal event may be read before the fills that precede it.
What is left of an order is therefore counted by fills; a terminal event only says how much will never fill.
"""

from collections.abc import Iterable, Mapping

import msgspec

from engines.wire.messages import Cancelled, Fill, Order, Rejected, Replaced, ReplaceRejected, Side


class OpenOrder(msgspec.Struct):
    """An accepted order; `left` may still fill, and `extra` too if the venue makes the change that is `changing`."""

    symbol: str
    side: Side
    quantity: int
    left: int
    extra: int = 0
    changing: bool = False


class Book(msgspec.Struct):
    """`positions` and `marks` by symbol, `open` by order id; `multipliers`: currency units per point, by symbol."""

    positions: dict[str, int] = {}
    open: dict[str, OpenOrder] = {}
    marks: dict[str, int] = {}
    multipliers: dict[str, int] = {}

    def accept(self, order: Order) -> None:
        """Count an accepted order in full."""
        self.open[order.order_id] = OpenOrder(order.symbol, order.side, order.quantity, order.quantity)

    def fill(self, fill: Fill) -> None:
        """Move a fill from the open order into the position, in one step."""
        held = self.positions.get(fill.symbol, 0) + fill.side * fill.quantity
        if held:
            self.positions[fill.symbol] = held
        else:
            self.positions.pop(fill.symbol, None)
        self._release(fill.order_id, fill.quantity)

    def end(self, event: Cancelled | Rejected) -> None:
        """What the event says will not fill: what remained of a cancelled order, all of a rejected one."""
        order = self.open.get(event.order_id)
        if order is not None:
            self._release(event.order_id, event.remaining if isinstance(event, Cancelled) else order.left)

    def change(self, order_id: str, quantity: int) -> None:
        """A change of an open order's quantity is on its way to the venue: until it answers, the larger counts."""
        order = self.open[order_id]
        order.extra, order.changing = max(0, quantity - order.quantity), True

    def changed(self, event: Replaced | ReplaceRejected) -> None:
        """The venue's answer to a change."""
        order = self.open.get(event.order_id)
        if order is None:
            return
        order.extra, order.changing = 0, False
        if isinstance(event, Replaced):
            order.left += event.quantity - order.quantity
            order.quantity = event.quantity
        self._release(event.order_id, 0)

    def pending(self, symbol: str, side: Side) -> int:
        """How much open orders may still buy (+1) or sell (-1)."""
        return sum(
            order.left + order.extra for order in self.open.values() if order.symbol == symbol and order.side == side
        )

    def worst(self, symbol: str, buys: int = 0, sells: int = 0) -> int:
        """The largest holding, long or short, if all buys or all sells filled; with `buys` and `sells` more."""
        held = self.positions.get(symbol, 0)
        long = held + self.pending(symbol, 1) + buys
        short = held - self.pending(symbol, -1) - sells
        return max(abs(long), abs(short))

    def money(self, symbol: str, quantity: int, price: int | None = None) -> int:
        """Value of `quantity` at `price`, by default the mark (0 before there is one)."""
        at = self.marks.get(symbol, 0) if price is None else price
        return quantity * at * self.multipliers.get(symbol, 1)

    def gross(self, instead: Mapping[str, int] | None = None) -> int:
        """Sum over symbols of the worst holding's value, with the values of `instead` in place of their own."""
        given = instead or {}
        others = (symbol for symbol in self.symbols() if symbol not in given)
        return sum(given.values()) + sum(self.money(symbol, self.worst(symbol)) for symbol in others)

    def symbols(self) -> Iterable[str]:
        """Symbols with a holding or an open order, in a fixed order."""
        return sorted(self.positions.keys() | {order.symbol for order in self.open.values()})

    def reduces(self, order: Order) -> bool:
        """Whether the order, with the open ones of its side, can only shrink the holding."""
        held = self.positions.get(order.symbol, 0)
        asked = self.pending(order.symbol, order.side) + order.quantity
        return held * order.side < 0 and asked <= abs(held)

    def _release(self, order_id: str, quantity: int) -> None:
        order = self.open.get(order_id)
        if order is None:
            return
        order.left -= quantity
        if order.left + order.extra <= 0:
            del self.open[order_id]
