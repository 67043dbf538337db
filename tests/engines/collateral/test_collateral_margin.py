"""Margin: the rates by hand, and what must hold of any account."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.collateral.margin import NONE, capacity, margin, requirement
from engines.collateral.model import State, initial, step
from engines.kit import codec
from engines.wire.messages import Body, Envelope, Header, Margin, PositionRow, Positions
from engines.wire.ticks import to_units


@pytest.mark.parametrize(
    ("symbol", "quantity", "price", "initial_", "maintenance"),
    [
        ("AAPL", 100, 250.0, 12_500.0, 6_250.0),  # 50 % and 25 %
        ("AAPL", -100, 250.0, 12_500.0, 7_500.0),  # 30 % of a short
        ("AAPL", -100, 12.0, 600.0, 500.0),  # $5 a share is more than 30 %
        ("AAPL", -100, 6.0, 500.0, 500.0),  # initial is never below maintenance
        ("AAPL", -100, 4.0, 400.0, 400.0),  # below $5: 100 %
        ("AAPL", -100, 1.0, 250.0, 250.0),  # below $5: at least $2.50 a share
        ("ESX", 3, 1100.0, 16_875.0, 13_500.0),
        ("ESX", -3, 900.0, 16_875.0, 13_500.0),
    ],
)
def test_requirements_by_hand(symbol: str, quantity: int, price: float, initial_: float, maintenance: float) -> None:
    found = requirement(symbol, quantity, to_units(price))
    assert (found.initial, found.maintenance) == (to_units(initial_), to_units(maintenance))


def test_a_future_without_a_rate_is_margined_on_its_full_value() -> None:
    found = requirement("NQX", 2, to_units(2_000.0), 20)
    assert (found.initial, found.maintenance) == (to_units(40_000.0), to_units(20_000.0))
    row = PositionRow("NQX", -2, 0, to_units(2_000.0), 0, 0, 20)
    assert margin([row], 0).maintenance == to_units(24_000.0)


SYMBOL = st.sampled_from(["AAPL", "ESX", "IBM"])
QUANTITY = st.integers(-100_000, 100_000)
PRICE = st.integers(1, 30_000_000)


@given(SYMBOL, QUANTITY, PRICE)
def test_a_requirement_is_zero_only_when_flat(symbol: str, quantity: int, price: int) -> None:
    found = requirement(symbol, quantity, price)
    assert (found == NONE) == (quantity == 0)
    assert found.initial >= found.maintenance >= 0
    assert (found.maintenance > 0) == (quantity != 0)


@given(SYMBOL, QUANTITY, PRICE)
def test_a_larger_holding_never_needs_less(symbol: str, quantity: int, price: int) -> None:
    more = quantity + (1 if quantity >= 0 else -1)
    one, other = requirement(symbol, quantity, price), requirement(symbol, more, price)
    assert other.initial >= one.initial
    assert other.maintenance > one.maintenance or price < 4  # a fraction of a unit may round to the same


@given(SYMBOL, PRICE, st.integers(-(10**9), 10**13))
def test_capacity_is_the_largest_that_fits(symbol: str, price: int, equity: int) -> None:
    most = capacity(symbol, price, equity)
    assert requirement(symbol, most, price).initial <= max(0, equity)
    assert requirement(symbol, most + 1, price).initial > equity


ROWS = st.lists(st.builds(PositionRow, SYMBOL, QUANTITY, PRICE, PRICE, st.just(0), st.just(0), st.just(1)), max_size=6)


@given(ROWS, st.integers(-(10**12), 10**12))
def test_margin_adds_up_and_calls_what_is_lacking(rows: list[PositionRow], equity: int) -> None:
    found = margin(rows, equity)
    assert found.excess == equity - found.maintenance
    assert found.call == max(0, -found.excess)
    flat = all(row.quantity == 0 for row in rows)
    assert (found.maintenance == 0) == flat


class Desk:
    """A live collateral state."""

    def __init__(self) -> None:
        self.state = initial()

    def send(self, body: Body, trace: str = "r1/window") -> list[Body]:
        self.state, out = step(self.state, Envelope(body.TOPIC, "1-0", Header("t", 1, 1, "", 0, trace, 0, 0, 0), body))
        return list(out)


def held(quantity: int, mark: float, equity: float) -> Positions:
    return Positions((PositionRow("AAPL", quantity, 0, to_units(mark), 0, 0, 1),), 0, 0, to_units(equity))


def test_one_margin_for_each_change_and_the_call_at_once() -> None:
    desk = Desk()
    assert len(desk.send(held(0, 250.0, 1_000.0))) == 1
    assert desk.send(held(0, 260.0, 1_000.0)) == []
    (fine,) = desk.send(held(10, 260.0, 1_000.0))
    assert isinstance(fine, Margin)
    assert (fine.excess, fine.call) == (to_units(350.0), 0)
    (called,) = desk.send(held(10, 160.0, 0.0))
    assert isinstance(called, Margin)
    assert (called.excess, called.call) == (to_units(-400.0), to_units(400.0))
    desk.send(held(10, 161.0, 10.0))
    assert (desk.state.margins, desk.state.calls) == (4, 1)


def test_a_new_replay_tells_its_margin_again_and_ignores_the_last_one() -> None:
    desk = Desk()
    desk.send(held(1, 250.0, 1_000.0))
    assert len(desk.send(held(1, 250.0, 1_000.0), "r2/before")) == 1
    assert desk.send(held(9, 250.0, 1_000.0), "r1/window") == []
    assert desk.state.last == margin(held(1, 250.0, 1_000.0).rows, to_units(1_000.0))


def test_storing_the_state_between_messages_changes_nothing() -> None:
    plain, stored = Desk(), Desk()
    for number in range(100):
        body = held(number % 7 - 3, 100.0 + number % 5, 500.0 - 10 * number)
        assert stored.send(body) == plain.send(body)
        stored.state = codec.decode(codec.encode(stored.state), State)
    assert stored.state == plain.state
    assert plain.state.calls > 0
