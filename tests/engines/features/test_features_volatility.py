"""Range estimators: hand vectors, a simulated walk whose volatility is known, and the errors of a wrong request."""

import datetime as dt
import math

import numpy as np
import pytest

from engines.features.volatility import (
    garman_klass,
    parkinson,
    realised,
    rogers_satchell,
    volatility,
)
from engines.wire import bundle
from engines.wire.errors import DataError, UsageError


def bars(o: list[float], h: list[float], low: list[float], c: list[float]) -> bundle.Bars:
    date = np.arange(len(o)).astype("datetime64[D]")
    nan = np.full(len(o), np.nan)
    return bundle.Bars("X", date, *(np.array(x) for x in (o, h, low, c)), nan, np.ones(len(o), np.int64))


def test_formulas_by_hand() -> None:
    e = math.e
    one = bars([1.0], [e], [1 / e], [1.0])  # ln H/L = 2, ln C/O = 0
    assert parkinson(one) == pytest.approx(4 / (4 * math.log(2)))
    assert garman_klass(one) == pytest.approx(2.0)
    assert rogers_satchell(one) == pytest.approx(2.0)
    trend = bars([1.0], [e], [1.0], [e])  # closes at the high, opens at the low: no variance beside the drift
    assert rogers_satchell(trend) == 0.0
    assert garman_klass(trend) == pytest.approx(0.5 - (2 * math.log(2) - 1))
    assert realised(bars([1, 1, 1], [1, e, e], [1, 1, 1], [1.0, e, 1.0])) == pytest.approx(1.0)


def test_estimators_recover_the_volatility_of_a_walk() -> None:
    """2,000 days of 5,000 steps at 1 % a day: within 5 % (the ranges of a discrete walk are a little too small)."""
    rng = np.random.Generator(np.random.PCG64(7))
    paths = np.cumsum(rng.standard_normal((2_000, 5_000), np.float32) * 0.01 / math.sqrt(5_000), axis=1)
    paths = np.concatenate([np.zeros((2_000, 1), np.float32), paths], axis=1)
    made = [np.exp(part.astype(np.float64)) for part in (paths[:, 0], paths.max(1), paths.min(1), paths[:, -1])]
    walk = bars(*(part.tolist() for part in made))
    for estimator in (parkinson, garman_klass, rogers_satchell):
        assert math.sqrt(estimator(walk)) == pytest.approx(0.01, rel=0.05)


def test_stored_bars_and_ends() -> None:
    found = volatility("AAPL", "parkinson", 20, dt.date(2010, 5, 6))
    held = bundle.bars("AAPL").before(dt.date(2010, 5, 7), 20)
    assert found.date == dt.date(2010, 5, 6)
    assert found.volatility == pytest.approx(
        math.sqrt(252 * np.mean(np.log(held.high / held.low) ** 2) / 4 / math.log(2))
    )
    closes = bundle.bars("AAPL").before(dt.date(2005, 3, 11), 21).adj_close  # a window with a split in it
    expected = math.sqrt(252 * np.mean(np.diff(np.log(closes)) ** 2))
    assert volatility("AAPL", "realised", 20, dt.date(2005, 3, 10)).volatility == pytest.approx(expected)


def test_requests_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="Did you mean 'AAPL'"):
        volatility("AAPLE", "realised", 20)
    with pytest.raises(DataError, match="needs 201"):
        volatility("FB", "realised", 200)
