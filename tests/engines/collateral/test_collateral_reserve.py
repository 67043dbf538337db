"""What open orders ask for: by hand, and through every event of an order's life."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.collateral import reserve
from engines.collateral.margin import requirement
from engines.collateral.model import State, initial, step
from engines.collateral.reserve import Working, order_margin
from engines.collateral.service import engine, margin_of
from engines.kit import codec
from engines.wire.messages import (
    Accepted,
    Body,
    Cancelled,
    CancelRequested,
    Denied,
    Envelope,
    Fill,
    Filled,
    Header,
    Margin,
    Order,
    PositionRow,
    Positions,
    Rejected,
    Replaced,
    ReplaceRejected,
    ReplaceRequested,
    Session,
)
from engines.wire.ticks import to_units


def working(side: Any, left: int, mark: float, limit: float | None = None, symbol: str = "AAPL") -> Working:
    return Working(symbol, side, left, left, to_units(mark), None if limit is None else to_units(limit))


def row(quantity: int, mark: float = 100.0, symbol: str = "AAPL", multiplier: int = 1) -> PositionRow:
    return PositionRow(symbol, quantity, 0, to_units(mark), 0, 0, multiplier)


@pytest.mark.parametrize(
    ("orders", "held", "asked"),
    [
        ([], [row(10)], 0.0),
        ([working(1, 10, 100.0)], [], 500.0),  # half of a market order's value at the mark
        ([working(1, 10, 100.0, 95.0)], [], 500.0),  # the mark is dearer than the limit
        ([working(1, 10, 100.0, 105.0)], [], 525.0),
        ([working(-1, 10, 100.0)], [row(0)], 500.0),  # a row of a position that is closed
        ([working(-1, 100, 6.0)], [], 500.0),  # $5 for each share short, more than half of its price
        ([working(1, 10, 100.0), working(-1, 6, 100.0)], [], 500.0),  # the worse side of the two
        ([working(1, 10, 100.0), working(1, 6, 110.0)], [], 830.0),
        ([working(-1, 10, 100.0)], [row(10)], 0.0),  # it can only close
        ([working(-1, 25, 100.0)], [row(10)], 250.0),  # closes ten, opens fifteen: 750 against 500
        ([working(-1, 15, 90.0), working(-1, 10, 120.0)], [row(10)], 325.0),  # the dearer ten open, five of the others
        ([working(1, 5, 100.0)], [row(10, 200.0)], 250.0),  # beside what the position needs at its own mark
        ([working(1, 3, 1_100.0, symbol="ESX")], [], 16_875.0),
        ([working(1, 3, 1_100.0, symbol="ESX")], [row(-1, 1_100.0, "ESX", 50)], 5_625.0),
        ([working(1, 2, 2_000.0, symbol="NQX")], [], 40_000.0),  # no rate of its own: on its value, 20 a point
        ([working(1, 10, 100.0), working(1, 3, 1_100.0, symbol="ESX")], [row(5)], 17_375.0),  # symbols add up
        ([working(1, 0, 100.0)], [], 0.0),
        ([working(1, 1, 0.0)], [], 0.0001),  # no mark is known: still not nothing
    ],
)
def test_order_margins_by_hand(orders: list[Working], held: list[PositionRow], asked: float) -> None:
    assert order_margin(orders, held, {"NQX": 20}) == to_units(asked)


LEFT, PRICE, SIDE = st.integers(0, 1_000), st.integers(1, 3_000_000), st.sampled_from([1, -1])
ORDER = st.builds(lambda side, left, mark: Working("AAPL", side, left, left, mark), SIDE, LEFT, PRICE)


@given(st.lists(ORDER, max_size=6), st.integers(-1_000, 1_000), PRICE)
def test_the_requirement_is_0_only_when_flat_without_orders(orders: list[Working], held: int, mark: int) -> None:
    rows = [PositionRow("AAPL", held, 0, mark, 0, 0, 1)]
    asked = order_margin(orders, rows, {})
    total = requirement("AAPL", held, mark).initial + asked
    assert asked >= 0
    assert (total == 0) == (held == 0 and not any(order.left for order in orders))


@given(st.lists(ORDER, max_size=6), ORDER, st.integers(-1_000, 1_000), PRICE)
def test_one_order_more_on_the_side_of_what_is_held_never_asks_for_less(
    orders: list[Working], more: Working, held: int, mark: int
) -> None:
    rows = [PositionRow("AAPL", abs(held) * more.side, 0, mark, 0, 0, 1)]
    assert order_margin([*orders, more], rows, {}) >= order_margin(orders, rows, {})


class Desk:
    """A live collateral state, flat, with 1,000 of equity; each message is the next entry of its topic."""

    def __init__(self) -> None:
        self.state = initial()
        self.number = 0
        self.send(Positions((), 0, 0, to_units(1_000)))

    def send(self, body: Body, cause: str = "", trace: str = "r1/window") -> str:
        """Its id."""
        self.number += 1
        header = Header("t", 1, self.number, cause, 0, trace, 0, 0, 0)
        message = Envelope(body.TOPIC, f"{self.number}-0", header, body)
        self.state, self.out = step(self.state, message)
        return message.id

    def accept(self, quantity: int = 10, order_id: str = "a", trace: str = "r1/window") -> None:
        order = Order(order_id, "s", "AAPL", 1, quantity)
        self.send(Accepted(order, {"AAPL": to_units(100)}), trace=trace)

    def fill(self, quantity: int) -> str:
        return self.send(Fill("f", "a", "s", "AAPL", 1, quantity, to_units(101), 0, 1))

    def hold(self, quantity: int, cause: str = "") -> None:
        self.send(Positions((row(quantity),), 0, 0, to_units(1_000)), cause)

    @property
    def needs(self) -> tuple[int, int]:
        """Initial margin of the position and what orders ask beside it, in currency units."""
        last = self.state.last
        assert last is not None
        return last.initial // to_units(1), last.orders // to_units(1)


def test_an_orders_margin_goes_over_into_its_positions() -> None:
    desk = Desk()
    desk.accept()
    assert desk.needs == (0, 500)
    assert [type(body) for body in desk.out] == [Margin]
    first, second = desk.fill(4), desk.fill(6)
    desk.send(Filled("a", "AAPL"))
    assert desk.needs == (0, 500)  # no positions tell of them yet
    desk.hold(4, first)
    assert desk.needs == (200, 300)
    desk.hold(10, second)
    assert desk.needs == (500, 0)
    assert not desk.state.reserve.open and not desk.state.reserve.fills


def test_positions_may_come_before_their_fill_and_the_fill_before_its_order() -> None:
    desk = Desk()
    desk.hold(4, "fills/2-0")
    assert desk.needs == (200, 0)
    assert desk.fill(4) == "fills/3-0"  # the next: no positions tell of it yet
    desk.hold(4, "fills/3-0")
    desk.accept()
    assert desk.needs == (200, 300)
    desk.send(Cancelled("a", "AAPL", 6, "requested"))
    assert desk.needs == (200, 0)
    assert not desk.state.reserve.open and not desk.state.reserve.fills


@pytest.mark.parametrize(
    ("event", "asked"),
    [
        (Cancelled("a", "AAPL", 10, "requested"), 0),
        (Cancelled("a", "AAPL", 6, "requested"), 200),  # four of it have filled
        (Rejected("a", "AAPL", "no"), 0),
        (Filled("a", "AAPL"), 500),
        (Replaced("a", "AAPL", 6, None, True), 300),
        (Replaced("a", "AAPL", 14, to_units(110), False), 770),
        (Denied("b", "AAPL", "MARGIN", ""), 500),
        (Cancelled("b", "AAPL", 10, "another"), 500),
        (CancelRequested("a"), 500),
        (ReplaceRequested("a", 20), 500),
        (ReplaceRejected("a", "AAPL", "TOO_LATE", ""), 500),
    ],
)
def test_what_an_event_leaves_of_ten_at_100(event: Body, asked: int) -> None:
    desk = Desk()
    desk.accept()
    desk.send(event)
    assert desk.needs == (0, asked)


def test_every_accepted_order_is_answered_by_a_margin_and_nothing_else_tells_the_same_again() -> None:
    desk = Desk()
    desk.hold(-20)
    desk.accept()  # it can only close
    assert desk.needs == (1_000, 0)
    assert [type(body) for body in desk.out] == [Margin]
    desk.send(CancelRequested("a"))
    assert desk.out == ()
    desk.hold(-20)
    assert desk.out == ()


def test_a_change_that_allows_more_may_be_read_behind_the_fills_that_it_allowed() -> None:
    desk = Desk()
    desk.accept()
    desk.hold(15, desk.fill(15))
    assert desk.needs == (750, 0)
    desk.send(Replaced("a", "AAPL", 20, None, False))
    assert desk.needs == (750, 250)


@pytest.mark.parametrize("trace", ["r2/before", "x"])
def test_a_new_replay_or_session_forgets_the_orders(trace: str) -> None:
    desk = Desk()
    desk.accept()
    desk.send(Session("open", "d", "2010-05-06", ("AAPL",), ("AAPL",), 1, "d", 1.0), trace=trace)
    assert not desk.state.reserve.open and desk.out == ()
    desk.send(Positions((), 0, 0, to_units(1_000)), trace=trace)
    assert desk.needs == (0, 0)
    desk.accept(trace="r0/window")  # of a replay that is over
    assert (desk.state.replay, desk.needs) == ({"r2/before": 2}.get(trace, 1), (0, 0))


def test_nothing_is_told_before_the_first_positions_and_the_orders_with_them() -> None:
    desk = Desk()
    desk.accept(trace="r2/before")
    assert desk.out == () and desk.state.last is None
    desk.send(Positions((), 0, 0, to_units(1_000)), trace="r2/before")
    assert desk.needs == (0, 500)


def test_fills_that_nothing_settles_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reserve, "MOST_FILLS", 3)
    desk = Desk()
    desk.accept()
    for _ in range(5):  # portfolio is that far behind
        desk.fill(1)
    assert len(desk.state.reserve.fills) == 3
    assert desk.needs == (0, 400)


def test_a_state_that_is_stored_between_messages_goes_on_alike() -> None:
    plain, stored = Desk(), Desk()
    for desk in (plain, stored):
        for order in range(40):
            desk.accept(order % 7 + 1, "a")
            filled = desk.fill(order % 3 + 1)
            if order % 2:
                desk.hold(order % 5 - 2, filled)
            desk.send(Cancelled("a", "AAPL", order % 4, "requested"))
            if desk is stored:
                desk.state = codec.decode(codec.encode(desk.state), State)
    assert plain.state == stored.state
    assert plain.state.margins > 40


def test_the_order_margin_is_shown_where_the_margin_is() -> None:
    desk = Desk()
    desk.accept()
    assert margin_of(desk.state.last).orders == 500.0
    assert margin_of(None).orders is None

    class Shown:
        state = desk.state

    (check,) = engine.checks(Shown())  # type: ignore[arg-type]
    assert check.detail == "excess 1,000.00, call 0.00, orders 500.00"
