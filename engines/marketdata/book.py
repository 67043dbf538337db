"""Our orders in one symbol, matched against what the tape displays.

A quote comes to the book as the tape's orders: its touch, and behind it the deeper levels of the last displayed book.
It stands until the next one: an order that becomes live in between meets it then, in a row that shows it again (an
echo).
1. What the quote crosses of our resting orders trades first, by price, then time, each at the price where it rests.
2. Then the orders that are due (live by then, or market orders with something left) come in the order of their arrival
   and take what is still displayed, at the displayed prices.
3. What is left of a limit order rests; of a market order it takes the next row; of an "ioc" order it is cancelled.
An order that would meet a resting one of ours is cancelled there (self-trade prevention, the newest goes).

Each quote offers its touch once, each displayed book its deeper levels once, however many rows show them: what our
orders take is gone until the tape displays the next one.  Inside price bands nothing trades outside
them: an order rests at the band where its own price is beyond.  Our fills come on top of the tape's volume and do not
move it.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from engines.marketdata.auction import LEAST, MOST
from engines.marketdata.lob.book import Book, Row, ops
from engines.marketdata.lob.layout import CANCELLED, IOC, LIMIT, MARKET, RESTED, SELF_TRADE, TRADE
from engines.wire.messages import Order
from engines.wire.ticks import BOOK_LEVELS

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
EndCode = Literal["IOC", "SELF_TRADE", "HALTED"]
TAPE, OURS = 0, 1  # owners: the tape's orders meet no order of their own
DEEP_COLUMNS = 1 + 4 * BOOK_LEVELS  # time, bids, asks, bid sizes, ask sizes
SINCE, BID_LEFT, ASK_LEFT = range(3)  # columns of what is left of quotes
_AT = {1: (1 + BOOK_LEVELS, 1 + 3 * BOOK_LEVELS), -1: (1, 1 + 2 * BOOK_LEVELS)}  # what a buyer, a seller meets


class Working(msgspec.Struct):
    """An order at the venue."""

    order: Order
    live_ns: int  # the market time from which on it may trade; of an "ioc" order the only one
    arrival: int  # place in time priority
    remaining: int
    fills: int = 0
    rests: int | None = None  # the price at which it stands on the book


class Match(NamedTuple):
    """One execution, before fees."""

    working: Working
    number: int  # of this order's fills
    last: bool  # nothing remains of the order
    quantity: int
    price: int
    ts_ns: int


class Ended(NamedTuple):
    """The book took an order off, with something left of it."""

    working: Working
    left: int
    code: EndCode


class Shown(NamedTuple):
    """What the tape displays in one symbol, in time order: a row a quote, and echoes of quotes that still stand.

    Bands are LEAST and MOST where none are.  `quote`: the row's place in `left`.  `left`: per quote its time and what
    is left of its bid and ask sizes; `deep`: rows of DEEP_COLUMNS in time order.  What our orders take is taken out of
    both in place.
    """

    ts: Ints
    bid: Ints
    ask: Ints
    quote: Ints
    lower: Ints
    upper: Ints
    left: Ints
    deep: Ints

    @property
    def since(self) -> Ints:
        """When each row's quote was displayed: before the row's own time, the row is an echo."""
        since: Ints = self.left[self.quote, SINCE]
        return since

    def part(self, rows: slice | Flags) -> "Shown":
        """Some of the rows, with the same sizes and deeper levels."""
        return Shown._make([*(column[rows] for column in self[:-2]), self.left, self.deep])


class Level(NamedTuple):
    """A displayed price.  `table`, `at`, `column`: where its size stands."""

    price: int
    size: int
    table: Ints
    at: int
    column: int

    def take(self, quantity: int) -> None:
        """Our orders take so much of it."""
        self.table[self.at, self.column] -= quantity


def fill(working: Working, quantity: int, price: int, ts_ns: int) -> Match:
    """Execute part of an order."""
    working.remaining -= quantity
    working.fills += 1
    return Match(working, working.fills, working.remaining == 0, quantity, price, ts_ns)


def end(working: Working, code: EndCode) -> Ended:
    """Take what is left of an order off."""
    left, working.remaining = working.remaining, 0
    return Ended(working, left, code)


def levels(shown: Shown, row: int, side: int) -> list[Level]:
    """What an order of `side` may meet at a row, best first; prices are moved into the bands, or left out beyond."""
    touch, column = (shown.ask, ASK_LEFT) if side > 0 else (shown.bid, BID_LEFT)
    low, high, quote = int(shown.lower[row]), int(shown.upper[row]), int(shown.quote[row])
    found = [Level(int(touch[row]), int(shown.left[quote, column]), shown.left, quote, column)]
    last = int(shown.deep[:, 0].searchsorted(shown.ts[row], side="right")) - 1
    if last >= 0:
        prices, sizes = _AT[side]
        for level in range(BOOK_LEVELS):
            price = int(shown.deep[last, prices + level])
            if (price - int(touch[row])) * side > 0:
                found.append(Level(price, int(shown.deep[last, sizes + level]), shown.deep, last, sizes + level))
    moved = (level._replace(price=max(level.price, low) if side > 0 else min(level.price, high)) for level in found)
    return [level for level in moved if level.size > 0 and low <= level.price <= high]


def due(working: Working, ts_ns: int) -> bool:
    """Whether an order that is not on the book may trade at a time."""
    return working.live_ns == ts_ns if working.order.tif == "ioc" else working.live_ns <= ts_ns


def play(orders: Sequence[Working], shown: Shown) -> Iterator[Match | Ended]:
    """Match `orders` of one symbol against the rows; changes the orders, and what is left of sizes, in place.

    A row whose bid is not below its ask is no market: nothing trades on it.
    """
    market = shown.bid < shown.ask
    shown = shown if market.all() else shown.part(market)
    row = -1
    while (row := _next(orders, shown, row + 1)) < shown.ts.size:
        yield from _meet(orders, shown, row)


def _next(orders: Sequence[Working], shown: Shown, row: int) -> int:
    """The next row that can do something to an order."""
    found = int(shown.ts.size)
    best = {1: LEAST, -1: MOST}
    for working in orders:
        if working.remaining == 0:
            continue
        if working.rests is None:
            at = max(row, int(shown.ts.searchsorted(working.live_ns)))
            if at < found and due(working, int(shown.ts[at])):
                found = at
        else:
            side = working.order.side
            best[side] = max(best[side] * side, working.rests * side) * side
    if row >= found:
        return found
    rows = slice(row, found)
    if shown.ask[rows].min() > best[1] and shown.bid[rows].max() < best[-1]:
        return found  # bands only make it less likely
    low, high, left = shown.lower[rows], shown.upper[rows], shown.left[shown.quote[rows]]
    hit = (np.maximum(shown.ask[rows], low) <= np.minimum(best[1], high)) & (left[:, ASK_LEFT] > 0)
    hit |= (np.minimum(shown.bid[rows], high) >= np.maximum(best[-1], low)) & (left[:, BID_LEFT] > 0)
    return row + int(hit.argmax()) if hit.any() else found


def bounded(order: Order, price: int | None, low: int, high: int) -> int:
    """A price (None: any) as the bands let it stand."""
    if order.side > 0:
        return min(MOST if price is None else price, high)
    return max(LEAST if price is None else price, low)


def _meet(orders: Sequence[Working], shown: Shown, row: int) -> Iterator[Match | Ended]:
    """One row: see the module."""
    low, high, ts = int(shown.lower[row]), int(shown.upper[row]), int(shown.ts[row])
    open_orders = [w for w in orders if w.remaining]
    resting = sorted((w for w in open_orders if w.rests is not None), key=lambda w: w.arrival)
    coming = [w for w in open_orders if w.rests is None and due(w, ts)]
    coming.sort(key=lambda w: (w.live_ns, w.arrival))
    ours = [*resting, *coming]
    tape = [(side, level) for side in (1, -1) for level in levels(shown, row, side)]
    made: list[Row] = [
        (n, bounded(w.order, w.rests, low, high), w.remaining, OURS, LIMIT, w.order.side) for n, w in enumerate(resting)
    ]
    made += [(len(ours) + n, level.price, level.size, TAPE, LIMIT, -side) for n, (side, level) in enumerate(tape)]
    made += [_coming(n, w, low, high) for n, w in enumerate(coming, len(resting))]
    for op, one, two, price, quantity, kind, code in Book(len(made)).apply(ops(made)).tolist():
        if kind == TRADE:
            mine, theirs = (one, two) if one < len(ours) else (two, one)
            tape[theirs - len(ours)][1].take(quantity)
            yield fill(ours[mine], quantity, price, ts)
        elif kind == RESTED and op >= len(resting) + len(tape):
            ours[one].rests = ours[one].order.limit
        elif kind == CANCELLED and one < len(ours):
            working = ours[one]
            if code == SELF_TRADE or working.order.tif == "ioc":
                yield end(working, "SELF_TRADE" if code == SELF_TRADE else "IOC")
            elif _blocked(working.order.side, shown, row):
                working.rests = high if working.order.side > 0 else low


def _coming(number: int, working: Working, low: int, high: int) -> Row:
    """An order that is due.  A market order inside bands is one that pays up to the band."""
    order = working.order
    price = bounded(order, order.limit, low, high)
    kind = LIMIT if order.limit is not None and order.tif == "day" else IOC
    if order.limit is None and abs(price) == MOST:
        kind, price = MARKET, 0
    return number, price, working.remaining, OURS, kind, order.side


def _blocked(side: int, shown: Shown, row: int) -> bool:
    """Whether a band keeps what a market order would meet next from it."""
    if side > 0:
        return int(shown.ask[row]) > int(shown.upper[row])
    return int(shown.bid[row]) < int(shown.lower[row])
