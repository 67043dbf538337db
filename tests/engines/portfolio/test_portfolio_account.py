"""The account: integer accounting against an independent ledger, and its identities over random fills and marks."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.portfolio.account import Account, Position, take
from engines.wire.errors import MessageError
from engines.wire.messages import Fill, Side
from engines.wire.ticks import PRICE_SCALE, to_units

MULTIPLIERS = {"ESX": 50, "AAPL": 1, "IBM": 1}


def fill(symbol: str, side: Side, quantity: int, price: int, fee: int = 0) -> Fill:
    return Fill("f", "o", "s", symbol, side, quantity, price, fee, MULTIPLIERS[symbol])


FILLS = st.builds(
    fill,
    st.sampled_from(sorted(MULTIPLIERS)),
    st.sampled_from([1, -1]),
    st.integers(1, 500),
    st.integers(1, 20_000_000),
    st.integers(-50, 5_000),
)
MARKS = st.tuples(st.sampled_from(sorted(MULTIPLIERS)), st.integers(1, 20_000_000))
FUNDINGS = st.integers(-(10**12), 10**12)
EVENTS = st.lists(st.one_of(FILLS, MARKS, FUNDINGS))


@settings(deadline=None)
@given(EVENTS)
def test_the_identities_hold_after_every_event(events: list[Fill | tuple[str, int] | int]) -> None:
    """position = sum of signed fills; equity - opening = realised + unrealised - fees; all exact."""
    account, held, fees = Account(), dict.fromkeys(MULTIPLIERS, 0), 0
    for event in events:
        if isinstance(event, Fill):
            account.fill(event)
            held[event.symbol] += event.side * event.quantity
            fees += event.fee
        elif isinstance(event, int):
            account.fund(event)
            assert account.opening == event
        else:
            account.mark(*event)
        assert account.equity() - account.opening == account.gain()
        assert {symbol: part.quantity for symbol, part in account.positions.items()} == {
            symbol: held[symbol] for symbol in account.positions
        }
        assert account.fees == fees


@settings(deadline=None)
@given(st.lists(FILLS, min_size=1))
def test_cash_over_both_sides_and_the_fees_is_conserved(fills: list[Fill]) -> None:
    """The house takes the other side of every fill; what both and the fee account hold never changes."""
    ours, house = Account(), Account()
    before = ours.cash + house.cash
    for one in fills:
        ours.fill(one)
        other: Side = 1 if one.side < 0 else -1
        house.fill(fill(one.symbol, other, one.quantity, one.price))
        assert ours.cash + house.cash + ours.fees == before


@given(st.lists(st.tuples(st.integers(-300, 300).filter(bool), st.integers(1, 10**7)), min_size=1))
def test_realised_gains_are_those_of_average_cost(trades: list[tuple[int, int]]) -> None:
    """Against exact fractions; each rounding moves less than one unit of 1/10,000 into the next."""
    held = Position()
    quantity, average, realised = 0, Fraction(0), Fraction(0)
    for number, (change, price) in enumerate(trades, 1):
        take(held, change, price)
        if change * quantity >= 0:
            average = (average * abs(quantity) + price * abs(change)) / (abs(quantity) + abs(change))
        else:
            closed = min(abs(change), abs(quantity))
            realised += (price - average) * (closed if quantity > 0 else -closed)
            if abs(change) > abs(quantity):
                average = Fraction(price)
        quantity += change
        assert held.quantity == quantity
        assert abs(held.realised - realised) <= number
        if quantity == 0:
            assert held.cost == 0


def test_a_future_by_hand() -> None:
    """Buy 3 at 1100, sell 2 at 1110.25, mark 1090: 1,025.00 realised, -500.00 unrealised, nothing paid for."""
    account = Account()
    account.fill(fill("ESX", 1, 3, to_units(1100), 60_000))
    assert account.cash == account.opening - 60_000
    account.fill(fill("ESX", -1, 2, to_units(1110.25), 40_000))
    account.mark("ESX", to_units(1090))
    (row,) = account.report().rows
    assert (row.quantity, row.average) == (1, to_units(1100))
    assert (row.realised, row.unrealised) == (1_025 * PRICE_SCALE, -500 * PRICE_SCALE)
    assert account.equity() == account.opening + to_units(1_025 - 500) - 100_000


def test_a_share_that_turns_short_by_hand() -> None:
    account = Account()
    account.fill(fill("AAPL", 1, 100, to_units(250)))
    account.fill(fill("AAPL", -1, 150, to_units(260)))
    account.mark("AAPL", to_units(255))
    (row,) = account.report().rows
    assert (row.quantity, row.average) == (-50, to_units(260))
    assert (row.realised, row.unrealised) == (to_units(1_000), to_units(250))
    assert account.cash == account.opening - to_units(25_000) + to_units(39_000)


@pytest.mark.parametrize(("quantity", "price"), [(0, 1), (-1, 1), (1, 0)])
def test_a_fill_that_cannot_be_is_refused(quantity: int, price: int) -> None:
    with pytest.raises(MessageError, match="positive"):
        Account().fill(fill("AAPL", 1, quantity, price))


def test_a_changed_multiplier_is_refused() -> None:
    account = Account()
    account.fill(fill("ESX", 1, 1, 1))
    with pytest.raises(MessageError, match="multiplier"):
        account.fill(Fill("f2", "o", "s", "ESX", 1, 1, 1, 0, 10))
