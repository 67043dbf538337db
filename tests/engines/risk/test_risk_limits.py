"""The pre-trade check: each code, and properties over random order flow."""

from typing import Any

import pytest
from desk_rig import SYMBOLS, Desk, order, session, trades
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.risk.book import Book
from engines.risk.config import LIMITS as L
from engines.wire.messages import (
    Accepted,
    Body,
    Cancel,
    Cancelled,
    CancelRequested,
    Denied,
    Fill,
    Filled,
    Margin,
    Order,
    PositionRow,
    Positions,
    Rejected,
    RiskAlert,
)
from engines.wire.ticks import PRICE_SCALE


def code(out: list[Body]) -> str:
    (body,) = out
    if isinstance(body, Accepted):
        return "accepted"
    assert isinstance(body, Denied)
    return body.code


def fill(number: int, symbol: str, side: Any, quantity: int) -> Fill:
    return Fill(f"f{number}", f"o{number}", "test", symbol, side, quantity, 10_000_000, 0, 50 if symbol == "ESX" else 1)


def money(gain: float) -> Positions:
    return Positions((PositionRow("AAPL", 0, 0, 0, round(gain * PRICE_SCALE), 0, 1),), 0, 0, 0)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (order(1, "AAPL", 1, 100), "accepted"),
        (order(1, "AAPL", -1, 100, 1001.0), "accepted"),
        (order(1, "SPX", 1, 1), "UNKNOWN_SYMBOL"),
        (order(1, "TSLA", 1, 1), "UNKNOWN_SYMBOL"),
        (order(1, "AAPL", 1, 0), "INVALID_QUANTITY"),
        (order(1, "AAPL", 1, -5), "INVALID_QUANTITY"),
        (order(1, "AAPL", 1, 5, 0.0), "INVALID_PRICE"),
        (order(1, "AAPL", 1, 5, 1100.0), "accepted"),
        (order(1, "AAPL", 1, 5, 1100.01), "PRICE_COLLAR"),
        (order(1, "AAPL", -1, 5, 899.99), "PRICE_COLLAR"),
        (order(1, "AAPL", -1, 5, 2000.0), "accepted"),
        (order(1, "AAPL", 1, L.order_shares + 1, 900.0), "ORDER_QUANTITY"),
        (order(1, "ESX", 1, L.order_contracts), "accepted"),
        (order(1, "ESX", 1, L.order_contracts + 1), "ORDER_QUANTITY"),
        (order(1, "AAPL", 1, 12_000), "accepted"),
        (order(1, "AAPL", 1, 12_001), "ORDER_NOTIONAL"),
    ],
)
def test_codes_of_single_orders(asked: Order, expected: str) -> None:
    assert code(Desk().begin().send(asked)) == expected


def test_without_a_session_or_a_mark_nothing_passes() -> None:
    desk = Desk()
    assert code(desk.send(order(1, "AAPL", 1, 1))) == "NO_SESSION"
    desk.send(session())
    assert code(desk.send(order(2, "AAPL", 1, 1))) == "NO_MARK"
    desk.send(trades([(desk.open_ns, "AAPL", 10.0)]))
    assert code(desk.send(order(3, "AAPL", 1, 1))) == "accepted"
    desk.send(session("close"))
    assert code(desk.send(order(4, "AAPL", 1, 1))) == "NO_SESSION"


def test_open_orders_count_in_full_until_they_end() -> None:
    desk = Desk().begin()
    assert [code(desk.send(order(n, "AAPL", 1, 12_000))) for n in (1, 2)] == ["accepted", "accepted"]
    assert code(desk.send(order(3, "AAPL", 1, 1_001))) == "POSITION_NOTIONAL"
    assert code(desk.send(order(4, "AAPL", 1, 1_000))) == "accepted"
    assert code(desk.send(order(5, "AAPL", -1, 1_001))) == "accepted"  # the other side is judged on its own
    desk.send(Cancelled("o1", "AAPL", 12_000, "asked"))
    assert code(desk.send(order(6, "AAPL", 1, 12_000))) == "accepted"
    assert code(desk.send(order(7, "AAPL", 1, 1))) == "POSITION_NOTIONAL"


