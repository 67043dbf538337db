"""The auction's price against a search over every tick."""

from hypothesis import given, settings
from hypothesis import strategies as st

from engines.marketdata.auction import LEAST, MOST, cross

TICK = 5
orders = st.lists(st.tuples(st.integers(0, 30).map(lambda n: n * TICK), st.integers(1, 20)), max_size=6)
markets = st.lists(st.integers(1, 20), max_size=2)
Side = list[tuple[int, int]]


def executed(buys: Side, sells: Side, price: int) -> tuple[int, int]:
    wanted = sum(quantity for limit, quantity in buys if limit >= price)
    offered = sum(quantity for limit, quantity in sells if limit <= price)
    return min(wanted, offered), abs(wanted - offered)


def left(side: Side, volume: int, sign: int) -> list[int]:
    """Prices that are left when `volume` trades in order of price."""
    rest = []
    for price, quantity in sorted(side, key=lambda order: -sign * order[0]):
        taken = min(volume, quantity)
        volume -= taken
        if taken < quantity:
            rest.append(price)
    return rest


@given(
    buys=orders, sells=orders, bid_markets=markets, ask_markets=markets, reference=st.integers(-20, 180),
    collars=st.none() | st.tuples(st.integers(-10, 80), st.integers(70, 170)),
)  # fmt: skip
@settings(max_examples=500, deadline=None)
def test_it_is_the_best_of_all_ticks_and_leaves_the_book_uncrossed(
    buys: Side, sells: Side, bid_markets: list[int], ask_markets: list[int], reference: int,
    collars: tuple[int, int] | None,
) -> None:  # fmt: skip
    buys = buys + [(MOST, quantity) for quantity in bid_markets]
    sells = sells + [(LEAST, quantity) for quantity in ask_markets]
    low, high = collars or (-100, 300)
    found = cross(buys, sells, reference, TICK, collars or (LEAST, MOST))
    every = [price for price in range(-100, 301, TICK) if low <= price <= high]
    ranked = sorted((-executed(buys, sells, p)[0], executed(buys, sells, p)[1], abs(p - reference), p) for p in every)
    if not ranked or ranked[0][0] == 0:
        assert found[:2] == (None, 0)
        volume = 0
    else:
        assert found.price == ranked[0][3]
        assert found.volume == -ranked[0][0]
        assert abs(found.imbalance) == ranked[0][1]
        volume = found.volume
    bids, offers = left(buys, volume, 1), left(sells, volume, -1)
    assert found.resolved == (not bids or not offers or max(bids) < min(offers))
    if collars is None:
        assert found.resolved


def test_ties_go_to_the_reference() -> None:
    buys, sells = [(1_200, 60)], [(1_100, 100)]
    assert [cross(buys, sells, reference, 100).price for reference in (0, 1_149, 1_150, 1_151, 5_000)] == [
        1_100, 1_100, 1_100, 1_200, 1_200
    ]  # fmt: skip


def test_orders_that_meet_beyond_a_collar_keep_the_market_closed() -> None:
    found = cross([(130, 5)], [(120, 5)], 100, 5, (90, 110))
    assert (found.price, found.volume, found.resolved) == (None, 0, False)
    assert cross([], [], 100, 5) == (None, 0, 0, True)
