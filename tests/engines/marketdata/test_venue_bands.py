"""Limit up - limit down: references against a plain recount, bands by hand, limit states, pauses and reopenings."""

import datetime as dt
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.kit import codec
from engines.marketdata import luld, venue
from engines.marketdata.auction import LEAST, MOST
from engines.marketdata.luld import Bands
from engines.marketdata.venue import Venue, step
from engines.marketdata.venue_routes import bands_of, book_of
from engines.wire.errors import DataError, UnknownName
from engines.wire.messages import Body, Cancelled, Envelope, Fill, Halt, Rejected
from engines.wire.pins import Pin
from engines.wire.session import NS, open_ns
from engines.wire.ticks import TRADE
from tests.engines.marketdata.venue_rig import Row, accept, envelope, fills, order, play, quotes, session, trades

DAY = dt.date(2020, 3, 16)
OPEN = open_ns(DAY)
CENTS = 100
PRICE = 100 * 10_000  # $100: bands of 5 % for Tier 1
LOW, HIGH = 95 * 10_000, 105 * 10_000


def at(seconds: float) -> int:
    return OPEN + round(seconds * NS)


def opened(closes: int = PRICE, day: dt.date = DAY) -> Bands:
    found = luld.open_day(day, day, {"AAPL": closes}, {"AAPL": CENTS})
    assert found is not None
    return found


def feed(bands: Bands, rows: list[tuple[float, int]]) -> None:
    made = np.zeros(len(rows), TRADE)
    for i, (second, price) in enumerate(rows):
        made[i] = (at(second), 1, 1, price, 100)
    luld.on_trades(bands, ("SPX", "AAPL"), made)


def band(bands: Bands, second: float) -> tuple[int, int]:
    lower, upper = luld.at(bands, 0, np.array([at(second)]))
    return int(lower[0]), int(upper[0])


# ------------------------------------------------------------------------------------------------ references
steps = st.lists(st.tuples(st.integers(0, 90_000), st.integers(-300, 300)), min_size=1, max_size=60)


@given(moves=steps, cuts=st.sets(st.integers(1, 59), max_size=5))
@settings(max_examples=80, deadline=None)
def test_references_are_those_of_a_plain_recount_however_the_trades_are_cut(
    moves: list[tuple[int, int]], cuts: set[int]
) -> None:
    millis, price, rows = 0, PRICE, []
    for wait, move in moves:
        millis, price = millis + wait, max(10_000, price + move * 100)
        rows.append((millis / 1000, price))
    found = opened()
    edges = [0, *sorted(cut for cut in cuts if cut < len(rows)), len(rows)]
    for start, end in pairwise(edges):
        feed(found, rows[start:end])
    assert found.stocks[0].references == plain(rows)[-luld.KEPT :]