def test_a_cancel_that_overtakes_its_fill_leaves_the_fill_counted() -> None:
    desk = Desk().begin()
    desk.send(order(1, "AAPL", 1, 12_000))
    desk.send(order(2, "AAPL", 1, 12_000))
    desk.send(Cancelled("o1", "AAPL", 2_000, "asked"))  # 10,000 of it have filled, as is yet to be read
    assert desk.state.book.worst("AAPL") == 22_000
    assert code(desk.send(order(3, "AAPL", 1, 3_001))) == "POSITION_NOTIONAL"
    desk.send(fill(1, "AAPL", 1, 10_000))
    assert (desk.state.book.positions, desk.state.book.worst("AAPL")) == ({"AAPL": 10_000}, 22_000)


def test_position_and_gross_limits() -> None:
    desk = Desk().begin()
    desk.send(trades([(desk.open_ns + 1, symbol, 100.0) for symbol in SYMBOLS[1:]]))
    for number in (1, 2):
        desk.send(order(number, "AAPL", 1, 50_000))
    assert code(desk.send(order(3, "AAPL", 1, 1))) == "POSITION_QUANTITY"
    desk.send(trades([(desk.open_ns + 2, symbol, 240.0) for symbol in SYMBOLS[1:]]))
    number = 4
    for symbol in ("IBM", "MSFT"):
        for _ in range(2):
            desk.send(order(number, symbol, 1, 40_000))
            number += 1
    assert code(desk.send(order(number, "GOOG", 1, 40_000))) == "GROSS_NOTIONAL"


def test_too_many_open_orders() -> None:
    desk = Desk().begin()
    for number in range(L.open_orders):
        assert code(desk.send(order(number, "AAPL", 1, 1))) == "accepted"
    assert code(desk.send(order(999, "AAPL", 1, 1))) == "OPEN_ORDERS"
    assert isinstance(desk.send(order(0, "AAPL", 1, 1))[0], RiskAlert)  # a second order of that name is no order


def test_a_margin_deficit_lets_only_reducing_orders_pass() -> None:
    desk = Desk().begin()
    desk.send(order(1, "AAPL", 1, 100))
    desk.send(fill(1, "AAPL", 1, 100))
    (alert,) = desk.send(Margin(0, 10, 4, -6, 6))
    assert isinstance(alert, RiskAlert)
    assert alert.kind == "margin-call"
    assert desk.send(Margin(0, 10, 3, -7, 7)) == []  # the same call, told once
    assert code(desk.send(order(2, "AAPL", 1, 1))) == "MARGIN"
    assert code(desk.send(order(3, "AAPL", -1, 101))) == "MARGIN"
    assert code(desk.send(order(4, "AAPL", -1, 60))) == "accepted"
    assert code(desk.send(order(5, "AAPL", -1, 41))) == "MARGIN"  # with what is open it would turn the holding
    assert code(desk.send(order(6, "AAPL", -1, 40))) == "accepted"
    desk.send(Margin(0, 10, 10, 0, 0))
    assert code(desk.send(order(7, "IBM", 1, 1))) == "accepted"


def test_the_loss_limit_kills_cancels_and_stays() -> None:
    desk = Desk().begin()
    desk.send(order(1, "AAPL", 1, 10))
    assert desk.send(money(-999_999.99)) == []
    alert, cancel = desk.send(money(-1_000_000))
    assert isinstance(alert, RiskAlert)
    assert (alert.kind, alert.value, alert.limit) == ("kill-switch", 1_000_000.0, 1_000_000.0)
    assert cancel == CancelRequested("o1")
    assert desk.send(money(500)) == []
    assert code(desk.send(order(2, "AAPL", 1, 1))) == "KILL_SWITCH"


def test_cancels_always_pass() -> None:
    assert Desk().send(Cancel("o1", "test")) == [CancelRequested("o1")]


