"""The life of an order, as the strategy engine sees it.

Fills and order events come on different topics: an order has ended when its last event is here and every fill that
this event promises.
"""

from typing import Literal

import msgspec

from engines.wire.messages import Accepted, Body, Cancelled, Denied, Fill, Filled, Order, Rejected, Replaced

Status = Literal["pending", "accepted", "partial", "filled", "cancelled", "denied", "rejected"]
ENDINGS = (Filled, Cancelled, Denied, Rejected)


class Tracked(msgspec.Struct):
    """An order that was sent.  `owed`: what its fills must sum to, None before its last event."""

    order: Order
    sent_ns: int
    status: Status = "pending"
    filled: int = 0
    owed: int | None = None
    cancel_sent: bool = False
    reason: str = ""

    @property
    def ended(self) -> bool:
        """Nothing more will come of it."""
        return self.owed is not None and self.filled >= self.owed


class Book(msgspec.Struct):
    """Open orders by id, the open one of each strategy and symbol, and the last ended ones."""

    open: dict[str, Tracked] = {}
    at: dict[str, str] = {}  # `strategy/symbol` -> order id
    recent: list[Tracked] = []
    sent: dict[str, int] = {}  # per strategy


def send(book: Book, order: Order, now_ns: int) -> None:
    """Track an order that leaves now."""
    book.open[order.order_id] = Tracked(order, now_ns)
    book.at[f"{order.strategy}/{order.symbol}"] = order.order_id


def next_id(book: Book, strategy: str, replay: int) -> str:
    """`<strategy>-r<replay>-<n>`, n counting the strategy's orders of the replay."""
    book.sent[strategy] = book.sent.get(strategy, 0) + 1
    return f"{strategy}-r{replay}-{book.sent[strategy]}"


def learn(book: Book, body: Body, keep: int) -> Tracked | None:
    """Take in an order event or a fill; the order that it is about, None when it is not one of ours."""
    tracked = book.open.get(body.order.order_id if isinstance(body, Accepted) else getattr(body, "order_id", ""))
    if tracked is None:
        return None
    if isinstance(body, Accepted) and tracked.status == "pending":
        tracked.status = "accepted"
    elif isinstance(body, Fill):
        tracked.filled += body.quantity
        if tracked.owed is None:
            tracked.status = "partial"
    elif isinstance(body, Replaced):
        tracked.order = msgspec.structs.replace(tracked.order, quantity=body.quantity, limit=body.limit)
    elif isinstance(body, ENDINGS):
        _end(tracked, body)
    if tracked.ended:
        order = tracked.order
        del book.open[order.order_id]
        del book.at[f"{order.strategy}/{order.symbol}"]
        book.recent = [*book.recent, tracked][-keep:]
    return tracked


def _end(tracked: Tracked, body: Filled | Cancelled | Denied | Rejected) -> None:
    if isinstance(body, Filled):
        tracked.status, tracked.owed = "filled", tracked.order.quantity
    elif isinstance(body, Cancelled):
        tracked.status, tracked.owed, tracked.reason = "cancelled", tracked.order.quantity - body.remaining, body.reason
    elif isinstance(body, Denied):
        tracked.status, tracked.owed, tracked.reason = "denied", 0, f"{body.code}: {body.detail}"
    else:
        tracked.status, tracked.owed, tracked.reason = "rejected", 0, body.reason
