import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from stress.load.schedule import dealt, even_arrivals, poisson_arrivals, weighted_choices

Floats = NDArray[np.float64]
curves = st.lists(st.one_of(st.just(0.0), st.floats(0.0, 300.0)), min_size=1, max_size=20).map(np.array)
steps = st.sampled_from([0.05, 0.5, 1.0, 2.0])


def cells(times: Floats, rate: Floats, step_s: float) -> NDArray[np.int64]:
    return np.histogram(times, bins=np.arange(len(rate) + 1) * step_s)[0]


@given(curves, steps)
def test_even_arrivals_conserve_the_count_of_every_window(rate: Floats, step_s: float) -> None:
    times = even_arrivals(rate, step_s)
    assert len(times) == round(rate.sum() * step_s)
    assert (np.diff(times) >= 0).all()
    counted = np.concatenate(([0], np.cumsum(cells(times, rate, step_s))))
    expected = np.concatenate(([0.0], np.cumsum(rate * step_s)))
    assert np.abs(counted - expected).max() <= 1.0 + 1e-6


@given(curves, steps, st.integers(0, 2**32))
def test_poisson_arrivals_conserve_the_total_and_skip_idle_cells(rate: Floats, step_s: float, seed: int) -> None:
    times = poisson_arrivals(rate, step_s, np.random.default_rng(seed))
    assert len(times) == round(rate.sum() * step_s)
    assert (np.diff(times) >= 0).all()
    assert ((times >= 0) & (times <= len(rate) * step_s)).all()
    inside = times[(times % step_s > 1e-9) & (times % step_s < step_s - 1e-9)]
    assert (rate[(inside // step_s).astype(int)] > 0).all()


def test_even_arrivals_at_a_constant_rate_are_evenly_spaced() -> None:
    np.testing.assert_allclose(even_arrivals(np.array([10.0, 10.0]), 0.5), np.arange(10) * 0.1 + 0.05)


def test_poisson_gaps_are_exponential() -> None:
    times = poisson_arrivals(np.array([500.0] * 20), 1.0, np.random.default_rng(7))
    assert stats.kstest(np.diff(times) * 500.0, "expon").pvalue > 0.01


def test_poisson_arrivals_follow_the_curve() -> None:
    rate = np.array([100.0, 0.0, 900.0, 2000.0])
    counted = cells(poisson_arrivals(rate, 1.0, np.random.default_rng(7)), rate, 1.0)
    assert stats.chisquare(counted[[0, 2, 3]], rate[[0, 2, 3]]).pvalue > 0.01


def test_choices_are_seeded_and_follow_their_weights() -> None:
    weights = np.array([5.0, 1.0, 4.0])
    chosen = weighted_choices(weights, 20_000, np.random.default_rng(1))
    assert (chosen == weighted_choices(weights, 20_000, np.random.default_rng(1))).all()
    assert stats.chisquare(np.bincount(chosen), weights * 2000).pvalue > 0.01


@given(st.lists(st.floats(0.01, 10.0), min_size=1, max_size=30).map(np.array), st.integers(1, 500))
def test_what_is_dealt_is_in_proportion_to_within_one(weights: Floats, count: int) -> None:
    counted = np.bincount(dealt(weights, count), minlength=len(weights))
    assert counted.sum() == count
    assert np.abs(counted - weights / weights.sum() * count).max() <= 1.0 + 1e-6
