"""Performance figures against empyrical-reloaded, its published vectors, and numpy."""

import datetime as dt
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.analytics import returns as ours
from engines.wire.bundle import bars
from engines.wire.errors import DataError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # empyrical's own imports
    import empyrical

# empyrical's own test vectors, the first one's leading NaN left out
MIXED = np.array([1.0, 10.0, -4.0, 2.0, 3.0, 2.0, 1.0, -10.0]) / 100
NEGATIVE = np.array([0.0, -6.0, -7.0, -1.0, -9.0, -2.0, -6.0, -8.0, -5.0]) / 100

daily = st.lists(st.floats(-0.2, 0.25), min_size=3, max_size=80).map(np.array)
PAIRS = [
    (ours.total_return, empyrical.cum_returns_final),
    (ours.annual_return, empyrical.annual_return),
    (ours.volatility, empyrical.annual_volatility),
    (ours.sharpe, empyrical.sharpe_ratio),
    (ours.sortino, empyrical.sortino_ratio),
    (ours.max_drawdown, empyrical.max_drawdown),
]


def test_published_vectors() -> None:
    assert ours.volatility(MIXED) == pytest.approx(0.9136465399704637, rel=1e-14)
    assert ours.sharpe(MIXED) == pytest.approx(1.7238613961706866, rel=1e-14)
    assert ours.total_return(MIXED) == pytest.approx(0.03893, abs=5e-6)
    assert ours.max_drawdown(NEGATIVE) == pytest.approx(-0.36590730, abs=5e-9)


@settings(max_examples=60, deadline=None)
@given(values=daily)
def test_figures_equal_empyricals(values: np.ndarray) -> None:
    for own, theirs in PAIRS:
        found = own(values)
        if found is not None and abs(found) < 1e8:
            assert found == pytest.approx(float(theirs(values)), rel=1e-9, abs=1e-12), own.__name__


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), days=st.integers(5, 200), slope=st.floats(-2, 2))
def test_alpha_beta_and_correlation_equal_empyricals(seed: int, days: int, slope: float) -> None:
    random = np.random.default_rng(seed)
    market = random.normal(0, 0.01, days)
    own = slope * market + random.normal(0.0005, 0.01, days)
    alpha, beta = empyrical.alpha_beta(own, market)
    assert ours.beta(own, market) == pytest.approx(float(beta), rel=1e-9, abs=1e-12)
    assert ours.alpha(own, market) == pytest.approx(float(alpha), rel=1e-7, abs=1e-10)
    assert ours.correlation(own, market) == pytest.approx(float(np.corrcoef(own, market)[0, 1]), rel=1e-9, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), window=st.integers(3, 30), extra=st.integers(0, 40))
def test_the_rolling_correlation_is_each_windows_correlation(seed: int, window: int, extra: int) -> None:
    random = np.random.default_rng(seed)
    a, b = random.normal(0.1, 0.02, (2, window + extra))
    expected = [np.corrcoef(a[i : i + window], b[i : i + window])[0, 1] for i in range(extra + 1)]
    np.testing.assert_allclose(ours.rolling_correlation(a, b, window), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.001])
def test_without_movement_ratios_are_undefined(value: float) -> None:
    flat = np.full(10, value)
    assert ours.sharpe(flat) is None
    assert ours.sortino(flat) is None
    assert ours.beta(MIXED, np.full(8, value)) is None
    assert ours.correlation(MIXED, np.full(8, value)) is None
    assert np.isnan(ours.rolling_correlation(MIXED, np.full(8, value), 4)).all()
    assert ours.volatility(np.array([0.1])) is None


def test_a_report_over_stored_bars() -> None:
    share, market = bars("AAPL"), bars("SPX")
    found = ours.report(share.between(dt.date(2007, 1, 1), dt.date(2009, 12, 31)), market)
    year = share.between(dt.date(2007, 1, 1), dt.date(2009, 12, 31))
    theirs = year.adj_close[1:] / year.adj_close[:-1] - 1
    index = market.between(dt.date(2007, 1, 1), dt.date(2009, 12, 31))
    moves = index.close[1:] / index.close[:-1] - 1
    assert np.array_equal(year.date, index.date)  # both traded on every day, so empyrical needs no alignment
    alpha, beta = empyrical.alpha_beta(theirs, moves)
    assert found.against is not None
    assert (found.against.alpha, found.against.beta) == pytest.approx((alpha, beta), rel=1e-9)
    assert found.sharpe == pytest.approx(empyrical.sharpe_ratio(theirs), rel=1e-12)
    assert found.calmar == pytest.approx(empyrical.calmar_ratio(theirs), rel=1e-12)
    assert (found.first, found.last, found.days) == ("2007-01-03", "2009-12-31", 756)


def test_days_that_only_one_symbol_has_are_left_out() -> None:
    ibm, spx = bars("IBM"), bars("SPX")
    dates, a, b = ours.aligned(ibm, spx)
    assert set(dates) == set(ibm.date) & set(spx.date)
    assert (a.size, b.size) == (dates.size - 1, dates.size - 1)
    again, c, d = ours.aligned(spx, ibm)
    np.testing.assert_array_equal(dates, again)
    np.testing.assert_array_equal((a, b), (d, c))
    gap = ours.aligned(bars("FB"), bars("GOOG"))
    assert gap[0][0] == np.datetime64("2012-05-18")


def test_a_correlation_with_oneself_is_one() -> None:
    found = ours.correlate(bars("FB"), bars("FB"), 20)
    assert (found.whole, found.now, found.beta) == pytest.approx((1, 1, 1))
    assert found.least == pytest.approx(1, abs=1e-9)


def test_too_few_days_are_a_data_error() -> None:
    with pytest.raises(DataError):
        ours.report(bars("FB", None, dt.date(2012, 5, 19)), None)
    with pytest.raises(DataError):
        ours.correlate(bars("FB"), bars("AAPL"), 500)
    with pytest.raises(DataError):
        ours.correlate(bars("FB"), bars("AAPL", None, dt.date(2001, 1, 1)), 5)
    with pytest.raises(DataError):
        ours.correlate(bars("FB"), bars("AAPL", dt.date(2020, 1, 1), None), 5)
