"""The strategies' rules against pandas."""

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.strategy import daily
from engines.strategy.config import Momentum, Reversion
from engines.strategy.rules import View, momentum, reversion, z_score
from engines.wire import bundle
from engines.wire.errors import DataError, UsageError

CLOSES = st.lists(st.integers(100, 10_000_000), min_size=1, max_size=30)
DAY = dt.date(2010, 5, 6)


@given(closes=CLOSES, bars=st.integers(2, 30))
@settings(max_examples=100, deadline=None)
def test_z_score_is_that_of_bollinger_bands(closes: Sequence[int], bars: int) -> None:
    """Tolerance 1e-6 relative: pandas sums in another order."""
    series = pd.Series(closes, dtype=float).iloc[-bars:]
    z = z_score(closes, bars)
    if len(closes) < bars or series.nunique() == 1:
        assert z is None
    else:
        assert z == pytest.approx((series.iloc[-1] - series.mean()) / series.std(ddof=0), rel=1e-6, abs=1e-9)


@given(closes=CLOSES, held=st.sampled_from([-1, 0, 1]))
@settings(max_examples=100, deadline=None)
def test_momentum_is_the_side_of_the_crossover(closes: Sequence[int], held: int) -> None:
    config = Momentum(fast=3, slow=10, band=1e-3)
    view = momentum(closes, held, config)
    if len(closes) < 10:
        assert view is None
        return
    gap = np.mean(closes[-3:]) / np.mean(closes[-10:]) - 1
    assert view is not None
    assert view.direction == (held if abs(gap) < 1e-3 else np.sign(gap))


FLAT = [1_000, 1_010] * 10
UP, DOWN = [*FLAT[1:], 1_060], [*FLAT[1:], 950]
CONFIG = Reversion()


@pytest.mark.parametrize(
    ("closes", "held", "toxicity", "forecast", "direction"),
    [
        (UP, 0, None, None, -1),
        (DOWN, 0, None, None, 1),
        (FLAT, 0, None, None, 0),
        (UP, 0, 1.3, None, 0),
        (UP, 0, 1.2, None, -1),
        (DOWN, 0, None, -1e-4, 0),
        (DOWN, 0, None, 1e-4, 1),
        (DOWN, 1, 9.0, -1.0, 1),  # toxic flow and forecasts stop entries only
        (UP, 1, None, None, 0),  # beyond the mean: out
        ([*FLAT[1:], 1_005], -1, None, None, 0),
        (FLAT[:5], 0, None, None, None),
    ],
)
def test_reversion(
    closes: list[int], held: int, toxicity: float | None, forecast: float | None, direction: int | None
) -> None:
    view = reversion(closes, held, CONFIG, toxicity, forecast)
    assert (view.direction if isinstance(view, View) else None) == direction


def test_crossover_on_daily_bars_is_that_of_rolling_means() -> None:
    """Tolerance 1e-9 relative: sums of differences against rolling sums."""
    found = bundle.bars("IBM", None, DAY)
    closes = pd.Series(found.adj_close)
    fast, slow = closes.rolling(20).mean(), closes.rolling(50).mean()
    side = np.sign(fast - slow).iloc[-253:].to_numpy()
    crossed = np.flatnonzero(side[1:] != side[:-1]) + 1
    got = daily.crossover("IBM", 20, 50, 252, DAY)
    assert (got.fast, got.slow) == pytest.approx((fast.iloc[-1], slow.iloc[-1]), rel=1e-9)
    assert (got.position, got.crossings) == (side[-1], crossed.size)
    assert got.last_crossing == str(found.date[-253:][crossed[-1]])


def test_daily_z_score_takes_closes_where_nothing_is_adjusted() -> None:
    closes = bundle.bars("SPX", None, DAY).close[-20:]
    got = daily.deviation("SPX", 20, DAY)
    assert got.z == pytest.approx((closes[-1] - closes.mean()) / closes.std(), rel=1e-9)


def test_daily_rules_say_what_is_wrong() -> None:
    with pytest.raises(UsageError, match="not shorter"):
        daily.crossover("IBM", 50, 50, 10, DAY)
    with pytest.raises(UsageError, match="IBN"):
        daily.deviation("IBN", 20, DAY)
    with pytest.raises(DataError, match="bars there"):
        daily.deviation("IBM", 20, dt.date(2000, 1, 5))
