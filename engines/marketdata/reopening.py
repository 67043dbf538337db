"""The reopening auction of one symbol: our orders that are due against what the tape's first quote displays.

Both sides execute by price, then time; at one price what is displayed stands before our orders.  Our own orders do not
trade with each other: where both sides of ours would execute, the newest of them is cancelled and the auction is held
again.
"""

from collections.abc import Sequence
from typing import NamedTuple

from engines.marketdata.auction import LEAST, MOST, Cross, cross
from engines.marketdata.book import Ended, Level, Match, Shown, Working, due, end, fill, levels


class Rules(NamedTuple):
    """What an auction is held by; prices of 1/10,000."""

    reference: int
    tick: int
    collars: tuple[int, int] = (LEAST, MOST)


class _Interest(NamedTuple):
    """One order of a side: ours, or a level that the tape displays."""

    rank: tuple[int, int]
    price: int
    quantity: int
    whose: Working | Level


def reopen(orders: Sequence[Working], shown: Shown, row: int, rules: Rules) -> tuple[Cross, list[Match | Ended]]:
    """Hold the auction on the quote at `row`; takes what trades out of `shown` and the orders in place.

    An auction that is not resolved trades nothing: the symbol stays closed.
    """
    ts = int(shown.ts[row])
    ours_due = [w for w in orders if w.remaining and (w.rests is not None or due(w, ts))]
    out: list[Match | Ended] = []
    while True:
        sides = [_side(ours_due, levels(shown, row, -side), side) for side in (1, -1)]
        buys, sells = ([(item.price, item.quantity) for item in side] for side in sides)
        found = cross(buys, sells, rules.reference, rules.tick, rules.collars)
        if found.price is None or not found.resolved:
            return found, out
        done = [_executed(side, found.volume) for side in sides]
        ours = [[w for w, _ in part if isinstance(w, Working)] for part in done]
        if not (ours[0] and ours[1]):
            break
        newest = max((w for part in ours for w in part), key=lambda w: w.arrival)
        ours_due.remove(newest)
        out.append(end(newest, "SELF_TRADE"))
    for whose, quantity in (item for part in done for item in part):
        if isinstance(whose, Working):
            out.append(fill(whose, quantity, found.price, ts))
        else:
            whose.take(quantity)
    return found, out


def _side(due: Sequence[Working], displayed: Sequence[Level], side: int) -> list[_Interest]:
    """All who buy (+1) or sell (-1), in their priority."""
    extreme = MOST if side > 0 else LEAST
    tape = [_Interest((-side * level.price, 0), level.price, level.size, level) for level in displayed]
    for w in due:
        if w.order.side == side:
            price = extreme if w.order.limit is None else w.order.limit
            tape.append(_Interest((-side * price, w.arrival), price, w.remaining, w))
    return sorted(tape, key=lambda item: item.rank)


def _executed(side: Sequence[_Interest], volume: int) -> list[tuple[Working | Level, int]]:
    """Who executes how much of the volume."""
    done: list[tuple[Working | Level, int]] = []
    for item in side:
        quantity = min(volume, item.quantity)
        volume -= quantity
        if quantity:
            done.append((item.whose, quantity))
    return done
