"""The matching loop.  All state is in four integer arrays, so that a call costs little and copies are plain.

`orders` is a table of slots, linked into one queue per level; `levels[s]` are the price levels of bids (s = 0) and asks
(s = 1), sorted with the best last; `index` is an open-addressing hash from order id to slot; `counts` the number of
levels of each side, the first free slot and the number of live orders.
"""

import numpy as np
from numba import int64, njit, uint64

from engines.marketdata.lob.layout import (
    AFTER,
    BAD_QUANTITY,
    BEFORE,
    CANCEL,
    CANCELLED,
    DUPLICATE_ID,
    FILLED,
    FREE,
    HEAD,
    ID,
    IOC,
    KEY,
    LEFT,
    LIMIT,
    LIVE,
    MARKET,
    NONE,
    OWNER,
    PRICE,
    REJECTED,
    REPLACE,
    REPLACED,
    REQUESTED,
    RESTED,
    SELF_TRADE,
    SIDE,
    TAIL,
    TRADE,
    UNFILLED,
    UNKNOWN_ID,
    Events,
    Ints,
    OpRow,
    Ops,
)

Arrays = tuple[Ints, Ints, Ints, Ints]  # orders, levels, index, counts
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True)
def _bucket(order: int, size: int) -> np.int64:
    """Where the search for an id begins (Fibonacci hashing; `size` is a power of two)."""
    mixed = uint64(order) * _GOLDEN
    return int64((mixed >> uint64(32)) & uint64(size - 1))


@njit(cache=True)
def find(orders: Ints, index: Ints, order: int) -> int:
    """The slot of a live order, 0 for none."""
    at = _bucket(order, index.size)
    while index[at] != 0:
        if orders[index[at], ID] == order:
            return index[at]
        at = (at + 1) & (index.size - 1)
    return 0


@njit(cache=True)
def _remember(index: Ints, order: int, slot: int) -> None:
    at = _bucket(order, index.size)
    while index[at] != 0:
        at = (at + 1) & (index.size - 1)
    index[at] = slot


@njit(cache=True)
def remember_all(orders: Ints, index: Ints, slots: Ints) -> None:
    """Fill an empty hash with the orders of `slots`."""
    for slot in slots:
        _remember(index, orders[slot, ID], slot)


@njit(cache=True)
def _forget(orders: Ints, index: Ints, order: int) -> None:
    """Remove an id and close the gap, so that no tombstones gather."""
    mask = index.size - 1
    gap = _bucket(order, index.size)
    while orders[index[gap], ID] != order:
        gap = (gap + 1) & mask
    at = (gap + 1) & mask
    while index[at] != 0:
        home = _bucket(orders[index[at], ID], index.size)
        if ((at - home) & mask) >= ((at - gap) & mask):
            index[gap] = index[at]
            gap = at
        at = (at + 1) & mask
    index[gap] = 0


@njit(cache=True)
def _level(levels: Ints, s: int, count: int, key: int) -> int:
    """The first of a side's `count` levels whose key is not below `key`."""
    low, high = 0, count
    while low < high:
        middle = (low + high) >> 1
        if levels[s, middle, KEY] < key:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True)
def _copy_level(levels: Ints, s: int, to: int, source: int) -> None:
    levels[s, to, KEY] = levels[s, source, KEY]
    levels[s, to, HEAD] = levels[s, source, HEAD]
    levels[s, to, TAIL] = levels[s, source, TAIL]


@njit(cache=True)
def _rest(orders: Ints, levels: Ints, counts: Ints, slot: int) -> None:
    """Append an order to the queue of its level, which is made where there is none."""
    side = orders[slot, SIDE]
    s = 0 if side > 0 else 1
    key = side * orders[slot, PRICE]
    count = counts[s]
    at = _level(levels, s, count, key)
    if at == count or levels[s, at, KEY] != key:
        for i in range(count, at, -1):
            _copy_level(levels, s, i, i - 1)
        levels[s, at, KEY] = key
        levels[s, at, HEAD] = slot
        counts[s] = count + 1
        orders[slot, BEFORE] = 0
    else:
        last = levels[s, at, TAIL]
        orders[last, AFTER] = slot
        orders[slot, BEFORE] = last
    levels[s, at, TAIL] = slot
    orders[slot, AFTER] = 0


@njit(cache=True)
def _leave(orders: Ints, levels: Ints, counts: Ints, slot: int) -> None:
    """Take an order out of its queue; an empty level goes."""
    before, after = orders[slot, BEFORE], orders[slot, AFTER]
    if before != 0:
        orders[before, AFTER] = after
    if after != 0:
        orders[after, BEFORE] = before
    if before != 0 and after != 0:
        return
    side = orders[slot, SIDE]
    s = 0 if side > 0 else 1
    at = _level(levels, s, counts[s], side * orders[slot, PRICE])
    if before == 0:
        levels[s, at, HEAD] = after
    if after == 0:
        levels[s, at, TAIL] = before
    if before == 0 and after == 0:
        counts[s] -= 1
        for i in range(at, counts[s]):
            _copy_level(levels, s, i, i + 1)


@njit(cache=True)
def _free(orders: Ints, index: Ints, counts: Ints, slot: int) -> None:
    _forget(orders, index, orders[slot, ID])
    orders[slot, AFTER] = counts[FREE]
    counts[FREE] = slot
    counts[LIVE] -= 1


