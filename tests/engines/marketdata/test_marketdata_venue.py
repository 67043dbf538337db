"""The paper venue: hand-made cases, and the invariants of a market over random histories."""

from collections import defaultdict
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from engines.kit import codec
from engines.marketdata.config import VenueConfig
from engines.marketdata.venue import CONFIG, Venue, step
from engines.wire.messages import (
    Body,
    Cancelled,
    CancelRequested,
    Denied,
    Envelope,
    Fill,
    Filled,
    Halt,
    Order,
    Rejected,
)
from tests.engines.marketdata.venue_rig import (
    LATE,
    LATENCY,
    TICK,
    Row,
    accept,
    envelope,
    fills,
    live,
    order,
    play,
    quotes,
    session,
)


def test_a_market_order_takes_the_touch_as_far_as_it_goes() -> None:
    out = play(
        session(), accept(order("a", 1, 250)),
        quotes(Row(LATE, "AAPL", 900, 1_000), Row(LATE + 5, "AAPL", 900, 1_100)),
        quotes(Row(LATE + 6, "AAPL", 900, 1_200)),
    )  # fmt: skip
    assert fills(out) == [("a", 100, 1_000, LATE), ("a", 100, 1_100, LATE + 5), ("a", 50, 1_200, LATE + 6)]
    assert out[-1] == Filled("a", "AAPL")
    assert [b.fill_id for b in out if isinstance(b, Fill)] == ["a/1", "a/2", "a/3"]


def test_a_sale_hits_the_bid_and_pays_its_fee() -> None:
    out = play(session(), accept(order("a", -1, 2, symbol="ESX")), quotes(Row(LATE, "ESX", 10_000, 12_500)))
    assert out[0] == Fill("a/1", "a", "test", "ESX", -1, 2, 10_000, 2 * CONFIG.fee_per_contract, 50, LATE)


def test_no_quote_before_the_latency_is_over_fills() -> None:
    venue, due = Venue(replay=1), live("a", 7)
    assert LATENCY <= due - 7 <= LATE
    assert play(session(), accept(order("a", 1, 10), 7), quotes(Row(due - 1, "AAPL", 900, 1_000)), venue=venue) == []
    assert fills(play(quotes(Row(due, "AAPL", 900, 1_000)), venue=venue)) == [("a", 10, 1_000, due)]


def test_a_marketable_limit_pays_the_touch_and_what_is_left_of_it_rests_at_its_limit() -> None:
    out = play(
        session(), accept(order("a", 1, 150, 1_200)),
        quotes(Row(LATE, "AAPL", 900, 1_000)),
        quotes(Row(LATE + 1, "AAPL", 1_200, 1_300), Row(LATE + 2, "AAPL", 1_000, 1_100)),
    )  # fmt: skip
    assert fills(out) == [("a", 100, 1_000, LATE), ("a", 50, 1_200, LATE + 2)]


def test_a_limit_rests_until_the_touch_crosses_it() -> None:
    out = play(
        session(), accept(order("a", -1, 50, 1_500)), quotes(Row(LATE, "AAPL", 1_400, 1_500)),
        quotes(Row(LATE + 9, "AAPL", 1_600, 1_700)),
    )  # fmt: skip
    assert fills(out) == [("a", 50, 1_500, LATE + 9)]


def test_price_then_time() -> None:
    out = play(
        session(), accept(order("late", 1, 60, 1_100)), accept(order("later", 1, 60, 1_100)),
        accept(order("best", 1, 60, 1_200)),
        quotes(Row(LATE, "AAPL", 1_300, 1_400)), quotes(Row(LATE + 1, "AAPL", 900, 1_000, ask_size=130)),
    )  # fmt: skip
    assert [(name, quantity) for name, quantity, _, _ in fills(out)] == [("best", 60), ("late", 60), ("later", 10)]


def test_nothing_matches_in_a_halt_but_orders_and_cancels_are_accepted() -> None:
    halt = Halt("pause", 0, "AAPL", LATE, LATE + 100, "test")
    out = play(
        session(), envelope(halt, LATE), accept(order("a", 1, 10)), accept(order("b", 1, 10)),
        quotes(Row(LATE, "AAPL", 900, 1_000), Row(LATE + 99, "AAPL", 900, 1_000)),
        envelope(CancelRequested("a"), LATE + 99), quotes(Row(LATE + 100, "AAPL", 900, 1_000)),
    )  # fmt: skip
    assert out[0] == Cancelled("a", "AAPL", 10, "requested", "REQUESTED")
    assert fills(out) == [("b", 10, 1_000, LATE + 100)]


def test_a_market_wide_halt_stops_every_symbol() -> None:
    halt = envelope(Halt("market-wide", 1, "*", 0, 10**12, "test"), 0)
    assert play(session(), halt, accept(order("a", 1, 10)), quotes(Row(LATE, "AAPL", 900, 1_000))) == []


