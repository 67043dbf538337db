"""Files of trades and tapes as feeds: what is read, and when each tick is due."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.marketdata.feeds.feed import tick_rule
from engines.marketdata.feeds.request import FeedSpec
from engines.marketdata.feeds.stored import StoredFeed, from_day, from_file
from engines.wire.errors import DataError, UnknownName, UsageError
from tests.engines.marketdata.days import small_day
from tests.engines.marketdata.feeds.parquet import trades, write

MS = 1_000_000


def spec(path: str, symbol: str = "AAPL") -> FeedSpec:
    return FeedSpec(symbol, "file", path)


def drain(feed: StoredFeed, at: list[int]) -> list[tuple[int, list[int]]]:
    """At each instant: the instant and the market times that were due."""
    return [(now, taken.ts.tolist()) for now in at if (taken := feed.take(now)) is not None]


def test_ticks_are_due_at_their_inter_arrival_times_by_the_speed(tmp_path: Path) -> None:
    feed = from_file(spec(trades(tmp_path / "t", [(100 * MS, 1.0, 1), (140 * MS, 1.0, 1), (300 * MS, 1.0, 1)])), 1)
    feed.begin(5_000 * MS, feed.first_ts, 4.0)
    assert feed.next_ns() == 5_000 * MS
    wanted = [(5_000 * MS, [100 * MS]), (5_010 * MS, [140 * MS]), (5_050 * MS, [300 * MS])]
    steps = [4_999 * MS, 5_000 * MS, 5_009 * MS, 5_010 * MS, 5_049 * MS, 5_050 * MS, 6_000 * MS]
    assert drain(feed, steps) == wanted
    assert feed.over
    assert feed.next_ns() is None


def test_due_times_say_when_the_first_tick_should_have_left(tmp_path: Path) -> None:
    feed = from_file(spec(trades(tmp_path / "t", [(100, 1.0, 1), (140, 1.0, 1)])), 1)
    feed.begin(1_000, 100, 2.0)
    taken = feed.take(9_000)
    assert taken is not None
    assert (taken.due_ns, taken.seq.tolist()) == (1_000, [1, 2])


@given(st.lists(st.integers(-60, 60), min_size=1, max_size=30))
def test_the_tick_rule_is_lee_and_readys(prices: list[int]) -> None:
    side, wanted = 1, []
    for n, price in enumerate(prices):
        if n and price != prices[n - 1]:
            side = 1 if price > prices[n - 1] else -1
        wanted.append(side)
    assert tick_rule(np.array(prices, np.int64)).tolist() == wanted


def test_prices_in_currency_units_and_in_ours(tmp_path: Path) -> None:
    money = write(
        tmp_path / "a", "SELECT TIMESTAMP '2013-09-01 17:00:00.5' ts, -36.98 price, 2::BIGINT size, -1::TINYINT side"
    )
    units = write(
        tmp_path / "b", "SELECT 7::BIGINT ts_ns, 123456::BIGINT price, 2::INTEGER size, 'IBM' symbol, 9::BIGINT seq"
    )
    first, second = from_file(spec(money), 3), from_file(spec(units, "IBM"), 1)
    for feed in (first, second):
        feed.begin(0, feed.first_ts, 1.0)
    row = first.take(0)
    assert row is not None
    assert row.trades.tolist() == [(1_378_054_800_500_000_000, 3, -1, -369_800, 2)]
    assert (first.sides_inferred, second.sides_inferred) == (False, True)
    row = second.take(0)
    assert row is not None
    assert row.trades.tolist() == [(7, 1, 1, 123_456, 2)]
    assert row.seq.tolist() == [9]


@pytest.mark.parametrize(
    ("sql", "error", "text"),
    [
        ("SELECT 1 AS ts, 1.0 AS price", DataError, "no column size"),
        ("SELECT 1 AS ts, 1.0 AS price, 0 AS size", DataError, "Row 1 has price"),
        ("SELECT 1 AS ts, 'NaN'::DOUBLE AS price, 1 AS size", DataError, "Row 1 has price nan"),
        ("SELECT 1 AS ts, NULL::DOUBLE AS price, 1 AS size", DataError, "empty values in price"),
        ("SELECT 1 AS ts, 1.0 AS price, 1 AS size, 'IBM' AS symbol", DataError, "no trade of AAPL"),
    ],
)
def test_files_that_hold_no_trades_say_why(tmp_path: Path, sql: str, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        from_file(spec(write(tmp_path / "t", sql)), 1)


def test_a_file_that_is_not_there_or_not_parquet(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no file"):
        from_file(spec(str(tmp_path / "none")), 1)
    (tmp_path / "text").write_text("ts,price,size\n1,1,1\n")
    with pytest.raises(UsageError, match="as Parquet"):
        from_file(spec(str(tmp_path / "text")), 1)


def test_a_tapes_trades_and_quotes_are_numbered_together() -> None:
    day = small_day([1.0, 2.0, 3.0])
    day.trades["symbol"] = day.quotes["symbol"] = day.scenario.symbols.index("AAPL")
    feed = from_day(FeedSpec("AAPL", "tape"), day, 2)
    feed.begin(0, feed.first_ts, 1.0)
    taken = feed.take(2 * 10**9)
    assert taken is not None
    assert taken.seq.tolist() == [1, 2, 3, 4, 5, 6]
    assert (set(taken.trades["symbol"]), set(taken.quotes["symbol"])) == ({2}, {2})
    assert np.array_equal(taken.trades["price"], day.trades["price"])
    with pytest.raises(UnknownName):
        from_day(FeedSpec("SPX", "tape"), day, 1)
