"""Between two quotes of a symbol the last one stands: what an order meets that is live by then, and what it leaves."""

import datetime as dt
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.kit import codec
from engines.marketdata import venue as venue_module
from engines.marketdata.venue import Venue, step
from engines.wire.messages import Body, Cancelled, CancelRequested, Envelope, Fill, Halt
from engines.wire.pins import Pin
from engines.wire.session import NS, epoch_ns, open_ns
from tests.engines.marketdata.reference_venue import Displayed, Mine, PlainVenue
from tests.engines.marketdata.venue_rig import (
    LATENCY,
    TICK,
    Row,
    accept,
    depth,
    envelope,
    fills,
    live,
    order,
    play,
    quotes,
    session,
    trades,
)

QUOTE = Row(LATENCY - 9, "AAPL", 900, 1_000, 80, 100)
FAR = 50 * NS


def clock(ts: int) -> Envelope:
    """Market time passes in another symbol."""
    return quotes(Row(ts, "SPX", 1, 2))


def codes(bodies: list[Body]) -> list[tuple[str, int, str]]:
    return [(b.order_id, b.remaining, b.code) for b in bodies if isinstance(b, Cancelled)]


# ------------------------------------------------------------------------------------------- what it meets
@pytest.mark.parametrize(("side", "price"), [(1, 1_000), (-1, 900)])
def test_a_market_order_trades_when_it_is_live_and_waits_for_no_quote(side: int, price: int) -> None:
    made = order("a", 1 if side > 0 else -1, 60)
    out = play(session(), accept(made), quotes(QUOTE), clock(FAR), quotes(Row(FAR + 1, "AAPL", 100, 200)))
    assert fills(out) == [("a", 60, price, live("a"))]


def test_its_own_time_has_to_pass_first() -> None:
    venue = Venue(replay=1)
    assert play(session(), accept(order("a", 1, 60)), quotes(QUOTE), clock(live("a")), venue=venue) == []
    assert fills(play(clock(live("a") + 1), venue=venue)) == [("a", 60, 1_000, live("a"))]


def test_a_quote_of_just_that_time_is_what_it_meets_however_the_batch_is_cut() -> None:
    rows = [Row(live("a"), "SPX", 1, 2), Row(live("a"), "AAPL", 950, 1_050), Row(FAR, "SPX", 1, 2)]
    for cut in range(4):
        parts = [quotes(*part) for part in (rows[:cut], rows[cut:]) if part]
        assert fills(play(session(), accept(order("a", 1, 60)), quotes(QUOTE), *parts)) == [("a", 60, 1_050, live("a"))]


def test_a_large_order_takes_what_is_left_the_levels_behind_it_and_the_rest_of_the_next_quote() -> None:
    shown = depth(0, "AAPL", [(800, 5)], [(1_000, 100), (1_100, 20)])
    first, second = sorted(("a", "b"), key=live)
    out = play(
        session(), shown, accept(order(first, 1, 30)), accept(order(second, 1, 200)), quotes(QUOTE), clock(FAR),
        quotes(Row(FAR + 1, "AAPL", 950, 1_050, 80, 500)),
    )  # fmt: skip
    assert fills(out) == [
        (first, 30, 1_000, live(first)), (second, 70, 1_000, live(second)), (second, 20, 1_100, live(second)),
        (second, 110, 1_050, FAR + 1),
    ]  # fmt: skip


def test_what_is_taken_is_gone_until_the_next_quote_also_for_orders_of_later_messages() -> None:
    venue = Venue(replay=1)
    play(session(), quotes(QUOTE), accept(order("a", 1, 100)), clock(FAR), venue=venue)
    restored = codec.decode(codec.encode(venue), Venue)
    for state in (venue, restored):
        again = [accept(order("b", 1, 10), FAR), accept(order("c", -1, 90), FAR), clock(2 * FAR)]
        assert fills(play(*again, venue=state)) == [("c", 80, 900, live("c", FAR))]
        last = play(quotes(Row(2 * FAR + 1, "AAPL", 900, 1_000, 3, 4)), venue=state)
        assert sorted(fills(last)) == [("b", 4, 1_000, 2 * FAR + 1), ("c", 3, 900, 2 * FAR + 1)]


