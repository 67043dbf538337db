"""Features from quotes against the paper's definition, quote by quote, and against every way of cutting the stream."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.features.config import NS, Config
from engines.features.flow import Flow, fresh, take_quotes
from engines.wire.errors import MessageError
from engines.wire.messages import FeatureRow
from engines.wire.ticks import QUOTE, Rows

SYMBOLS = ("SPX", "A", "B")
CONFIG = Config(returns=4)

quote = st.tuples(
    st.sampled_from([0, 1, 250_000_000, 900_000_000, NS, 3 * NS]),  # time since the quote before, ns
    st.sampled_from([1, 2]),
    st.integers(990, 1010),
    st.integers(1, 3),
    st.integers(0, 50),
    st.integers(0, 50),
)


def rows_of(quotes: list[tuple[int, ...]]) -> Rows:
    rows = np.zeros(len(quotes), QUOTE)
    ts = 1_000 * NS + 5
    for i, (gap, symbol, bid, spread, bid_size, ask_size) in enumerate(quotes):
        ts += gap
        rows[i] = (ts, symbol, bid, bid + spread, bid_size, ask_size)
    return rows


def by_definition(rows: Rows) -> dict[tuple[str, int], tuple[float, float | None, float, float]]:
    """(symbol, end of the second) -> imbalance, volatility, spread, mid; one quote and one second at a time."""
    first, last = int(rows["ts"][0]) // NS, int(rows["ts"][-1]) // NS
    found: dict[tuple[str, int], tuple[float, float | None, float, float]] = {}
    for index in (1, 2):
        own = [row for row in rows.tolist() if row[1] == index]
        squares: list[float] = []
        mid = None
        for second in range(first, last):
            imbalance = 0.0
            for n, (ts, _, bid, ask, bid_size, ask_size) in enumerate(own):
                if ts // NS != second or n == 0:
                    continue
                _, _, bid0, ask0, bid_size0, ask_size0 = own[n - 1]
                imbalance += (bid_size if bid >= bid0 else 0) - (bid_size0 if bid <= bid0 else 0)
                imbalance -= (ask_size if ask <= ask0 else 0) - (ask_size0 if ask >= ask0 else 0)
            seen = [row for row in own if row[0] // NS <= second]
            if not seen:
                continue
            bid, ask = seen[-1][2:4]
            if mid is not None:
                squares.append(math.log((bid + ask) / 2 / mid) ** 2)
            mid = (bid + ask) / 2
            window = squares[-CONFIG.returns :]
            year = CONFIG.seconds_a_year / CONFIG.returns
            volatility = math.sqrt(sum(window) * year) if len(squares) >= CONFIG.returns else None
            found[SYMBOLS[index], (second + 1) * NS] = imbalance, volatility, 1e4 * (ask - bid) / mid, mid / 10_000
    return found


def run(rows: Rows, cuts: list[int]) -> list[FeatureRow]:
    flow = fresh(1, SYMBOLS, CONFIG)
    made: list[FeatureRow] = []
    for part in np.split(rows, sorted(cuts)):
        made += take_quotes(flow, part, CONFIG)
    return made


@settings(max_examples=60, deadline=None)
@given(st.lists(quote, min_size=1, max_size=40), st.data())
def test_features_are_the_papers_and_do_not_depend_on_the_batches(
    quotes: list[tuple[int, ...]], data: st.DataObject
) -> None:
    rows = rows_of(quotes)
    cuts = data.draw(st.lists(st.integers(0, len(quotes)), max_size=6))
    made = run(rows, cuts)
    assert made == run(rows, [])
    expected = by_definition(rows)
    assert {(row.symbol, row.ts_ns) for row in made} == set(expected)
    for row in made:
        imbalance, volatility, spread, mid = expected[row.symbol, row.ts_ns]
        assert row.order_flow_imbalance == imbalance
        assert (row.realised_volatility is None) == (volatility is None)
        if volatility is not None:
            assert row.realised_volatility == pytest.approx(volatility, rel=1e-9, abs=1e-12)
        assert row.spread_bps == pytest.approx(spread, rel=1e-12)
        assert row.mid == pytest.approx(mid, rel=1e-12)


def test_each_branch_of_the_definition() -> None:
    """Bid up, ask up: +new bid size + old ask size; bid down, ask down: the opposite; unchanged: the differences."""
    rows = rows_of(
        [(0, 1, 100, 2, 7, 9), (1, 1, 101, 2, 5, 4), (NS, 1, 100, 2, 3, 2), (NS, 1, 100, 2, 10, 6), (NS, 1, 1, 1, 1, 1)]
    )
    imbalances = [row.order_flow_imbalance for row in run(rows, [])]
    assert imbalances == [5 + 9, -5 - 2, (10 - 3) - (6 - 2)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((999 * NS, 1, 1, 2, 1, 1), "out of time order"),
        ((1001 * NS, 3, 1, 2, 1, 1), "symbol 3"),
        ((10**18, 1, 1, 2, 1, 1), "jumps"),
    ],
)
def test_dishonest_batches_are_refused(row: tuple[int, ...], message: str) -> None:
    flow: Flow = fresh(1, SYMBOLS, CONFIG)
    take_quotes(flow, rows_of([(0, 1, 100, 2, 7, 9)]), CONFIG)
    with pytest.raises(MessageError, match=message):
        take_quotes(flow, np.array([row], QUOTE), CONFIG)
