"""A real day's tape through the venue with random orders; a checker of its own judges what came out.

What must hold: each order ends once, with fills that sum to no more than its quantity and nothing told afterwards;
each fill is at the limit or better, on the tick, not before the order could be there, not better than what the quote
displays that stands, and all that meet this quote take no more than it displays; resting orders trade by price, then
time; nothing trades inside a halt.
"""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import pytest

from engines.marketdata.tape.tape import Tape, make
from engines.marketdata.venue import Venue, step
from engines.wire.messages import (
    Body,
    Cancelled,
    CancelRequested,
    Depths,
    Envelope,
    Fill,
    Filled,
    Halt,
    Order,
    Quotes,
    Rejected,
    Session,
    Trades,
)
from engines.wire.scenario_file import load
from engines.wire.session import NS, epoch_ns
from engines.wire.ticks import Rows, to_units
from tests.engines.marketdata.venue_rig import accept, envelope, live

BATCH_NS = 20 * NS


@lru_cache(maxsize=1)
def tape() -> Tape:
    return make(replace(load("flash-crash-2010"), ticks=20_000), seed=5)


@dataclass
class Seen:
    """One order, as the checker knows it."""

    order: Order
    live_ns: int  # not before the clock at which it was told
    place: int  # of its message
    number: int
    fills: list[Fill] = field(default_factory=list)
    ends: list[tuple[int, Body]] = field(default_factory=list)  # with the place of the message that brought it

    @property
    def filled(self) -> int:
        return sum(fill.quantity for fill in self.fills)


@dataclass
class Run:
    """All that went in and came out."""

    orders: dict[str, Seen] = field(default_factory=dict)
    told: list[tuple[int, Fill]] = field(default_factory=list)
    batches: list[tuple[int, int, int]] = field(default_factory=list)  # place, first and last quote
    halts: list[Halt] = field(default_factory=list)
    venue: Venue = field(default_factory=Venue)


def opening(day: Tape) -> Envelope:
    scenario = day.scenario
    names = tuple(item.symbol for item in scenario.instruments)
    body = Session(
        "open", scenario.name, scenario.date.isoformat(), scenario.symbols, names, 1, "", 40.0,
        tick_sizes=(100, *(to_units(item.tick) for item in scenario.instruments)),
        multipliers=(1, *(round(item.multiplier) for item in scenario.instruments)),
    )  # fmt: skip
    return envelope(body, 0)