def test_what_a_quote_itself_has_traded_is_gone_too() -> None:
    out = play(
        session(), accept(order("a", 1, 70)), quotes(Row(live("a"), "AAPL", 900, 1_000)),
        accept(order("b", 1, 50), live("a")), clock(FAR),
    )  # fmt: skip
    assert fills(out) == [("a", 70, 1_000, live("a")), ("b", 30, 1_000, live("b", live("a")))]


def test_an_order_that_is_told_late_trades_at_the_clock_and_not_in_the_past() -> None:
    out = play(session(), quotes(QUOTE), clock(FAR), accept(order("a", 1, 60)), clock(FAR + 5))
    assert fills(out) == [("a", 60, 1_000, FAR)]
    out = play(session(), quotes(QUOTE._replace(ts=FAR)), accept(order("a", 1, 160)), clock(FAR + 5))
    assert fills(out) == [("a", 100, 1_000, FAR)]


def test_a_limit_order_takes_what_it_reaches_and_rests_from_then_on() -> None:
    first, second = sorted(("a", "b"), key=live)
    out = play(
        session(), quotes(QUOTE), accept(order(first, 1, 150, 1_000)), accept(order(second, -1, 5, 1_000)), clock(FAR),
    )  # fmt: skip
    assert fills(out) == [(first, 100, 1_000, live(first))]
    assert codes(out) == [(second, 5, "SELF_TRADE")]


def test_an_ioc_order_trades_when_it_is_live_or_is_cancelled() -> None:
    some = [accept(order("a", 1, 150, tif="ioc")), accept(order("b", 1, 10, 900, tif="ioc"))]
    out = play(session(), quotes(QUOTE), *some, clock(FAR))
    assert fills(out) == [("a", 100, 1_000, live("a"))]
    assert sorted(codes(out)) == [("a", 50, "IOC"), ("b", 10, "IOC")]
    assert codes(play(session(), *some[1:], clock(FAR))) == [("b", 10, "IOC")]  # nothing has been displayed


@pytest.mark.parametrize("ask", [900, 890])
def test_a_quote_that_is_locked_or_crossed_is_no_market(ask: int) -> None:
    some = [accept(order("a", 1, 10)), accept(order("now", 1, 10, tif="ioc"))]
    out = play(session(), quotes(QUOTE._replace(ask=ask)), *some, clock(FAR), quotes(Row(FAR, "AAPL", 900, 1_000)))
    assert fills(out) == [("a", 10, 1_000, FAR)]
    assert codes(out) == [("now", 10, "IOC")]


# ------------------------------------------------------------------------------------------------- halts
@pytest.mark.parametrize("symbol", ["AAPL", "*"])
@pytest.mark.parametrize(
    ("start", "end"),
    [(0, FAR), (LATENCY - 5, LATENCY - 1), (LATENCY - 9, LATENCY - 8), (LATENCY, FAR)],
    ids=["all the while", "since the quote", "at the quote", "when it is live"],
)
def test_nothing_trades_in_a_halt_nor_behind_one_before_its_auction(symbol: str, start: int, end: int) -> None:
    state = Venue(replay=1)
    halt = envelope(Halt("pause", 0, symbol, start, end, "test"), 0)
    some = [accept(order("a", 1, 10)), accept(order("now", 1, 10, tif="ioc"))]
    out = play(session(), halt, quotes(QUOTE), *some, clock(FAR), venue=state)
    assert (fills(out), codes(out)) == ([], [("now", 10, "HALTED")])
    assert state.totals.auctions == 0
    reopened = play(quotes(Row(FAR + 1, "AAPL", 700, 1_200)), clock(FAR + 2), venue=state)
    assert [(f[0], f[3]) for f in fills(reopened)] == [("a", FAR + 1)]
    assert state.totals.auctions == 1


def test_a_quote_after_the_halt_stands_again() -> None:
    halt = envelope(Halt("pause", 0, "AAPL", 0, LATENCY - 9, "test"), 0)
    out = play(session(), halt, accept(order("a", 1, 10)), quotes(QUOTE), clock(FAR))
    assert fills(out) == [("a", 10, 1_000, live("a"))]