@njit(cache=True)
def _tell(events: Events, n: int, op: int, kind: int, code: int, fact: tuple[int, int, int, int]) -> int:
    """Write an event, `fact` its order, other, price and quantity; the next free row."""
    row = events[n]
    row.op, row.kind, row.code = op, kind, code
    row.order, row.other, row.price, row.quantity = fact
    return n + 1


@njit(cache=True)
def _match(book: Arrays, taker: int, limited: bool, op: int, events: Events, n: int) -> tuple[int, bool]:
    """Trade an order that is on no queue against the other side; the next row, and whether it met an order of its own.

    `limited`: its price bounds it.  What trades does so at the resting order's price.
    """
    orders, levels, index, counts = book
    side, owner, order = orders[taker, SIDE], orders[taker, OWNER], orders[taker, ID]
    s = 1 if side > 0 else 0
    while orders[taker, LEFT] > 0 and counts[s] > 0:
        best = counts[s] - 1
        if limited and levels[s, best, KEY] < -side * orders[taker, PRICE]:
            break
        maker = levels[s, best, HEAD]
        if owner != 0 and orders[maker, OWNER] == owner:
            return n, True
        traded = min(orders[taker, LEFT], orders[maker, LEFT])
        orders[taker, LEFT] -= traded
        orders[maker, LEFT] -= traded
        other, price = orders[maker, ID], orders[maker, PRICE]
        n = _tell(events, n, op, TRADE, NONE, (order, other, price, traded))
        if orders[maker, LEFT] == 0:
            n = _tell(events, n, op, FILLED, NONE, (other, 0, price, 0))
            _leave(orders, levels, counts, maker)
            _free(orders, index, counts, maker)
    return n, False


@njit(cache=True)
def _settle(book: Arrays, slot: int, kind: int, op: int, events: Events, n: int) -> int:
    """Match an order that comes; then it rests, is filled, or what is left of it is cancelled."""
    orders, levels, index, counts = book
    n, own = _match(book, slot, kind != MARKET, op, events, n)
    order, price, left = orders[slot, ID], orders[slot, PRICE], orders[slot, LEFT]
    if left == 0:
        n = _tell(events, n, op, FILLED, NONE, (order, 0, price, 0))
    elif own:
        n = _tell(events, n, op, CANCELLED, SELF_TRADE, (order, 0, price, left))
    elif kind == LIMIT:
        _rest(orders, levels, counts, slot)
        return _tell(events, n, op, RESTED, NONE, (order, 0, price, left))
    else:
        n = _tell(events, n, op, CANCELLED, UNFILLED, (order, 0, price, left))
    _free(orders, index, counts, slot)
    return n


@njit(cache=True)
def _add(book: Arrays, given: OpRow, op: int, events: Events, n: int) -> int:
    """A new order."""
    orders, _, index, counts = book
    if given.quantity <= 0:
        return _tell(events, n, op, REJECTED, BAD_QUANTITY, (given.order, 0, given.price, given.quantity))
    if find(orders, index, given.order) != 0:
        return _tell(events, n, op, REJECTED, DUPLICATE_ID, (given.order, 0, given.price, given.quantity))
    slot = counts[FREE]
    counts[FREE] = orders[slot, AFTER]
    counts[LIVE] += 1
    orders[slot, ID], orders[slot, SIDE], orders[slot, PRICE] = given.order, given.side, given.price
    orders[slot, LEFT], orders[slot, OWNER] = given.quantity, given.owner
    _remember(index, given.order, slot)
    return _settle(book, slot, given.kind, op, events, n)


@njit(cache=True)
def _replace(book: Arrays, slot: int, given: OpRow, op: int, events: Events, n: int) -> int:
    """Another price or open quantity: in place where only less is open, else as a new order at the end of its queue."""
    orders, levels, _, counts = book
    if given.quantity <= 0:
        return _tell(events, n, op, REJECTED, BAD_QUANTITY, (given.order, 0, given.price, given.quantity))
    n = _tell(events, n, op, REPLACED, NONE, (given.order, 0, given.price, given.quantity))
    stays = given.price == orders[slot, PRICE] and given.quantity <= orders[slot, LEFT]
    if stays:
        orders[slot, LEFT] = given.quantity
        return n
    _leave(orders, levels, counts, slot)
    orders[slot, PRICE], orders[slot, LEFT] = given.price, given.quantity
    return _settle(book, slot, LIMIT, op, events, n)


@njit(cache=True)
def run(book: Arrays, ops: Ops, events: Events) -> int:
    """Do `ops` in order and write what happens into `events`; the number of events.

    The caller sees to it that there are free slots, free levels and rows enough (`Book.apply`).
    """
    orders, levels, index, counts = book
    n = 0
    for i in range(ops.size):
        given = ops[i]
        if given.kind in (LIMIT, MARKET, IOC):
            n = _add(book, given, i, events, n)
            continue
        slot = find(orders, index, given.order)
        if slot == 0:
            n = _tell(events, n, i, REJECTED, UNKNOWN_ID, (given.order, 0, given.price, given.quantity))
        elif given.kind == REPLACE:
            n = _replace(book, slot, given, i, events, n)
        elif given.kind == CANCEL:
            n = _tell(events, n, i, CANCELLED, REQUESTED, (given.order, 0, orders[slot, PRICE], orders[slot, LEFT]))
            _leave(orders, levels, counts, slot)
            _free(orders, index, counts, slot)
    return n
