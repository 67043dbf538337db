"""The pre-trade check: one order against the limits, on the worst case of holding and open orders at the marks.

The set of controls follows SEC Rule 15c3-5 (orders beyond capital thresholds, erroneous size or price, halted names).
An order that can only shrink a holding passes the checks on margin, kill switch, position and gross exposure, so that
a way out of a breach stays open.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from engines.risk.book import Book
from engines.risk.config import LIMITS, Limits
from engines.wire.messages import Order
from engines.wire.ticks import PRICE_SCALE

Code = Literal[
    "STALE_REPLAY",
    "NO_SESSION",
    "UNKNOWN_SYMBOL",
    "INVALID_QUANTITY",
    "INVALID_PRICE",
    "HALTED",
    "KILL_SWITCH",
    "MARGIN",
    "OPEN_ORDERS",
    "NO_MARK",
    "PRICE_COLLAR",
    "ORDER_QUANTITY",
    "ORDER_NOTIONAL",
    "POSITION_QUANTITY",
    "POSITION_NOTIONAL",
    "GROSS_NOTIONAL",
]


class Denial(msgspec.Struct, frozen=True):
    """Why an order is refused."""

    code: Code
    detail: str


class Account(msgspec.Struct):
    """What else a check looks at. `excess` is None before the first margin message."""

    orderable: tuple[str, ...] = ()
    trading: bool = False  # the session is open
    killed: bool = False
    excess: int | None = None


def check(order: Order, book: Book, account: Account, *, halted: bool, limits: Limits = LIMITS) -> Denial | None:
    """The first limit that the order would breach, None when it may pass."""
    return next(_denials(order, book, account, halted, limits), None)


def _denials(order: Order, book: Book, account: Account, halted: bool, limits: Limits) -> Iterator[Denial]:
    """Every reason to refuse, cheapest first; those that follow an invalid order are not meaningful."""
    if not account.trading:
        yield Denial("NO_SESSION", "no trading session is open")
    if order.symbol not in account.orderable or order.symbol not in book.multipliers:
        yield Denial("UNKNOWN_SYMBOL", f"{order.symbol} cannot be ordered in this session")
    if order.quantity <= 0:
        yield Denial("INVALID_QUANTITY", f"{order.quantity} is not positive")
    if order.limit is not None and order.limit <= 0:
        yield Denial("INVALID_PRICE", f"{order.limit} is not positive")
    if halted:
        yield Denial("HALTED", f"{order.symbol} is halted")
    if not book.reduces(order):
        if account.killed:
            yield Denial("KILL_SWITCH", "the kill switch is on: only orders that shrink a holding pass")
        if account.excess is not None and account.excess < 0:
            yield Denial("MARGIN", f"margin excess is {_money(account.excess)}")
    if len(book.open) >= limits.open_orders:
        yield Denial("OPEN_ORDERS", f"{len(book.open)} orders are open")
    yield from _prices(order, book, limits)
    yield from _sizes(order, book, limits)


def _prices(order: Order, book: Book, limits: Limits) -> Iterator[Denial]:
    mark = book.marks.get(order.symbol)
    if mark is None:
        yield Denial("NO_MARK", f"{order.symbol} has not traded in this session")
    elif order.limit is not None:
        beyond = order.side * (order.limit - mark) * 100
        if beyond > limits.collar_percent * mark:
            detail = f"limit {_money(order.limit)} is more than {limits.collar_percent} % beyond {_money(mark)}"
            yield Denial("PRICE_COLLAR", detail)


def _sizes(order: Order, book: Book, limits: Limits) -> Iterator[Denial]:
    future = book.multipliers.get(order.symbol, 1) > 1
    most_order = limits.order_contracts if future else limits.order_shares
    most_held = limits.position_contracts if future else limits.position_shares
    price = max(book.marks.get(order.symbol, 0), order.limit or 0)
    if order.quantity > most_order:
        yield Denial("ORDER_QUANTITY", f"{order.quantity} is above {most_order}")
    asked = book.money(order.symbol, order.quantity, price)
    if asked > limits.order_notional:
        yield Denial("ORDER_NOTIONAL", f"{_money(asked)} is above {_money(limits.order_notional)}")
    if book.reduces(order):
        return
    worst = book.worst(order.symbol, *((order.quantity, 0) if order.side > 0 else (0, order.quantity)))
    if worst > most_held:
        yield Denial("POSITION_QUANTITY", f"the holding could reach {worst}, above {most_held}")
    notional = book.money(order.symbol, worst, price)
    if notional > limits.position_notional:
        yield Denial("POSITION_NOTIONAL", f"the holding could reach {_money(notional)}")
    total = book.gross({order.symbol: notional})
    if total > limits.gross_notional:
        yield Denial("GROSS_NOTIONAL", f"gross exposure could reach {_money(total)}")


def _money(units: int) -> str:
    return f"{units / PRICE_SCALE:,.2f}"