def test_before_the_first_quote_nothing_stands_not_even_as_the_reference_of_an_auction() -> None:
    state = Venue(replay=1)
    assert play(session(), accept(order("a", -1, 10, 700)), clock(FAR), venue=state) == []
    halt = envelope(Halt("pause", 0, "AAPL", FAR, FAR + 9, "test"), FAR)
    out = play(halt, quotes(Row(FAR + 9, "AAPL", 900, 1_100)), venue=state)
    assert fills(out) == [("a", 10, 900, FAR + 9)]  # of 700 to 900 the price nearest to the quote's middle


def test_a_recorded_pause_may_be_told_later_so_nothing_is_shown_again_in_it() -> None:
    """The CME's stop logic of 2010-05-06, 14:45:28 to 14:45:33: its halt is told when the tape has passed it."""
    start = epoch_ns(dt.date(2010, 5, 6), dt.time(14, 45, 28))
    some = [accept(order(n, 1, 1, symbol="ESX"), start + at) for n, at in (("before", -9 * NS), ("in it", NS))]
    first = quotes(Row(start - 10 * NS, "ESX", 10_000, 12_500))
    out = play(session(), first, *some, clock(start + 2 * NS), clock(start + 9 * NS))
    assert fills(out) == [("before", 1, 12_500, live("before", start - 9 * NS))]


def test_a_limit_state_that_has_lasted_long_enough_is_a_pause_that_is_told_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    day, price = dt.date(2020, 3, 16), 1_000_000
    pin = Pin("AAPL", price, price, price, price, price, 1, 0.01, stale_open=False)
    monkeypatch.setattr(venue_module, "pins", lambda _: (pin,))

    def at(second: float) -> int:
        return open_ns(day) + round(second * NS)

    low = Row(at(3), "AAPL", 940_000, 949_000)  # an offer below the band: it counts as one at the band
    some = [accept(order(n, 1, 10), at(second)) for n, second in (("early", 10), ("late", 20))]
    start = [session(day=day.isoformat()), trades((at(1), "AAPL", price)), quotes(low), *some]
    for between in ([], [clock(at(12))], [clock(at(30))]):
        out = play(*start, *between, quotes(Row(at(31), "AAPL", 990_000, 1_000_000)), clock(at(40)))
        assert fills(out) == [("early", 10, 950_000, live("early", at(10)))], len(between)
        assert [(b.start_ns, b.end_ns) for b in out if isinstance(b, Halt)] == [(at(18), at(318))]


# --------------------------------------------------------------------------------------------- properties
names = st.sampled_from(["AAPL", "ESX"])


