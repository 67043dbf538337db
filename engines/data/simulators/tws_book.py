"""What the TWS simulator streams, as pure functions of a seed: books, trades, daily bars.

A stream of books becomes depth operations by comparing each book with the one before.  There are two readings of these
operations.  By the published API an insert moves the rows below it down and a delete moves them up (`SHIFTING`); what
ib_async 2.1.0 stores is a row at a position and nothing moves, which its maintainers saw TWS send (`FIXED`: inserts and
deletes only at the end of a side).  Operations of `FIXED` mean the same under both readings.
"""

import datetime as dt
import enum
import itertools
import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

ASK, BID = 0, 1
INSERT, UPDATE, DELETE = 0, 1, 2
LAST_DAY = dt.date(2024, 1, 31)
_DAYS = 2_000
_EPOCH = dt.date(1970, 1, 1)


class Level(NamedTuple):
    """One price of a side; currency units, shares."""

    price: float
    size: int


class Book(NamedTuple):
    """Both sides, best price first."""

    asks: tuple[Level, ...] = ()
    bids: tuple[Level, ...] = ()


class Change(NamedTuple):
    """One depth operation as it goes over the wire."""

    position: int
    operation: int
    side: int
    price: float
    size: int


class Reset(NamedTuple):
    """Error 317: the client is to empty its book before what follows."""


class Halted(NamedTuple):
    """Error 316: depth ends until it is asked for again."""


class Drop(NamedTuple):
    """The connection breaks."""


Event = Book | Reset | Halted | Drop


class Dialect(enum.Enum):
    """How a change of a book becomes operations."""

    FIXED = "fixed"
    SHIFTING = "shifting"


def changes(before: Book, after: Book, dialect: Dialect) -> list[Change]:
    """The operations that make `after` of `before`, asks first."""
    make = _fixed if dialect is Dialect.FIXED else _shifting
    return [*make(ASK, before.asks, after.asks), *make(BID, before.bids, after.bids)]


def _fixed(side: int, before: Sequence[Level], after: Sequence[Level]) -> Iterator[Change]:
    for position in range(len(before) - 1, len(after) - 1, -1):
        yield Change(position, DELETE, side, 0.0, 0)
    for position, level in enumerate(after):
        if position >= len(before):
            yield Change(position, INSERT, side, *level)
        elif before[position] != level:
            yield Change(position, UPDATE, side, *level)


def _shifting(side: int, before: Sequence[Level], after: Sequence[Level]) -> Iterator[Change]:
    kept = {level.price for level in after}
    rows = list(before)
    for position in range(len(rows) - 1, -1, -1):
        if rows[position].price not in kept:
            del rows[position]
            yield Change(position, DELETE, side, 0.0, 0)
    for position, level in enumerate(after):
        if position < len(rows) and rows[position].price == level.price:
            if rows[position] != level:
                rows[position] = level
                yield Change(position, UPDATE, side, *level)
        else:
            rows.insert(position, level)
            yield Change(position, INSERT, side, *level)


def base_price(symbol: str, seed: int) -> int:
    """A symbol's first price in cents, between 20 and 500 currency units."""
    return random.Random(f"{seed}/{symbol}/base").randrange(2_000, 50_000)


def books(symbol: str, seed: int, rows: int) -> Iterator[Book]:
    """Books without end: prices wander by cents, sizes change, a side sometimes loses or gains its last row."""
    rng = random.Random(f"{seed}/{symbol}/book")
    middle = base_price(symbol, seed)
    sizes: dict[int, int] = {}
    depth = [rows, rows]
    while True:
        prices = ([middle + 1 + k for k in range(depth[ASK])], [middle - 1 - k for k in range(depth[BID])])
        sizes = {cents: sizes.get(cents) or rng.randrange(1, 100) * 100 for side in prices for cents in side}
        yield Book(*(tuple(Level(cents / 100, sizes[cents]) for cents in side) for side in prices))
        middle = max(rows + 1, middle + rng.choice((-1, 0, 0, 0, 1)))
        for cents in rng.sample(sorted(sizes), 2):
            sizes[cents] = 0  # drawn again
        side = rng.randrange(2)
        depth[side] = min(rows, max(1, depth[side] + rng.choice((-1, 1))))


def script(symbol: str, seed: int, rows: int, reset_after: int | None) -> Iterator[Event]:
    """The default stream: books, with a reset and a rebuilt book after `reset_after` of them."""
    for number, book in enumerate(books(symbol, seed, rows), 1):
        yield book
        if number == reset_after:
            yield Reset()


def trades(symbol: str, seed: int) -> Iterator[tuple[int, float, int]]:
    """Trades without end: Unix seconds, price, shares; several may share a second."""
    rng = random.Random(f"{seed}/{symbol}/trades")
    cents = base_price(symbol, seed)
    ts = (LAST_DAY - _EPOCH).days * 86_400 + 14 * 3_600 + 30 * 60
    while True:
        yield ts, cents / 100, rng.randrange(1, 20) * 100
        cents = max(1, cents + rng.choice((-2, -1, 0, 0, 1, 2)))
        ts += rng.randrange(2)


def daily(
    symbol: str, seed: int, days: int, end: dt.date = LAST_DAY
) -> list[tuple[str, float, float, float, float, int]]:
    """The last `days` weekdays up to `end`: date, open, high, low, close, volume.

    Bars exist for the `_DAYS` weekdays to `LAST_DAY`, so that a day's bar is the same in every answer.
    """
    rng = random.Random(f"{seed}/{symbol}/daily")
    back = (LAST_DAY - dt.timedelta(days=n) for n in itertools.count())
    dates = list(itertools.islice((day for day in back if day.weekday() < 5), _DAYS))
    cents, found = base_price(symbol, seed), []
    for day in reversed(dates):
        path = [cents, *(max(1, cents + rng.randrange(-200, 201)) for _ in range(3))]
        opened, high, low, cents = path[0], max(path), min(path), path[-1]
        prices = (opened / 100, high / 100, low / 100, cents / 100)
        volume = rng.randrange(1_000, 9_000) * 1_000
        if day <= end:
            found.append((f"{day:%Y%m%d}", *prices, volume))
    return found[-days:]
