"""What open orders ask for beside the positions.

Regulation T and a clearing house margin what is held; brokers, and venues that margin orders themselves, keep the
initial margin of working orders too, since any of them may fill.  The convention here is that of Delta Exchange's
published margin rules: per symbol the position with all its open buys and the position with all its open sells are
margined, opposite orders offset each other, and what the worse of the two needs above the position is kept.

Topics are not ordered among each other.  A fill therefore leaves its order's reserve as it was until positions tell of
it: portfolio books fills in the order of their stream, so positions that fill n caused tell of all fills up to n.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from engines.collateral.config import CONFIG, Config
from engines.collateral.margin import requirement
from engines.wire.bus import START, parse_id
from engines.wire.messages import (
    Accepted,
    Body,
    Cancelled,
    Fill,
    Filled,
    PositionRow,
    Rejected,
    Replaced,
    Side,
)

MOST_FILLS = 4_096  # that are kept; beyond, the oldest is taken for booked


class Working(msgspec.Struct):
    """An accepted order.

    `left`: what is neither cancelled nor in the positions yet; below 0 while fills are ahead of a change that allowed
    them.  `mark`: of its symbol at risk's check.  `ended`: no more is promised than `left`.
    """

    symbol: str
    side: Side
    quantity: int
    left: int
    mark: int
    limit: int | None = None
    ended: bool = False

    @property
    def price(self) -> int:
        """The dearer of limit and mark, as risk reckons; at least the least price that there is."""
        return max(self.mark, self.limit or 0, 1)


class Taken(msgspec.Struct):
    """A fill that no positions tell of yet, or whose order is not known yet."""

    order_id: str
    quantity: int


class Reserve(msgspec.Struct):
    """`open`: orders by id.  `fills`: by entry id, in the order of their stream.  `booked`: the last in positions."""

    open: dict[str, Working] = {}
    fills: dict[str, Taken] = {}
    booked: str = START

    def learn(self, body: Body, entry_id: str) -> None:
        """Take in an order event or a fill; what changes no order changes nothing."""
        if isinstance(body, Accepted):
            order = body.order
            mark = body.marks.get(order.symbol, 0)
            self.open[order.order_id] = Working(
                order.symbol, order.side, order.quantity, order.quantity, mark, order.limit
            )
            self._settle()
        elif isinstance(body, Fill):
            self.fills[entry_id] = Taken(body.order_id, body.quantity)
            self._settle()
        elif isinstance(body, Replaced | Cancelled | Rejected | Filled):
            self._change(body)

    def book(self, cause: str) -> None:
        """Positions came that this message caused."""
        topic, _, entry_id = cause.partition("/")
        if topic == Fill.TOPIC and parse_id(entry_id) > parse_id(self.booked):
            self.booked = entry_id
            self._settle()

    def _change(self, event: Replaced | Cancelled | Rejected | Filled) -> None:
        order = self.open.get(event.order_id)
        if order is None:
            return
        if isinstance(event, Replaced):
            order.left += event.quantity - order.quantity
            order.quantity, order.limit = event.quantity, event.limit
            return
        order.ended = True
        if isinstance(event, Cancelled):
            order.left -= event.remaining
        elif isinstance(event, Rejected):
            order.left = 0
        self._drop(event.order_id)

    def _settle(self) -> None:
        """Take booked fills off their orders."""
        upto, excess = parse_id(self.booked), len(self.fills) - MOST_FILLS
        for place, (entry_id, fill) in enumerate(list(self.fills.items())):
            order = self.open.get(fill.order_id)
            if place >= excess and (order is None or parse_id(entry_id) > upto):
                continue
            del self.fills[entry_id]
            if order is not None:
                order.left -= fill.quantity
                self._drop(fill.order_id)

    def _drop(self, order_id: str) -> None:
        order = self.open[order_id]
        if order.ended and order.left <= 0:
            del self.open[order_id]


def order_margin(
    orders: Iterable[Working],
    rows: Iterable[PositionRow],
    multipliers: Mapping[str, int],
    config: Config = CONFIG,
) -> int:
    """Money of 1/10,000 that open orders ask for beside the positions' initial margin, added up over symbols.

    Above 0 where an order has something left and nothing is held; 0 where all of them can only shrink what is held.
    `multipliers`: currency units per point, of symbols that are in no row.
    """
    by_symbol: dict[str, list[Working]] = {}
    for order in orders:
        if order.left > 0:
            by_symbol.setdefault(order.symbol, []).append(order)
    held = {row.symbol: row for row in rows}
    total = 0
    for symbol, own in by_symbol.items():
        row = held.get(symbol) or PositionRow(symbol, 0, 0, 1, 0, 0, multipliers.get(symbol, 1))
        sides: tuple[Side, Side] = (1, -1)
        total += max(0, *(_beside(row, side, [o for o in own if o.side == side], config) for side in sides))
    return total


def _beside(row: PositionRow, side: Side, orders: Sequence[Working], config: Config) -> int:
    """Initial margin if all orders of a side filled, less the position's; the dearest orders open what they open."""

    def need(quantity: int, price: int) -> int:
        return requirement(row.symbol, quantity, price, row.multiplier, config).initial

    asked = sum(order.left for order in orders)
    closed = min(asked, max(0, -side * row.quantity))
    opened = asked - closed
    total = need(row.quantity + side * closed, row.mark)
    for order in sorted(orders, key=lambda order: order.price, reverse=True):
        part = min(order.left, opened)
        total += need(side * part, order.price)
        opened -= part
    return total - need(row.quantity, row.mark)