@lru_cache(maxsize=1)
def run() -> Run:
    day, found = tape(), Run()
    rng = np.random.default_rng(11)
    date, symbols = day.scenario.date, day.scenario.symbols
    found.halts = [
        Halt("pause", 0, "ESX", epoch_ns(date, dt.time(14, 45, 28)), epoch_ns(date, dt.time(14, 45, 33)), "stop logic"),
        Halt("market-wide", 1, "*", epoch_ns(date, dt.time(11, 0)), epoch_ns(date, dt.time(11, 15)), "an exercise"),
    ]
    ticks = {item.symbol: to_units(item.tick) for item in day.scenario.instruments}
    place = 0

    def send(message: Envelope) -> None:
        nonlocal place
        place += 1
        found.venue, bodies = step(found.venue, message)
        for body in bodies:
            if isinstance(body, Fill):
                assert not found.orders[body.order_id].ends
                found.orders[body.order_id].fills.append(body)
                found.told.append((place, body))
            elif isinstance(body, Filled | Cancelled | Rejected):
                found.orders[body.order_id].ends.append((place, body))

    send(opening(day))
    for halt in found.halts:
        send(envelope(halt, halt.start_ns))
    start, end = int(day.quotes["ts"][0]), int(day.quotes["ts"][-1])
    last = dict.fromkeys(ticks, 0)
    for begin in range(start, end + 1, BATCH_NS):
        cut = slice(*np.searchsorted(day.quotes["ts"], [begin, begin + BATCH_NS]))
        rows = day.quotes[cut]
        if rows.size == 0:
            continue
        for n, symbol in enumerate(rows["symbol"]):
            last[symbols[symbol]] = int(rows["bid"][n])
        shown = day.depths[slice(*np.searchsorted(day.depths["ts"], [begin, begin + BATCH_NS]))]
        send(envelope(Trades(symbols, day.trades[cut].tobytes()), begin))
        send(envelope(Depths(symbols, shown.tobytes()), begin))
        send(envelope(Quotes(symbols, rows.tobytes()), begin))
        found.batches.append((place, cut.start, cut.stop))
        for _ in range(int(rng.integers(0, 3))):
            symbol = str(rng.choice(list(ticks)))
            if last[symbol] == 0:
                continue
            limit = (last[symbol] // ticks[symbol] + int(rng.integers(-4, 5))) * ticks[symbol]
            name, ts = f"o{len(found.orders)}", begin + int(rng.integers(0, BATCH_NS))
            kind = rng.random()
            made = Order(
                name, "test", symbol, 1 if rng.random() < 0.5 else -1, int(rng.integers(1, 4_000)),
                None if kind < 0.3 else limit, "ioc" if 0.2 < kind < 0.4 else "day",
            )  # fmt: skip
            found.orders[name] = Seen(made, max(live(name, ts), found.venue.clock_ns), place + 1, len(found.orders))
            send(accept(made, ts))
        if found.orders and rng.random() < 0.4:
            send(envelope(CancelRequested(f"o{rng.integers(0, len(found.orders))}"), begin))
    send(envelope(replace_event(opening(day).body), end))
    return found


def replace_event(body: Body) -> Session:
    assert isinstance(body, Session)
    return Session(**{name: getattr(body, name) for name in body.__struct_fields__} | {"event": "close"})


def test_the_history_is_worth_checking() -> None:
    found = run()
    kinds = {type(body).__name__ for seen in found.orders.values() for _, body in seen.ends}
    codes = {body.code for seen in found.orders.values() for _, body in seen.ends if isinstance(body, Cancelled)}
    assert len(found.orders) > 300
    assert len(found.told) > 500
    assert kinds == {"Filled", "Cancelled"}
    assert codes >= {"IOC", "REQUESTED", "SESSION_CLOSED", "SELF_TRADE"}
    assert found.venue.totals.auctions > 0
    assert max(len(seen.fills) for seen in found.orders.values()) > 3


def test_each_order_ends_once() -> None:
    for seen in run().orders.values():
        assert len(seen.ends) == 1
        _, end = seen.ends[0]
        left = seen.order.quantity - seen.filled
        assert left == (end.remaining if isinstance(end, Cancelled) else 0)


def test_fills_are_at_the_limit_or_better_on_the_tick_in_time_and_as_displayed() -> None:
    found, day = run(), tape()
    ticks = {item.symbol: to_units(item.tick) for item in day.scenario.instruments}
    taken: dict[tuple[str, int, int], list[Fill]] = defaultdict(list)
    between = 0
    for _, fill in found.told:
        seen, limit = found.orders[fill.order_id], found.orders[fill.order_id].order.limit
        assert fill.quantity > 0
        assert fill.ts_ns >= seen.live_ns
        assert fill.price % ticks[fill.symbol] == 0
        assert limit is None or (limit - fill.price) * fill.side >= 0
        rows = quotes_at(fill.symbol, fill.ts_ns)
        taken[fill.symbol, int(rows["ts"][0]), fill.side].append(fill)
        between += int(rows["ts"][0]) < fill.ts_ns
        touch = rows["ask"] if fill.side > 0 else rows["bid"]
        assert ((fill.price - touch) * fill.side >= 0).any()  # never better than what was displayed
    assert between > 100  # fills that wait for no quote
    for (symbol, ts, side), made in taken.items():
        rows = quotes_at(symbol, ts)
        touch = rows["ask_size" if side > 0 else "bid_size"].sum()
        own = day.depths[day.depths["symbol"] == day.scenario.symbols.index(symbol)]
        first, last = own["ts"].searchsorted([ts, max(fill.ts_ns for fill in made)], side="right")
        behind = own[max(0, first - 1) : last]["ask_size" if side > 0 else "bid_size"].sum()
        assert sum(fill.quantity for fill in made) <= int(touch) + int(behind)


def quotes_at(symbol: str, ts: int) -> Rows:
    """The quotes that stand at a time: one, or those of one instant."""
    own = quotes_of(symbol)
    since = own["ts"][own["ts"].searchsorted(ts, side="right") - 1]
    found: Rows = own[own["ts"] == since]
    return found


@lru_cache(maxsize=8)
def quotes_of(symbol: str) -> Rows:
    day = tape()
    found: Rows = day.quotes[day.quotes["symbol"] == day.scenario.symbols.index(symbol)]
    return found


def test_resting_orders_trade_by_price_then_time() -> None:
    """Where a resting order trades, no resting order of its side with a better claim is left unfilled."""
    found = run()
    checked = 0
    for place, fill in found.told:
        mine = found.orders[fill.order_id]
        if not rested(mine, fill.ts_ns):
            continue
        for other in found.orders.values():
            order = other.order
            if other is mine or (order.symbol, order.side) != (fill.symbol, fill.side) or not rested(other, fill.ts_ns):
                continue
            if other.ends and (other.ends[0][0] < place):
                continue
            limit, own = order.limit or 0, mine.order.limit or 0
            ahead = (limit - own) * fill.side > 0 or (limit == own and before(other, mine))
            if ahead:
                checked += 1
                done = sum(f.quantity for f in other.fills if f.ts_ns <= fill.ts_ns)
                assert done == order.quantity
    assert checked > 5


def rested(seen: Seen, ts: int) -> bool:
    """Whether a limit order stood on the book before `ts`: it had met a quote outside halts, new or standing."""
    if seen.order.limit is None or seen.order.tif == "ioc":
        return False
    return first_met(seen) < ts


@lru_cache(maxsize=4096)
def _first(symbol: str, live_ns: int, place: int) -> int:
    day, found = tape(), run()
    own = quotes_of(symbol)["ts"]
    stood = int(own.searchsorted(live_ns, side="right")) - 1
    halts = [halt for halt in found.halts if halt.symbol in ("*", symbol)]
    if stood >= 0 and not any(halt.start_ns <= live_ns and halt.end_ns > own[stood] for halt in halts):
        return live_ns
    start = next((first for at, first, _ in found.batches if at > place), len(day.quotes))
    rows = day.quotes[start:]
    rows = rows[(rows["symbol"] == day.scenario.symbols.index(symbol)) & (rows["ts"] >= live_ns)]
    for halt in halts:
        rows = rows[(rows["ts"] < halt.start_ns) | (rows["ts"] >= halt.end_ns)]
    return int(rows["ts"][0]) if rows.size else 1 << 62


def first_met(seen: Seen) -> int:
    return _first(seen.order.symbol, seen.live_ns, seen.place)


def before(one: Seen, two: Seen) -> bool:
    """Time priority: who met the book first; orders that one quote met, by their arrival."""
    return (first_met(one), one.live_ns, one.number) < (first_met(two), two.live_ns, two.number)


def test_nothing_trades_inside_a_halt() -> None:
    found = run()
    for halt in found.halts:
        inside = [
            fill for _, fill in found.told
            if halt.symbol in ("*", fill.symbol) and halt.start_ns <= fill.ts_ns < halt.end_ns
        ]  # fmt: skip
        assert inside == []


def test_our_orders_never_meet_each_other() -> None:
    """A purchase and a sale of ours at one instant in one symbol are against bid and ask, at different prices."""
    by_instant: dict[tuple[str, int], list[Fill]] = defaultdict(list)
    for _, fill in run().told:
        by_instant[fill.symbol, fill.ts_ns].append(fill)
    for fills in by_instant.values():
        bought = [fill.price for fill in fills if fill.side > 0]
        sold = [fill.price for fill in fills if fill.side < 0]
        assert not bought or not sold or min(bought) > max(sold)


@pytest.mark.parametrize("copies", [2])
def test_the_same_day_gives_the_same_fills(copies: int) -> None:
    first = [fill for _, fill in run().told]
    run.cache_clear()
    assert all([fill for _, fill in run().told] == first for _ in range(copies - 1))
