"""Arrivals against the theory of the Hawkes process: mean, branching ratio, time rescaling, branching matrix."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from numba import njit
from scipy import optimize, stats

from engines.marketdata.tape.arrivals import Arrivals, arrivals, baseline
from engines.wire.errors import UsageError
from engines.wire.intensity import CELLS, GRID_S, Intensity, intensity
from engines.wire.scenario_file import load

CRASH = load("flash-crash-2010")
Floats = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def day() -> Intensity:
    return intensity(CRASH)


@pytest.fixture(scope="module")
def hits(day: Intensity) -> list[Arrivals]:
    even = np.full(CELLS, 0.5)
    return [arrivals(CRASH, day, even, np.random.default_rng(seed)) for seed in range(8)]


@njit
def excitation(t: Floats, beta: float) -> Floats:
    """A_i = sum over earlier events of e^(-beta (t_i - t_j))."""
    out = np.zeros(t.size)
    for i in range(1, t.size):
        out[i] = np.exp(-beta * (t[i] - t[i - 1])) * (1 + out[i - 1])
    return out


def fit(t: Floats, end: float) -> tuple[float, float, float]:
    """Maximum likelihood (mu, n, beta) of an exponential Hawkes process observed on [0, end] (Ozaki, 1979)."""

    def loss(theta: Floats) -> float:
        mu, n, beta = np.exp(theta[0]), 1 / (1 + np.exp(-theta[1])), np.exp(theta[2])
        rate = mu + n * beta * excitation(t, beta)
        return float(mu * end + n * (1 - np.exp(-beta * (end - t))).sum() - np.log(rate).sum())

    found = optimize.minimize(loss, np.array([np.log(t.size / end / 2), 0.0, 0.0]), method="Nelder-Mead")
    mu, n, beta = np.exp(found.x[0]), 1 / (1 + np.exp(-found.x[1])), np.exp(found.x[2])
    return float(mu), float(n), float(beta)


def calm(hits: Arrivals) -> Floats:
    """Ticks from 12:00 to 14:00, seconds after 12:00."""
    return hits.t[(hits.t > 9_000) & (hits.t < 16_200)] - 9_000


def test_branching_ratio_and_decay_by_maximum_likelihood(hits: list[Arrivals]) -> None:
    for each in hits[:3]:
        _, n, beta = fit(calm(each), 7_200)
        assert abs(n - CRASH.hawkes.n) <= 0.04
        assert abs(beta - CRASH.hawkes.beta) <= 0.15


def test_time_rescaling_leaves_unit_exponential_gaps(hits: list[Arrivals]) -> None:
    t = calm(hits[0])
    mu, n, beta = fit(t, 7_200)
    grown = n * (np.arange(t.size) - excitation(t, beta))
    gaps = np.diff(mu * t + grown)
    assert stats.kstest(gaps, "expon").pvalue > 0.01


def test_a_poisson_process_fails_the_same_test(hits: list[Arrivals]) -> None:
    t = calm(hits[0])
    assert stats.kstest(np.diff(t) * t.size / 7_200, "expon").pvalue < 1e-6


def test_counts_follow_the_wanted_intensity(day: Intensity, hits: list[Arrivals]) -> None:
    """Mean over seeds per half hour within four standard errors, Fano factor (1-n)^-2."""
    edges = np.linspace(0, 23_400, 14)
    counts = np.mean([np.histogram(each.t, edges)[0] for each in hits], axis=0)
    wanted = day.lam.reshape(13, -1).sum(axis=1) * GRID_S
    errors = np.sqrt(wanted / len(hits)) / (1 - CRASH.hawkes.n)
    assert (np.abs(counts - wanted) < 4 * errors).all()


def test_instruments_come_in_their_weights(hits: list[Arrivals]) -> None:
    shares = np.mean([np.bincount(each.instrument, minlength=5) / each.t.size for each in hits], axis=0)
    assert shares == pytest.approx([item.weight for item in CRASH.instruments], abs=0.01)


def test_baseline_convolved_with_its_kernel_gives_the_intensity_back(day: Intensity) -> None:
    """Discrete check of lam = mu + n beta int e^(-beta (t-s)) lam(s) ds by brute force around the peak."""
    n, beta = 0.7, 1.0
    mu = baseline(day.lam, n, beta)
    assert mu.min() > 0
    cell = int(CRASH.t_low / GRID_S)
    fine = np.repeat(day.lam[cell - 600 : cell + 1], 50)
    lags = (np.arange(fine.size)[::-1] + 0.5) * GRID_S / 50
    integral = (np.exp(-beta * lags) * fine).sum() * beta * GRID_S / 50
    assert mu[cell] + n * integral == pytest.approx(day.lam[cell], rel=0.01)


def test_an_intensity_that_falls_faster_than_children_die_is_refused(day: Intensity) -> None:
    with pytest.raises(UsageError, match="falls too fast"):
        baseline(day.lam, 0.97, 1.0)


def test_no_children_means_poisson(day: Intensity) -> None:
    plain = replace(CRASH, hawkes=replace(CRASH.hawkes, n=0.0))
    t = calm(arrivals(plain, day, np.full(CELLS, 0.5), np.random.default_rng(1)))
    assert stats.kstest(np.diff(t) * t.size / 7_200, "expon").pvalue > 0.01
