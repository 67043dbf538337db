"""Weights: first-order conditions, random rivals, and numpy's covariance as the oracle."""

import datetime as dt

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.portfolio.weights import efficient, returns, risk_parity, solve
from engines.wire import bundle
from engines.wire.covariance import covariance
from engines.wire.errors import DataError, UsageError

FOUR = ["AAPL", "GOOG", "IBM", "MSFT"]
END = dt.date(2013, 3, 1)
Floats = npt.NDArray[np.float64]


def random_covariance(seed: int, size: int) -> Floats:
    loads = np.random.default_rng(seed).normal(size=(size, size + 3))
    return loads @ loads.T / size


@given(st.integers(0, 10_000), st.integers(2, 8))
def test_minimum_variance_meets_the_first_order_condition_and_beats_rivals(seed: int, size: int) -> None:
    covariance = random_covariance(seed, size)
    found = solve(covariance, np.zeros(size), "minimum-variance")
    marginal = covariance @ found
    assert found.sum() == pytest.approx(1.0, abs=1e-12)
    assert marginal == pytest.approx(np.full(size, marginal.mean()), rel=1e-6, abs=1e-9)
    rivals = np.random.default_rng(seed + 1).normal(size=(50, size))
    rivals = found + (rivals - rivals.mean(axis=1, keepdims=True))  # they sum to one as well
    assert (np.einsum("ij,jk,ik->i", rivals, covariance, rivals) >= found @ covariance @ found - 1e-9).all()


@given(st.integers(0, 10_000), st.integers(2, 8))
def test_risk_parity_contributions_are_equal(seed: int, size: int) -> None:
    covariance = random_covariance(seed, size)
    found = risk_parity(covariance)
    shares = found * (covariance @ found) / (found @ covariance @ found)
    assert (found > 0).all()
    assert shares == pytest.approx(np.full(size, 1 / size), abs=1e-6)


def test_two_assets_by_hand() -> None:
    """Variances 0.04 and 0.01, no correlation: weights 1/5 and 4/5; risk parity 1/3 and 2/3."""
    covariance = np.diag([0.04, 0.01])
    assert solve(covariance, np.zeros(2), "minimum-variance") == pytest.approx([0.2, 0.8], abs=1e-12)
    assert risk_parity(covariance) == pytest.approx([1 / 3, 2 / 3], abs=1e-9)
    assert solve(covariance, np.array([0.08, 0.01]), "tangency") == pytest.approx([2 / 3, 1 / 3], abs=1e-12)


def test_the_tangency_portfolio_has_the_highest_sharpe_ratio() -> None:
    best = efficient(FOUR, "tangency", 1_000, dt.date(2012, 1, 31))
    sample = returns(FOUR, 1_000, dt.date(2012, 1, 31))
    rivals = np.random.default_rng(2).normal(size=(500, 4))
    ratios = rivals @ sample.mean(axis=0) / (rivals @ sample.T).std(axis=1, ddof=1) * 252**0.5
    assert best.sharpe >= ratios.max()


def test_the_sample_covariance_is_numpys() -> None:
    sample = returns(FOUR, 250, END)
    assert covariance(sample) == pytest.approx(np.cov(sample, rowvar=False), rel=1e-12)


def test_what_is_served_is_consistent() -> None:
    found = efficient(FOUR, "minimum-variance", 250, END)
    held = returns(FOUR, 250, END) @ np.array(list(found.weights.values()))
    assert found.volatility == pytest.approx(held.std(ddof=1) * 252**0.5, rel=1e-12)
    assert found.mean == pytest.approx(held.mean() * 252, rel=1e-9)
    assert sum(found.contributions.values()) == pytest.approx(1.0, abs=1e-12)


def test_symbols_with_different_first_days_share_what_they_share() -> None:
    day = dt.date(2004, 12, 31)
    sample = returns(["AAPL", "GOOG"], 90, day)
    days = np.intersect1d(bundle.bars("AAPL", None, day).date, bundle.bars("GOOG", None, day).date)
    assert sample.shape == (90, 2)
    with pytest.raises(DataError, match=f"share {days.size} days"):
        returns(["AAPL", "GOOG"], 250, day)
    whole = returns(["AAPL", "GOOG"], days.size - 1, day)  # AAPL has more days than that
    aapl = bundle.bars("AAPL", days[0].item(), day).adj_close
    assert whole[:, 0] == pytest.approx(aapl[1:] / aapl[:-1] - 1, rel=1e-12)


@pytest.mark.parametrize("symbols", [["AAPL"], ["AAPL", "AAPL"]])
def test_one_symbol_is_no_portfolio(symbols: list[str]) -> None:
    with pytest.raises(UsageError, match="two or more"):
        returns(symbols, 100, END)


def test_a_singular_covariance_and_a_losing_sample_are_errors() -> None:
    with pytest.raises(DataError, match="singular"):
        solve(np.ones((2, 2)), np.ones(2), "minimum-variance")
    with pytest.raises(DataError, match="tangency"):
        solve(np.eye(2), np.array([-1.0, -1.0]), "tangency")