def test_what_cannot_be_ordered_is_rejected() -> None:
    refused = play(
        session(), accept(order("index", 1, 1, symbol="SPX")), accept(order("none", 1, 1, symbol="XYZ")),
        accept(order("off-tick", 1, 1, 2_501, "ESX")), accept(order("nothing", 1, 0)),
    )  # fmt: skip
    assert [(type(b), b.order_id) for b in refused if isinstance(b, Rejected)] == [
        (Rejected, name) for name in ("index", "none", "off-tick", "nothing")
    ]


def test_an_order_id_twice_is_counted_and_not_answered() -> None:
    venue = Venue(replay=1)
    out = play(
        session(),
        accept(order("a", 1, 10)),
        accept(order("a", 1, 10)),
        quotes(Row(LATE, "AAPL", 9, 10)),
        venue=venue,
    )
    out += play(accept(order("a", 1, 10)), quotes(Row(LATE + 1, "AAPL", 9, 10)), venue=venue)
    assert len(out) == 2


def test_the_close_cancels_what_is_left_and_refuses_what_comes_later() -> None:
    out = play(session(), accept(order("a", 1, 10, 100)), session("close"), accept(order("b", 1, 10)))
    assert out[0] == Cancelled("a", "AAPL", 10, "the session closed", "SESSION_CLOSED")
    assert isinstance(out[1], Rejected)
    assert len(out) == 2


def test_orders_that_come_before_their_session_wait_for_it() -> None:
    early = accept(order("a", 1, 10), trace="r2/before")
    cancelled = [accept(order("c", 1, 10), trace="r2/before"), envelope(CancelRequested("c"), 0, "r2/before")]
    row = envelope(quotes(Row(LATE, "AAPL", 900, 1_000)).body, LATE, "r2/before")
    venue = Venue()
    assert play(session(), early, venue=venue) == []
    out = play(session(), accept(order("old", 1, 1, 100)), early, *cancelled, session(trace="r2/before"), row)
    assert [type(b).__name__ for b in out] == ["Cancelled", "Cancelled", "Fill", "Filled"]
    assert out[0] == Cancelled("old", "AAPL", 1, "its session is over", "SESSION_OVER")


def test_what_is_left_of_a_former_replay_does_nothing() -> None:
    opened = [session(), session(trace="r2/before")]
    stale = [
        envelope(Halt("pause", 0, "*", 0, 10**12, "test"), 0),
        quotes(Row(LATE, "AAPL", 1, 2)),
        session("close"),
    ]
    fresh = envelope(quotes(Row(LATE, "AAPL", 900, 1_000)).body, LATE, "r2/window")
    out = play(*opened, accept(order("a", 1, 10), trace="r2/window"), *stale, fresh)
    assert fills(out) == [("a", 10, 1_000, LATE)]


def test_its_own_events_and_denials_move_nothing() -> None:
    own = [Filled("a", "AAPL"), Cancelled("a", "AAPL", 1, ""), Rejected("a", "AAPL", ""), Denied("a", "AAPL", "", "")]
    venue = Venue()
    assert play(*(envelope(body, 1, "r9/window") for body in own), venue=venue) == []
    assert venue == Venue()


# ------------------------------------------------------------------------------------------------ properties
class World(NamedTuple):
    """A random history and what is true of it."""

    messages: list[Envelope]
    rows: list[tuple[int, Row]]  # with the place of its batch
    halts: list[tuple[int, Halt]]
    orders: dict[str, tuple[int, Order, int]]  # place, order, event time


@st.composite
def worlds(draw: st.DrawFn) -> World:
    world = World([session()], [], [], {})
    clock = LATENCY
    for _ in range(draw(st.integers(1, 25))):
        kind = draw(st.sampled_from(["quotes", "quotes", "order", "order", "cancel", "halt"]))
        symbol = draw(st.sampled_from(["AAPL", "ESX"]))
        place = len(world.messages)
        if kind == "quotes":
            rows = []
            for _ in range(draw(st.integers(1, 4))):
                clock += draw(st.integers(0, LATENCY))
                bid = draw(st.integers(4, 8)) * TICK[symbol]
                ask = bid + draw(st.integers(1, 2)) * TICK[symbol]
                rows.append(Row(clock, symbol, bid, ask, draw(st.integers(0, 30)), draw(st.integers(0, 30))))
            world.rows.extend((place, row) for row in rows)
            world.messages.append(quotes(*rows))
        elif kind == "order":
            ticks = draw(st.none() | st.integers(4, 9))
            limit = None if ticks is None else ticks * TICK[symbol]
            made = order(f"o{place}", draw(st.sampled_from([1, -1])), draw(st.integers(1, 60)), limit, symbol)
            ts = clock - draw(st.integers(0, LATENCY))
            world.orders[made.order_id] = (place, made, ts)
            world.messages.append(accept(made, ts))
        elif kind == "cancel":
            world.messages.append(envelope(CancelRequested(f"o{draw(st.integers(0, 25))}"), clock))
        else:
            start = clock + draw(st.integers(-LATENCY, LATENCY))
            halt = Halt(
                "pause", 0, draw(st.sampled_from([symbol, "*"])), start, start + draw(st.integers(1, 4 * LATENCY)), ""
            )
            world.halts.append((place, halt))
            world.messages.append(envelope(halt, clock))
    world.messages.append(session("close"))
    return world


