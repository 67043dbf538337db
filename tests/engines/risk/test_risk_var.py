"""VaR and expected shortfall against published vectors, empyrical, and the closed forms."""

import datetime as dt
from statistics import NormalDist

import empyrical
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.risk.var import daily_returns, tail
from engines.wire import bundle
from engines.wire.errors import DataError


@pytest.mark.parametrize(("cutoff", "published"), [(0.1, 41.0), (0.2, 81.0), (0.3, 81.5)])
def test_the_published_quantiles_of_empyricals_suite(cutoff: float, published: float) -> None:
    sample = np.array([1.0, 81.0, 82.0, 83.0, 84.0, 85.0])
    assert -tail(sample, 1 - cutoff, "historical").var == pytest.approx(published, abs=1e-12)


@pytest.mark.parametrize("symbol", ["SPX", "AAPL", "MSFT"])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
@pytest.mark.parametrize("window", [21, 250, 1001])
def test_real_returns_against_empyrical(symbol: str, confidence: float, window: int) -> None:
    sample = daily_returns(symbol, window, dt.date(2012, 6, 29))
    found = tail(sample, confidence, "historical")
    cutoff = round(1 - confidence, 12)
    assert found.var == pytest.approx(-empyrical.value_at_risk(sample, cutoff), abs=1e-15)
    assert found.es == pytest.approx(-empyrical.conditional_value_at_risk(sample, cutoff), abs=1e-15)


@given(st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=300), st.floats(0.5, 0.999))
def test_the_shortfall_is_never_less_than_the_value_at_risk(returns: list[float], confidence: float) -> None:
    sample = np.array(returns)
    found = tail(sample, confidence, "historical")
    assert found.es >= found.var - 1e-12
    for method in ("parametric", "ewma"):
        other = tail(sample, confidence, method)  # type: ignore[arg-type]  # a tuple of literals is read as str
        assert other.es >= other.var - 1e-12


def test_the_parametric_forms_against_a_large_normal_sample() -> None:
    """One million draws: the sampling error of the 1 % quantile is about 4e-5, tolerance 2e-4."""
    sample = np.random.default_rng(5).normal(0.0005, 0.01, 1_000_000)
    normal, empirical = tail(sample, 0.99, "parametric"), tail(sample, 0.99, "historical")
    assert normal.var == pytest.approx(empirical.var, abs=2e-4)
    assert normal.es == pytest.approx(empirical.es, abs=2e-4)


def test_the_parametric_forms_of_three_returns_by_hand() -> None:
    found = tail(np.array([-0.01, 0.0, 0.04]), 0.975, "parametric")
    mean, deviation = 0.01, 0.0007**0.5  # ddof 1: (0.0004 + 0.0001 + 0.0009) / 2
    assert found.var == pytest.approx(1.959964 * deviation - mean, abs=1e-8)
    assert found.es == pytest.approx(0.0584451 / 0.025 * deviation - mean, abs=1e-7)  # the density at 1.959964


def test_ewma_of_two_returns_by_hand() -> None:
    sample = np.array([0.02, -0.01])
    variance = (0.94 * 0.0004 + 0.0001) / 1.94
    assert tail(sample, 0.95, "ewma").var == pytest.approx(NormalDist().inv_cdf(0.95) * variance**0.5, rel=1e-12)


def test_returns_are_adjusted_and_end_where_asked() -> None:
    day = dt.date(2005, 2, 28)  # a two-for-one split of AAPL
    last = daily_returns("AAPL", 20, day)[-1]
    raw = bundle.bars("AAPL", dt.date(2005, 2, 25), day).close
    assert raw[1] / raw[0] - 1 < -0.4
    assert abs(last) < 0.05


def test_too_few_bars_are_an_error() -> None:
    with pytest.raises(DataError, match="196 bars"):
        daily_returns("FB", 500, None)
