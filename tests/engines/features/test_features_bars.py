"""Bars against brute-force grouping, however the stream of trades is cut."""

import datetime as dt

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.features.bars import Barring, take_trades
from engines.features.config import NS, bar_volume
from engines.wire import bundle
from engines.wire.messages import BarRow
from engines.wire.ticks import TRADE, Rows

SYMBOLS = ("SPX", "A", "B", "C")
THRESHOLDS = (None, 25, 60, None)
MINUTE = 60 * NS

trade = st.tuples(
    st.sampled_from([0, 1, 5 * NS, 30 * NS, 60 * NS, 200 * NS]),
    st.sampled_from([1, 2, 3]),
    st.integers(900, 1100),
    st.integers(1, 40),
)


def rows_of(trades: list[tuple[int, ...]]) -> Rows:
    rows = np.zeros(len(trades), TRADE)
    ts = 1_000 * MINUTE
    for i, (gap, symbol, price, size) in enumerate(trades):
        ts += gap
        rows[i] = (ts, symbol, 1, price, size)
    return rows


def bar(symbol: str, kind: str, start: int, end: int, group: list[tuple[int, ...]]) -> BarRow:
    prices = [row[3] for row in group]
    sizes = sum(row[4] for row in group)
    return BarRow(symbol, kind, start, end, prices[0], max(prices), min(prices), prices[-1], sizes, len(group))  # type: ignore[arg-type]


def brute_force(rows: Rows) -> tuple[list[BarRow], list[BarRow]]:
    last = int(rows["ts"][-1])
    time, volume = [], []
    for index, symbol in enumerate(SYMBOLS):
        own = [row for row in rows.tolist() if row[1] == index]
        for minute in sorted({row[0] // MINUTE for row in own}):
            if (minute + 1) * MINUTE <= last:
                group = [row for row in own if row[0] // MINUTE == minute]
                time.append(bar(symbol, "time", minute * MINUTE, (minute + 1) * MINUTE, group))
        group, held, threshold = [], 0, THRESHOLDS[index]
        for row in own:
            group.append(row)
            held += row[4]
            if threshold is not None and held >= threshold:
                volume.append(bar(symbol, "volume", group[0][0], row[0], group))
                group, held = [], 0
    return time, volume


def run(rows: Rows, cuts: list[int]) -> list[BarRow]:
    state = Barring(1, SYMBOLS, THRESHOLDS)
    made: list[BarRow] = []
    for part in np.split(rows, sorted(cuts)):
        made += take_trades(state, part)
    return made


@settings(max_examples=80, deadline=None)
@given(st.lists(trade, min_size=1, max_size=60), st.data())
def test_bars_are_the_brute_force_groups_in_one_order(trades: list[tuple[int, ...]], data: st.DataObject) -> None:
    rows = rows_of(trades)
    whole = run(rows, [])
    assert run(rows, data.draw(st.lists(st.integers(0, len(trades)), max_size=8))) == whole
    time, volume = brute_force(rows)
    key = lambda row: (row.symbol, row.end_ns, row.start_ns)  # noqa: E731
    assert sorted((row for row in whole if row.kind == "time"), key=key) == sorted(time, key=key)
    for symbol in SYMBOLS:  # a symbol's volume bars may share a time stamp: their order must be the trades'
        own = [row for row in whole if row.kind == "volume" and row.symbol == symbol]
        assert own == [row for row in volume if row.symbol == symbol]


def test_volume_of_a_bar_is_a_fiftieth_of_the_prior_average_day() -> None:
    day = dt.date(2010, 5, 6)
    prior = bundle.bars("AAPL", dt.date(2010, 4, 8), dt.date(2010, 5, 5)).volume
    assert prior.size == 20
    assert bar_volume("AAPL", day) == int(prior.sum()) // 20 // 50
    assert bar_volume("ESX", day) == 2_397_639 // 50
    assert bar_volume("NONE", day) is None
    assert bar_volume("FB", day) is None  # its first bar is of 2012
