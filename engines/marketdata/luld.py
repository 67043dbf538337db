"""Limit up - limit down at the venue: reference prices from the tape's trades, bands, limit states, pauses.

The rule is data (`engines.wire.rulebook.Luld`); here it is applied.  Stated readings of it:
- The pro-forma reference is the arithmetic mean of the trade prices of the last five minutes, of whole seconds; after a
  second has passed it becomes the reference, from the next second on, if it is far enough away and the present one old
  enough.  The first trade of the day, and the first after a pause, is the reference at once.
- The tape's quotes do not know the bands.  An offer below the lower band counts as one at the lower band, and a bid
  above the upper band as one there (trading centres would have repriced it): that is the limit state.
- A straddle (a bid below the lower band or an offer above the upper one, without a limit state) is shown; the primary
  market may pause then, this venue does not.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

import msgspec
import numpy as np
import numpy.typing as npt

from engines.marketdata.auction import LEAST, MOST
from engines.wire.rulebook import CENT, Luld, rules
from engines.wire.session import NS, epoch_ns, open_ns, wall_time
from engines.wire.ticks import Rows

Ints = npt.NDArray[np.int64]
KEPT = 16  # references remembered: one holds for half a minute at least


class Stock(msgspec.Struct):
    """One stock's day.  `previous`: its close of the day before; `tick`; both of 1/10,000.

    `references`: (in force from, price).  `limit`: side of the limit state, since `limit_ns`.  `reopens`: the next
    trade at or after this time is the new reference; 0 for none.
    """

    symbol: str
    tier: int
    previous: int
    tick: int
    references: list[tuple[int, int]] = []
    limit: int = 0
    limit_ns: int = 0
    straddles: bool = False
    reopens: int = 0
    pauses: int = 0


class Bands(msgspec.Struct):
    """All stocks under the rule.  `sums` and `counts` of trade prices per stock and second, `second` their last."""

    day: dt.date
    rules_day: dt.date
    stocks: list[Stock]
    sums: Ints
    counts: Ints
    second: int = 0

    def place(self, symbol: str) -> int | None:
        """Where a symbol stands among the stocks."""
        return next((place for place, stock in enumerate(self.stocks) if stock.symbol == symbol), None)


def open_day(
    day: dt.date, rules_day: dt.date, closes: Mapping[str, int], ticks: Mapping[str, int], tier_2: Sequence[str] = ()
) -> Bands | None:
    """The bands of a day, for the stocks whose previous close is known; None where there is no such rule."""
    rule = rules(rules_day).luld
    if rule is None:
        return None
    stocks = [Stock(name, 2 if name in tier_2 else 1, close, ticks[name]) for name, close in closes.items()]
    stocks = [stock for stock in stocks if stock.tier in rule.tiers]
    shape = (len(stocks), rule.reference_s)
    return Bands(day, rules_day, stocks, np.zeros(shape, np.int64), np.zeros(shape, np.int64))


def rule_of(bands: Bands) -> Luld:
    """The rule in force."""
    rule = rules(bands.rules_day).luld
    if rule is None:
        raise AssertionError(f"{bands.rules_day} has no limit up - limit down rule, and its bands were opened")
    return rule


# ------------------------------------------------------------------------------------------------ reference
def on_trades(bands: Bands, symbols: Sequence[str], rows: Rows) -> None:
    """Take in trades (TRADE rows in time order) and renew references."""
    known = {stock.symbol: place for place, stock in enumerate(bands.stocks)}
    stock = np.array([known.get(symbol, -1) for symbol in symbols])[rows["symbol"]]
    ts, price = rows["ts"], rows["price"]
    opening = open_ns(bands.day)
    second = (ts - opening) // NS
    keep = (stock >= 0) & (second > bands.second - bands.sums.shape[1])
    for place, each in enumerate(bands.stocks):
        if not each.references or each.reopens:
            keep &= (stock != place) | _first(bands, place, ts, np.where(stock == place, price, 0))
    _count(bands, stock[keep], second[keep], price[keep], opening)


def _first(bands: Bands, place: int, ts: Ints, price: Ints) -> npt.NDArray[np.bool_]:
    """The first trade of the day, or after a pause, is the reference; whether a row no longer counts, being older.

    `price` is 0 in the rows of others.
    """
    stock = bands.stocks[place]
    after = np.flatnonzero((ts >= stock.reopens) & (price != 0))
    if after.size == 0:
        return np.ones(ts.size, np.bool_)
    since = int(ts[after[0]])
    stock.references = [(since, _cent(int(price[after[0]])))]
    stock.reopens = 0
    bands.sums[place] = bands.counts[place] = 0
    return ts >= since


def _count(bands: Bands, stock: Ints, second: Ints, price: Ints, opening: int) -> None:
    """Add trades to their seconds; each second that has passed may renew references."""
    if second.size == 0:
        return
    width = bands.sums.shape[1]
    new = max(0, int(second.max()) - bands.second)
    cells = stock * (width + new) + second - (bands.second - width + 1)
    size = len(bands.stocks) * (width + new)
    weights = price.astype(np.float64)  # sums of prices stay far below 2^53
    sums = np.bincount(cells, weights, size).astype(np.int64).reshape(-1, width + new)
    counts = np.bincount(cells, minlength=size).reshape(-1, width + new)
    sums[:, :width] += bands.sums
    counts[:, :width] += bands.counts
    if new:
        _renew(bands, _rolling(sums, width), _rolling(counts, width), opening)
    bands.sums, bands.counts, bands.second = sums[:, new:], counts[:, new:], bands.second + new


def _rolling(values: Ints, width: int) -> Ints:
    """Sums over `width` columns, ending at each column from the `width`-th on, without the last."""
    new = values.shape[1] - width
    first = values[:, :width].sum(axis=1)[:, None]
    return np.hstack([first, first + (values[:, width:-1] - values[:, : new - 1]).cumsum(axis=1)])


def _renew(bands: Bands, sums: Ints, counts: Ints, opening: int) -> None:
    """New references where the means of passed seconds are far enough from those in force."""
    rule = rule_of(bands)
    current = np.array([stock.references[-1][1] if stock.references else 0 for stock in bands.stocks])[:, None]
    far = np.abs(sums - current * counts) * 100 >= rule.renew_percent * current * counts
    for place in np.flatnonzero((far & (counts > 0)).any(axis=1)):
        stock = bands.stocks[place]
        for column in np.flatnonzero(counts[place]):
            start = opening + (bands.second + int(column) + 1) * NS
            since, reference = stock.references[-1]
            mean = _cent(round(int(sums[place, column]) / int(counts[place, column])))
            old_enough = start - since >= rule.renew_s * NS
            if old_enough and abs(mean - reference) * 100 >= rule.renew_percent * reference:
                stock.references = [*stock.references, (start, mean)][-KEPT:]


def _cent(price: int) -> int:
    return (price + CENT // 2) // CENT * CENT


# ---------------------------------------------------------------------------------------------------- bands
def at(bands: Bands, place: int, ts: Ints) -> tuple[Ints, Ints]:
    """Lower and upper band at each time (in order); LEAST and MOST where there is none."""
    stock = bands.stocks[place]
    whole = _flat(bands, stock, int(ts[0]), int(ts[-1]))
    if whole is not None:
        return np.full(ts.size, whole[0]), np.full(ts.size, whole[1])
    lower, upper = np.full(ts.size, LEAST), np.full(ts.size, MOST)
    starts = np.array([start for start, _ in stock.references], np.int64)
    which = starts.searchsorted(ts, side="right") - 1
    minute = (ts - open_ns(bands.day)) // (60 * NS)
    changes = np.flatnonzero((np.diff(which) != 0) | (np.diff(minute) != 0)) + 1
    edges = [0, *changes.tolist(), ts.size]
    for start, end in pairwise(edges):
        if start == end or which[start] < 0:
            continue
        reference = stock.references[which[start]][1]
        facts = (stock.tier, reference, stock.previous, stock.tick)
        lower[start:end], upper[start:end] = _band(bands.rules_day, int(minute[start]), facts)
    return lower, upper


def _flat(bands: Bands, stock: Stock, first: int, last: int) -> tuple[int, int] | None:
    """The bands where they are the same from `first` to `last`, None where they change."""
    references = stock.references
    if not references or last < references[0][0]:
        return LEAST, MOST
    minute = (first - open_ns(bands.day)) // (60 * NS)
    if first < references[-1][0] or minute != (last - open_ns(bands.day)) // (60 * NS):
        return None
    return _band(bands.rules_day, minute, (stock.tier, references[-1][1], stock.previous, stock.tick))


@lru_cache(maxsize=4096)
def _band(rules_day: dt.date, minute: int, stock: tuple[int, int, int, int]) -> tuple[int, int]:
    """The rule's band in a minute after the open, its hours and doublings beginning and ending on whole minutes.

    `stock`: tier, reference, previous close, tick.  The band is on the tick: inside the rule's.
    """
    tier, reference, previous, tick = stock
    rule = rules(rules_day).luld
    found = None if rule is None or minute < 0 else rule.band(tier, reference, previous, wall_time(minute * 60.0))
    if found is None:
        return LEAST, MOST
    return -(-found[0] // tick) * tick, found[1] // tick * tick


# --------------------------------------------------------------------------------------------- limit states
def on_quotes(bands: Bands, place: int, ts: Ints, touch: tuple[Ints, Ints], band: tuple[Ints, Ints]) -> int | None:
    """Follow limit states through quotes (times, (bids, asks), (lower, upper)); when a pause begins, or None."""
    stock, rule = bands.stocks[place], rule_of(bands)
    (bid, ask), (lower, upper) = touch, band
    low, high = lower.max(), upper.min()
    inside = bid.min() >= low and ask.max() <= high and bid.max() < high
    if inside and ask.min() > low and stock.limit == 0 and not stock.straddles:
        return None  # as nearly always
    side = np.where(ask <= lower, -1, np.where(bid >= upper, 1, 0))
    stock.straddles = bool(side[-1] == 0 and (bid[-1] < lower[-1] or ask[-1] > upper[-1]) and lower[-1] > LEAST)
    if stock.limit == 0 and not side.any():
        return None
    patience = rule.limit_state_s * NS
    for i in np.flatnonzero(np.diff(side, prepend=stock.limit)):
        if stock.limit and int(ts[i]) - stock.limit_ns >= patience:
            break
        stock.limit, stock.limit_ns = int(side[i]), int(ts[i])
    if stock.limit == 0 or int(ts[-1]) - stock.limit_ns < patience:
        return None
    start = stock.limit_ns + patience
    pause(stock, start + rule.pause_s * NS)
    return start


def pause(stock: Stock, until_ns: int) -> None:
    """The stock is paused: its limit state is over, and the next trade after it makes the reference."""
    stock.limit, stock.straddles = 0, False
    stock.reopens = until_ns
    stock.pauses += 1


def pause_end(bands: Bands, start: int) -> int:
    """When a pause that begins at `start` ends: at the close at the latest."""
    return min(start + rule_of(bands).pause_s * NS, epoch_ns(bands.day, dt.time(16)))