def plain(rows: list[tuple[float, int]]) -> list[tuple[int, int]]:
    """Second by second: the mean of the trades of the last 300 seconds, if it is 1 % off and the old one 30 s old."""
    references = [(at(rows[0][0]), -(-(rows[0][1] - 50) // 100) * 100)]
    for second in range(int(rows[-1][0])):
        prices = [price for ts, price in rows if second - 299 <= int(ts) <= second]
        if not prices:
            continue
        mean = (round(sum(prices) / len(prices)) + 50) // 100 * 100
        since, reference = references[-1]
        far = abs(sum(prices) - reference * len(prices)) * 100 >= reference * len(prices)
        if far and abs(mean - reference) * 100 >= reference and at(second + 1) - since >= 30 * NS:
            references.append((at(second + 1), mean))
    return references


def test_the_first_trade_is_the_reference_and_bands_follow_the_rule_of_the_day() -> None:
    bands = opened()
    assert band(bands, 1_000) == (LEAST, MOST)
    feed(bands, [(2.0, PRICE)])
    assert band(bands, 1.9) == (LEAST, MOST)
    assert band(bands, 2.0) == (LOW, HIGH)  # Amendment 18: no doubling at the open
    assert band(bands, 6.2 * 3_600) == (PRICE - 10 * 10_000, PRICE + 10 * 10_000)  # but in the last 25 minutes
    cheap = opened(closes=2 * 10_000)  # the bucket goes by the previous close: 20 %
    feed(cheap, [(2.0, PRICE)])
    assert band(cheap, 3.0) == (PRICE - 20 * 10_000, PRICE + 20 * 10_000)


def test_there_is_no_rule_before_april_2013() -> None:
    before = dt.date(2013, 4, 7)
    assert luld.open_day(before, before, {"AAPL": PRICE}, {"AAPL": CENTS}) is None
    assert luld.open_day(dt.date(2013, 4, 8), dt.date(2013, 4, 8), {"AAPL": PRICE}, {"AAPL": CENTS}) is not None


# --------------------------------------------------------------------------------------------- at the venue
@pytest.fixture(autouse=True)
def closes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Previous closes of $100, in place of a scenario's."""
    pin = Pin("AAPL", PRICE, PRICE, PRICE, PRICE, PRICE, 1, 0.01, stale_open=False)
    monkeypatch.setattr(venue, "pins", lambda _: (pin,))


def start() -> list[Envelope]:
    """An open session in which AAPL has traded at 100."""
    return [session(day=DAY.isoformat()), trades((at(1), "AAPL", PRICE))]


def quote(second: float, bid: float, ask: float, size: int = 100) -> Row:
    return Row(at(second), "AAPL", round(bid * 10_000), round(ask * 10_000), size, size)


def prices(bodies: list[Body]) -> list[tuple[str, int, float]]:
    return [(name, quantity, price / 10_000) for name, quantity, price, _ in fills(bodies)]


def test_nothing_trades_outside_the_bands_and_the_remainder_rests_at_the_band() -> None:
    out = play(
        *start(), accept(order("market", 1, 300), at(2)), accept(order("limit", 1, 10, 107 * 10_000), at(2)),
        accept(order("ioc", 1, 500, tif="ioc"), at(2)),
        quotes(quote(3, 104.99, 105.01), quote(4, 104.5, 105.5)),
        quotes(quote(5, 104.0, 104.9, 1_000)),
    )  # fmt: skip
    assert [(b.order_id, b.remaining, b.code) for b in out if isinstance(b, Cancelled)] == [("ioc", 500, "IOC")]
    assert sorted(prices(out)) == [("limit", 10, 105.0), ("market", 300, 105.0)]


def test_an_offer_below_the_lower_band_counts_as_one_at_the_band() -> None:
    out = play(*start(), accept(order("a", 1, 10), at(2)), quotes(quote(3, 90.0, 90.5)))
    assert prices(out) == [("a", 10, 95.0)]
    sold = play(*start(), accept(order("a", -1, 10), at(2)), quotes(quote(3, 90.0, 90.5)))
    assert prices(sold) == []


def test_a_limit_that_could_not_trade_is_rejected_and_one_that_pays_too_much_is_not() -> None:
    out = play(
        *start(), accept(order("low", 1, 1, 94 * 10_000), at(2)), accept(order("high", -1, 1, 106 * 10_000), at(2)),
        accept(order("pays", 1, 1, 106 * 10_000), at(2)), accept(order("edge", 1, 1, LOW), at(2)),
    )  # fmt: skip
    assert [(b.order_id, b.code) for b in out if isinstance(b, Rejected)] == [
        ("low", "OUTSIDE_BANDS"), ("high", "OUTSIDE_BANDS")
    ]  # fmt: skip


@pytest.mark.parametrize(("leaves", "paused"), [(17.9, False), (18.0, True)])
def test_fifteen_seconds_at_the_band_pause_for_five_minutes(leaves: float, paused: bool) -> None:
    out = play(
        *start(), quotes(quote(2, 95.5, 95.6), quote(3, 94.0, 94.9), quote(10, 94.9, 95.0)),
        quotes(quote(leaves, 95.5, 96.0), quote(20, 95.5, 96.0)),
    )  # fmt: skip
    halts = [(b.symbol, b.start_ns, b.end_ns) for b in out if isinstance(b, Halt)]
    assert halts == ([("AAPL", at(18), at(318))] if paused else [])


def test_the_pause_stops_matching_and_its_auction_takes_one_price_within_the_collars() -> None:
    state = Venue(replay=1)
    fall = [quotes(quote(3, 94.0, 94.9), quote(18, 94.0, 94.9))]
    assert [type(b) for b in play(*start(), *fall, venue=state)] == [Halt]
    waiting = [accept(order("b1", 1, 40, 98 * 10_000), at(20)), accept(order("b2", 1, 40), at(21))]
    assert play(*waiting, quotes(quote(100, 96.0, 96.1)), venue=state) == []
    out = play(quotes(quote(318, 96.0, 97.0, 60), quote(319, 96.0, 97.5, 60)), venue=state)
    auction = [b for b in out if isinstance(b, Fill) and b.ts_ns == at(318)]
    assert [(b.order_id, b.quantity, b.price) for b in auction] == [("b2", 40, 97 * 10_000), ("b1", 20, 97 * 10_000)]
    assert prices(out)[2:] == [("b1", 20, 98.0)]  # it rests at its limit
    assert (state.totals.auctions, state.totals.pauses) == (1, 1)


def test_an_auction_that_would_end_beyond_its_collars_goes_on_waiting() -> None:
    state = Venue(replay=1)
    play(*start(), quotes(quote(3, 94.0, 94.9), quote(18, 94.0, 94.9)), venue=state)
    play(accept(order("a", 1, 10, 104 * 10_000), at(20)), venue=state)
    assert bands_of(state, "AAPL").lower == 95.0
    (halt,) = play(quotes(quote(318, 100.0, 103.0)), venue=state)
    assert (halt.start_ns, halt.end_ns) == (at(318), at(618))  # type: ignore[attr-defined] # a Halt
    out = play(quotes(quote(400, 100.0, 103.0), quote(618, 100.0, 103.0)), venue=state)
    assert prices(out) == [("a", 10, 103.0)]  # twice the width


def test_the_first_trade_after_a_pause_is_the_reference() -> None:
    state = Venue(replay=1)
    play(*start(), quotes(quote(3, 94.0, 94.9), quote(18, 94.0, 94.9)), venue=state)
    play(trades((at(100), "AAPL", 90 * 10_000), (at(318), "AAPL", 80 * 10_000)), venue=state)
    assert bands_of(state, "AAPL").reference == 80.0
    play(quotes(quote(319, 79.0, 81.0)), venue=state)
    assert (bands_of(state, "AAPL").lower, bands_of(state, "AAPL").upper) == (76.0, 84.0)


def test_a_pause_that_comes_back_from_the_bus_changes_nothing() -> None:
    state = Venue(replay=1)
    (halt,) = play(*start(), quotes(quote(3, 94.0, 94.9), quote(18, 94.0, 94.9)), venue=state)
    before = codec.encode(state)
    assert play(envelope(halt, at(18)), venue=state) == []
    assert codec.encode(state) == before


def test_a_state_with_bands_goes_through_a_snapshot_at_any_message() -> None:
    messages = [
        *start(), accept(order("a", 1, 30, 98 * 10_000), at(2)), quotes(quote(3, 94.0, 94.9), quote(18, 94.0, 94.9)),
        trades((at(100), "AAPL", 90 * 10_000)), quotes(quote(318, 96.0, 97.0, 20), quote(319, 96.0, 97.5)),
        trades((at(320), "AAPL", 97 * 10_000)), session("close"),
    ]  # fmt: skip
    whole = play(*messages)
    assert [type(b).__name__ for b in whole][:2] == ["Halt", "Fill"]
    for cut in range(len(messages)):
        state, out = Venue(), []
        for place, message in enumerate(messages):
            state = codec.decode(codec.encode(state), Venue) if place == cut else state
            state, bodies = step(state, message)
            out += bodies
        assert out == whole


def test_the_routes_show_books_and_bands_or_why_there_are_none() -> None:
    state = Venue(replay=1)
    with pytest.raises(DataError):
        book_of(state, "AAPL")
    play(*start(), accept(order("a", 1, 30, 98 * 10_000), at(2)), quotes(quote(3, 99.0, 100.0)), venue=state)
    with pytest.raises(UnknownName):
        bands_of(state, "XYZ")
    book = book_of(state, "AAPL")
    assert [(o.order_id, o.limit, o.rests_at) for o in book.buys] == [("a", 98.0, 98.0)]
    assert [(level.price, level.size) for level in (*book.bids, *book.asks)] == [(99.0, 100), (100.0, 100)]
    shown = bands_of(state, "AAPL")
    assert (shown.rule, shown.tier, shown.lower, shown.upper) == ("LULD, Amendment 18", 1, 95.0, 105.0)
    assert bands_of(state, "ESX").why_none == "futures and indices have none"
    other = Venue(replay=1)
    play(session(), venue=other)
    assert "2010-05-06" in (bands_of(other, "AAPL").why_none or "")