def outputs(world: World) -> list[tuple[int, Body]]:
    venue, out = Venue(), []
    for place, message in enumerate(world.messages):
        venue, bodies = step(venue, message)
        out += [(place, body) for body in bodies]
    return out


@given(world=worlds())
@settings(max_examples=80, deadline=None)
def test_every_order_ends_once_and_nothing_comes_after(world: World) -> None:
    filled: dict[str, int] = defaultdict(int)
    ended: dict[str, Body] = {}
    for _, body in outputs(world):
        assert isinstance(body, Fill | Filled | Cancelled | Rejected)
        assert body.order_id not in ended
        if isinstance(body, Fill):
            filled[body.order_id] += body.quantity
        else:
            ended[body.order_id] = body
    assert ended.keys() == world.orders.keys()
    for name, (_, made, _) in world.orders.items():
        ending = ended[name]
        assert filled[name] <= made.quantity
        if isinstance(ending, Filled):
            assert filled[name] == made.quantity
        else:
            assert isinstance(ending, Cancelled)
            assert ending.remaining == made.quantity - filled[name] > 0


@given(world=worlds())
@settings(max_examples=80, deadline=None)
def test_fills_are_at_the_limit_or_better_on_the_tick_after_the_latency_and_outside_halts(world: World) -> None:
    shown: dict[tuple[int, str, int], int] = defaultdict(int)
    for _, row in world.rows:
        shown[row.ts, row.symbol, 1] += row.ask_size
        shown[row.ts, row.symbol, -1] += row.bid_size
    for place, body in outputs(world):
        if not isinstance(body, Fill):
            continue
        _, made, ts = world.orders[body.order_id]
        assert body.quantity > 0
        assert body.ts_ns >= live(body.order_id, ts)
        assert body.price % TICK[body.symbol] == 0
        if made.limit is not None:
            assert (made.limit - body.price) * made.side >= 0
        before = [row.ts for at, row in world.rows if at <= place and row.symbol == body.symbol]
        since = max(ts for ts in before if ts <= body.ts_ns)  # of the quote that stood
        shown[since, body.symbol, body.side] -= body.quantity
        assert shown[since, body.symbol, body.side] >= 0
        for told, halt in world.halts:
            if told < place and halt.symbol in ("*", body.symbol):
                assert not halt.start_ns <= body.ts_ns < halt.end_ns


@given(world=worlds())
@settings(max_examples=80, deadline=None)
def test_an_order_that_could_have_traded_did_not_wait(world: World) -> None:
    """An open order is only left alone by a quote that does not reach it, is used up, or is inside a halt.

    What orders find that become live between two quotes is compared in test_venue_standing.
    """
    out = outputs(world)
    taken: dict[tuple[int, str, int], int] = defaultdict(int)
    left = {name: made.quantity for name, (_, made, _) in world.orders.items()}
    gone = {b.order_id: place for place, b in out if isinstance(b, Cancelled)}
    made_fills = sorted((body for _, body in out if isinstance(body, Fill)), key=lambda body: -body.ts_ns)
    stamps = [row.ts for _, row in world.rows]
    for place, row in world.rows:
        if stamps.count(row.ts) > 1:
            return  # two quotes of one instant cannot be told apart by their fills
        while made_fills and made_fills[-1].ts_ns <= row.ts:
            body = made_fills.pop()
            taken[body.ts_ns, body.symbol, body.side] += body.quantity
            left[body.order_id] -= body.quantity
        halted = any(
            told < place and halt.symbol in ("*", row.symbol) and halt.start_ns <= row.ts < halt.end_ns
            for told, halt in world.halts
        )
        for name, (since, made, ts) in world.orders.items():
            there = since < place < gone[name] if name in gone else since < place
            touch, size = (row.ask, row.ask_size) if made.side > 0 else (row.bid, row.bid_size)
            reaches = made.limit is None or (made.limit - touch) * made.side >= 0
            if (
                there
                and not halted
                and made.symbol == row.symbol
                and row.ts >= live(name, ts)
                and reaches
                and left[name] > 0
            ):
                assert taken[row.ts, row.symbol, made.side] == size


@given(world=worlds(), cut=st.integers(0, 25))
@settings(max_examples=40, deadline=None)
def test_the_same_messages_give_the_same_answers_also_from_a_snapshot(world: World, cut: int) -> None:
    venue, out = Venue(), []
    for place, message in enumerate(world.messages):
        if place == cut:
            venue = codec.decode(codec.encode(venue), Venue)
        venue, bodies = step(venue, message)
        out += [(place, body) for body in bodies]
    assert out == outputs(world)


def test_fees_are_stated_in_units_of_a_ten_thousandth() -> None:
    assert (VenueConfig().fee_per_share, VenueConfig().fee_per_contract) == (35, 8_500)  # $0.0035 and $0.85