def test_a_passive_breach_alerts_at_its_tick_and_once() -> None:
    desk = Desk().begin()
    desk.send(order(1, "AAPL", 1, 12_000))
    desk.send(fill(1, "AAPL", 1, 12_000))
    above = L.position_notional / PRICE_SCALE / 12_000 + 0.01
    assert desk.send(trades([(desk.open_ns + 1, "AAPL", above - 0.02)])) == []
    rows = [(desk.open_ns + 2, "AAPL", above), (desk.open_ns + 3, "AAPL", 1_500.0)]  # back within the batch
    (alert,) = desk.send(trades(rows))
    assert isinstance(alert, RiskAlert)
    assert (alert.kind, alert.symbol) == ("position-limit", "AAPL")
    assert desk.send(trades([(desk.open_ns + 4, "AAPL", above)])) == []
    assert desk.send(trades([(desk.open_ns + 5, "AAPL", 1_500.0)])) == []
    assert len(desk.send(trades([(desk.open_ns + 6, "AAPL", above)]))) == 1


def test_a_new_replay_keeps_nothing_and_refuses_the_last_ones_orders() -> None:
    desk = Desk().begin()
    desk.send(order(1, "AAPL", 1, 10))
    desk.send(money(-2_000_000))
    desk.send(trades([(desk.open_ns, "AAPL", 77.0)]), trace="r2/before")  # before its session message
    assert desk.state.book == Book(marks={"AAPL": 770_000})
    assert not desk.state.account.killed
    desk.send(session(), trace="r2/before")
    assert desk.state.book.marks == {"AAPL": 770_000}
    assert code(desk.send(order(2, "AAPL", 1, 10), trace="r1/window")) == "STALE_REPLAY"
    assert desk.send(fill(1, "AAPL", 1, 10), trace="r1/window") == []
    assert desk.state.book.positions == {}
    assert code(desk.send(order(3, "AAPL", 1, 10), trace="r2/window")) == "accepted"


def life(asked: Order, filled: int, end: str) -> list[Body]:
    """What a venue says of an accepted order."""
    events: list[Body] = []
    number = int(asked.order_id[1:])
    if end == "rejected":
        return [Rejected(asked.order_id, asked.symbol, "venue")]
    if filled:
        events.append(fill(number, asked.symbol, asked.side, filled))
    rest = asked.quantity - filled
    events.append(
        Filled(asked.order_id, asked.symbol) if not rest else Cancelled(asked.order_id, asked.symbol, rest, "")
    )
    return events


ASKED = st.lists(
    st.tuples(
        st.sampled_from(SYMBOLS[1:]),
        st.sampled_from([1, -1]),
        st.integers(1, 60_000),
        st.floats(0, 1),
        st.sampled_from(["done", "rejected"]),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(ASKED, st.randoms(use_true_random=False))
def test_no_accepted_order_can_breach_and_every_order_of_events_agrees(asked: Any, chance: Any) -> None:
    desk = Desk().begin()
    waiting: list[Body] = []
    expected: dict[str, int] = {}
    for number, (symbol, side, quantity, share, end) in enumerate(asked):
        request = order(number, symbol, side, quantity)
        if code(desk.send(request)) == "accepted":
            filled = round(share * quantity)
            waiting += life(request, filled, end)
            if end == "done":
                expected[symbol] = expected.get(symbol, 0) + side * filled
        book = desk.state.book
        for held in SYMBOLS[1:]:
            worst = book.worst(held)
            assert book.money(held, worst) <= L.position_notional
            assert worst <= (L.position_contracts if held == "ESX" else L.position_shares)
        assert book.gross() <= L.gross_notional
        chance.shuffle(waiting)  # topics are not ordered among each other
        for _ in range(chance.randint(0, len(waiting))):
            desk.send(waiting.pop())
    for body in waiting:
        desk.send(body)
    assert desk.state.book.open == {}
    assert desk.state.book.positions == {symbol: held for symbol, held in expected.items() if held}
