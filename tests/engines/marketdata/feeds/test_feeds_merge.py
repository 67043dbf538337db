"""What several feeds hand over becomes one time order, and nothing is lost on the way."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engines.marketdata.feeds.feed import NO_QUOTES, Taken
from engines.marketdata.feeds.merge import merge
from engines.wire.messages import Trades
from engines.wire.ticks import TRADE

STAMPS = st.lists(st.integers(0, 50), max_size=12)
ROUNDS = st.lists(st.lists(STAMPS, min_size=1, max_size=3), min_size=1, max_size=6)
SYMBOLS = ("SPX", "A", "B", "C")


def taken(place: int, stamps: list[int], first: int) -> Taken:
    rows = np.zeros(len(stamps), TRADE)
    rows["ts"], rows["symbol"], rows["price"] = stamps, place, np.arange(first, first + len(stamps))
    return Taken(np.arange(len(stamps)), rows["ts"].copy(), rows, NO_QUOTES, 0)


@given(ROUNDS, st.integers(1, 5))
def test_messages_are_in_time_order_and_hold_every_tick_once(rounds: list[list[list[int]]], most: int) -> None:
    latest, given_rows, made_rows, late = (0, 0), Counter[tuple[int, int]](), Counter[tuple[int, int]](), 0
    stamp = 0
    price = 0
    for parts in rounds:
        found = []
        for place, stamps in enumerate(parts, 1):
            found.append(taken(place, stamps, price))
            given_rows.update((place, price + n) for n in range(len(stamps)))
            late += sum(ts < latest[0] for ts in stamps)
            price += len(stamps)
        made = merge(found, SYMBOLS, latest, most)
        for body, last_ns in made.messages:
            assert isinstance(body, Trades)
            rows = np.frombuffer(body.rows, TRADE)
            assert 1 <= rows.size <= most
            assert rows["ts"][0] >= stamp
            assert (np.diff(rows["ts"]) >= 0).all()
            assert last_ns == rows["ts"][-1]
            stamp = last_ns
            made_rows.update(zip(rows["symbol"].tolist(), rows["price"].tolist(), strict=True))
        late -= made.restamped
        latest = (made.trades_ns, made.quotes_ns)
    assert made_rows == given_rows
    assert late == 0