@st.composite
def rows_of(draw: st.DrawFn) -> list[Row]:
    made, ts = [], LATENCY
    for _ in range(draw(st.integers(2, 14))):
        ts += draw(st.sampled_from([0, 1, LATENCY // 7, LATENCY, 5 * LATENCY]))
        symbol = draw(st.sampled_from(["AAPL", "ESX", "SPX"]))
        bid, tick = draw(st.integers(4, 8)), TICK.get(symbol, 100)
        ask = bid + draw(st.sampled_from([0, 1, 1, 2]))
        made.append(Row(ts, symbol, bid * tick, ask * tick, draw(st.integers(0, 30)), draw(st.integers(0, 30))))
    return made


@st.composite
def books_of(draw: st.DrawFn) -> list[Displayed]:
    made, ts = [], 0
    for _ in range(draw(st.integers(0, 4))):
        ts += draw(st.integers(0, 4 * LATENCY))
        symbol, best, size = draw(names), draw(st.integers(4, 8)), draw(st.integers(0, 20))
        bids = [[(best - n) * TICK[symbol], size] for n in range(3)]
        asks = [[(best + 1 + n) * TICK[symbol], size] for n in range(3)]
        made.append(Displayed(ts, symbol, bids, asks))
    return made


specs = st.lists(
    st.tuples(
        names, st.sampled_from([1, -1]), st.integers(1, 60), st.none() | st.integers(4, 9), st.booleans(),
        st.integers(-2 * LATENCY, 12 * LATENCY),
    ),
    max_size=8,
)  # fmt: skip


@given(
    rows=rows_of(), books=books_of(), asked=specs, known=st.integers(1, 14), closed=st.none() | st.integers(1, 15),
    cuts=st.sets(st.integers(1, 13), max_size=6),
)  # fmt: skip
@settings(max_examples=400, deadline=None)
def test_any_cut_of_the_rows_gives_the_fills_of_the_plain_venue(
    rows: list[Row], books: list[Displayed], asked: list[tuple[str, int, int, int | None, bool, int]], known: int,
    closed: int | None, cuts: set[int],
) -> None:  # fmt: skip
    """`known` rows come before the orders; a halt, where there is one, has no end."""
    known = min(known, len(rows) - 1)
    begin, end = rows[known - 1].ts, rows[-1].ts
    halted = 1 << 62 if closed is None else max(begin + 1, closed * LATENCY)
    sent: list[Envelope] = []
    mine: dict[str, list[Mine]] = {"AAPL": [], "ESX": []}
    for number, (symbol, side, quantity, limit, ioc, wait) in enumerate(asked):
        price = None if limit is None else limit * TICK[symbol]
        made = order(f"o{number}", 1 if side > 0 else -1, quantity, price, symbol, "ioc" if ioc else "day")
        sent.append(accept(made, begin + wait))
        mine[symbol].append(Mine(made, max(live(made.order_id, begin + wait), begin), number))
    shown = [depth(b.ts, b.symbol, [(p, s) for p, s in b.bids], [(p, s) for p, s in b.asks]) for b in books]
    halts = [] if closed is None else [envelope(Halt("pause", 0, "*", halted, 1 << 62, ""), begin)]
    edges = [known, *sorted(cut for cut in cuts if known < cut < len(rows)), len(rows)]
    batches = [quotes(*rows[one:two]) for one, two in pairwise(edges)]
    out = play(session(), *shown, quotes(*rows[:known]), *halts, *sent, *batches)
    told: list[tuple[str, int, int, int]] = []
    for symbol, orders in mine.items():
        stood = [row for row in rows[:known] if row.symbol == symbol]
        plain = PlainVenue(symbol, orders, books, stood[-1] if stood else None, halted)
        plain.run(rows[known:], begin, end)
        told += plain.told
    assert sorted(fills(out)) == sorted(told)
    gone = [(each.order.order_id, each.left, each.gone) for orders in mine.values() for each in orders if each.gone]
    assert sorted(codes(out)) == sorted(gone)


histories = st.lists(
    st.tuples(st.sampled_from(["row", "row", "order", "cancel", "halt"]), names, st.integers(0, 3 * LATENCY),
              st.integers(4, 8), st.integers(0, 30)),
    max_size=30,
)  # fmt: skip


@given(history=histories)
@settings(max_examples=150, deadline=None)
def test_no_quote_gives_more_than_it_displays_and_no_fill_lies_before_the_clock(
    history: list[tuple[str, str, int, int, int]],
) -> None:
    """Whatever is sent between: what trades while a quote stands is no more than its size, on the side that it has."""
    state, clock_ns = Venue(), LATENCY
    state, _ = step(state, session())
    left: dict[tuple[str, int], int] = {}
    for place, (kind, symbol, wait, price, size) in enumerate(history):
        before, tick = state.clock_ns, TICK[symbol]
        message = accept(order(f"o{place}", 1 if size % 2 else -1, 1 + size, None, symbol), clock_ns - wait)
        if kind == "row":
            clock_ns += wait
            row = Row(clock_ns, symbol, price * tick, (price + 1) * tick, size, size)
            message = quotes(row)
        elif kind == "halt":
            message = envelope(Halt("pause", 0, symbol, clock_ns, clock_ns + 1 + wait, ""), clock_ns)
        elif kind == "cancel":
            message = envelope(CancelRequested(f"o{place - price}"), clock_ns)
        state, bodies = step(state, message)
        done = [body for body in bodies if isinstance(body, Fill)]
        for one in done:
            assert one.ts_ns >= before
            if one.ts_ns < clock_ns:  # an echo: the row that has just come is not what it met
                left[one.symbol, one.side] = left.get((one.symbol, one.side), 0) - one.quantity
        if kind == "row":
            assert all(size >= 0 for size in left.values())
            left[symbol, 1] = left[symbol, -1] = size
            for one in done:
                if one.ts_ns == clock_ns:
                    left[one.symbol, one.side] -= one.quantity
        assert all(size >= 0 for size in left.values())
