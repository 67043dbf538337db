"""Haircuts against numpy's linear quantile, and what must hold of them."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.collateral.haircut import haircut, quantile
from engines.wire import bundle
from engines.wire.errors import DataError


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=200), st.floats(0, 1))
def test_the_quantile_is_numpys_linear_one(sample: list[float], share: float) -> None:
    assert quantile(np.array(sample), share) == pytest.approx(float(np.quantile(sample, share)), abs=1e-12)


@pytest.mark.parametrize("horizon", [1, 10, 20])
def test_a_haircut_covers_all_but_its_share_of_the_periods(horizon: int) -> None:
    end = dt.date(2008, 12, 31)
    found = haircut("AAPL", 0.95, horizon, 500, end)
    close = bundle.bars("AAPL", None, end).adj_close[-500 - horizon :]
    losses = np.array([1 - close[day + horizon] / close[day] for day in range(500)])
    assert losses.size == 500
    assert (losses > found.haircut).sum() == 25
    assert found.worst == pytest.approx(losses.max(), rel=1e-12)
    assert found.value == 1 - found.haircut


def test_more_confidence_and_calm_markets() -> None:
    assert haircut("SPX", 0.999, 10, 500, None).haircut > haircut("SPX", 0.9, 10, 500, None).haircut
    assert haircut("SPX", 0.5, 1, 500, None).haircut == 0.01  # the median day loses nothing: the floor holds


def test_too_few_bars_are_an_error() -> None:
    with pytest.raises(DataError, match="need 260"):
        haircut("FB", 0.99, 10, 250, None)
