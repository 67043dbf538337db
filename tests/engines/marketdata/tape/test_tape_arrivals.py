"""Arrivals against the theory of the Hawkes process: mean, branching ratio, time rescaling, branching matrix."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from numba import njit
from scipy import optimize, stats

from engines.marketdata.tape.arrivals import Arrivals, arrivals, baseline
from engines.marketdata.tape.sweeps import mean_prints
from engines.wire.errors import UsageError
from engines.wire.intensity import CELLS, GRID_S, Intensity, intensity
from engines.wire.scenario_file import load

CRASH = load("flash-crash-2010")
FAST = CRASH.hawkes.fast_beta
Floats = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def day() -> Intensity:
    return intensity(CRASH)


@pytest.fixture(scope="module")
def wanted(day: Intensity) -> Floats:
    """Arrivals per second: prints over the mean prints of an arrival."""
    return day.lam / mean_prints(CRASH.sweeps, day.y)


@pytest.fixture(scope="module")
def hits(wanted: Floats) -> list[Arrivals]:
    even = np.full(CELLS, 0.5)
    return [arrivals(CRASH, wanted, even, np.random.default_rng(seed)) for seed in range(8)]


@njit
def excitation(t: Floats, beta: float) -> Floats:
    """A_i = sum over earlier events of e^(-beta (t_i - t_j))."""
    out = np.zeros(t.size)
    for i in range(1, t.size):
        out[i] = np.exp(-beta * (t[i] - t[i - 1])) * (1 + out[i - 1])
    return out


def fit(t: Floats, end: float) -> tuple[float, float, float, float]:
    """Maximum likelihood (mu, slow n, its beta, fast n) on [0, end] (Ozaki, 1979); the fast decay is given."""
    quick = excitation(t, FAST)

    def loss(theta: Floats) -> float:
        mu, slow, beta, fast = np.exp(theta)
        rate = mu + slow * beta * excitation(t, beta) + fast * FAST * quick
        grown = slow * (1 - np.exp(-beta * (end - t))).sum() + fast * (1 - np.exp(-FAST * (end - t))).sum()
        return float(mu * end + grown - np.log(rate).sum())

    start = np.log([t.size / end / 2, 0.3, 0.7, 0.3])
    found = optimize.minimize(loss, start, method="Nelder-Mead", options={"maxiter": 600, "xatol": 1e-3})
    mu, slow, beta, fast = np.exp(found.x)
    return float(mu), float(slow), float(beta), float(fast)


def calm(hits: Arrivals) -> Floats:
    """Ticks from 12:00 to 14:00, seconds after 12:00."""
    return hits.t[(hits.t > 9_000) & (hits.t < 16_200)] - 9_000


def test_branching_ratio_and_decay_by_maximum_likelihood(hits: list[Arrivals]) -> None:
    for each in hits[:3]:
        _, slow, beta, fast = fit(calm(each), 7_200)
        assert abs(slow + fast - CRASH.hawkes.n) <= 0.04
        assert abs(fast - CRASH.hawkes.n * CRASH.hawkes.fast) <= 0.04
        assert abs(beta - CRASH.hawkes.beta) <= 0.25  # a third of the children are the other kernel's


def test_time_rescaling_leaves_unit_exponential_gaps(hits: list[Arrivals]) -> None:
    t = calm(hits[0])
    mu, slow, beta, fast = fit(t, 7_200)
    order = np.arange(t.size)
    grown = slow * (order - excitation(t, beta)) + fast * (order - excitation(t, FAST))
    gaps = np.diff(mu * t + grown)
    assert stats.kstest(gaps, "expon").pvalue > 0.01


def test_one_kernel_alone_fails_the_same_test(hits: list[Arrivals]) -> None:
    t = calm(hits[0])
    slow = 0.7 * (np.arange(t.size) - excitation(t, 1.0))
    rate = (t.size - slow[-1]) / 7_200
    assert stats.kstest(np.diff(rate * t + slow), "expon").pvalue < 1e-6


def test_a_poisson_process_fails_the_same_test(hits: list[Arrivals]) -> None:
    t = calm(hits[0])
    assert stats.kstest(np.diff(t) * t.size / 7_200, "expon").pvalue < 1e-6


def test_counts_follow_the_wanted_intensity(wanted: Floats, hits: list[Arrivals]) -> None:
    """Mean over seeds per half hour within four standard errors, Fano factor (1-n)^-2."""
    edges = np.linspace(0, 23_400, 14)
    counts = np.mean([np.histogram(each.t, edges)[0] for each in hits], axis=0)
    expected = wanted.reshape(13, -1).sum(axis=1) * GRID_S
    errors = np.sqrt(expected / len(hits)) / (1 - CRASH.hawkes.n)
    assert (np.abs(counts - expected) < 4 * errors).all()


def test_instruments_come_in_their_weights(hits: list[Arrivals]) -> None:
    shares = np.mean([np.bincount(each.instrument, minlength=5) / each.t.size for each in hits], axis=0)
    assert shares == pytest.approx([item.weight for item in CRASH.instruments], abs=0.01)


def test_baseline_convolved_with_its_kernels_gives_the_intensity_back(day: Intensity) -> None:
    """Discrete check of lam = mu + sum_j n_j beta_j int e^(-beta_j (t-s)) lam(s) ds by brute force at the peak."""
    hawkes = CRASH.hawkes
    mu = baseline(day.lam, hawkes)
    assert mu.min() > 0
    cell = int(CRASH.t_low / GRID_S)
    fine = np.repeat(day.lam[cell - 600 : cell + 1], 200)
    lags = (np.arange(fine.size)[::-1] + 0.5) * GRID_S / 200
    children = 0.0
    for n, beta in ((hawkes.n * (1 - hawkes.fast), hawkes.beta), (hawkes.n * hawkes.fast, hawkes.fast_beta)):
        children += n * (np.exp(-beta * lags) * fine).sum() * beta * GRID_S / 200
    assert mu[cell] + children == pytest.approx(day.lam[cell], rel=0.01)


def test_an_intensity_that_falls_faster_than_children_die_is_refused(day: Intensity) -> None:
    with pytest.raises(UsageError, match="falls too fast"):
        baseline(day.lam, replace(CRASH.hawkes, n=0.97))


def test_no_children_means_poisson(wanted: Floats) -> None:
    plain = replace(CRASH, hawkes=replace(CRASH.hawkes, n=0.0))
    t = calm(arrivals(plain, wanted, np.full(CELLS, 0.5), np.random.default_rng(1)))
    assert stats.kstest(np.diff(t) * t.size / 7_200, "expon").pvalue > 0.01


def test_a_halt_is_silent_and_after_it_the_process_begins_in_its_stationary_mean() -> None:
    """5 arrivals a second, a halt, then 100: the mean of the first two seconds is theirs, not that of a cold start."""
    halted = np.zeros(CELLS)
    halted[80_000:90_000], halted[99_000:99_020] = 5.0, 100.0
    even = np.full(CELLS, 0.5)
    hits = [arrivals(CRASH, halted, even, np.random.default_rng(seed)) for seed in range(400)]
    assert not any(((each.t > 9_000) & (each.t < 9_900)).any() for each in hits)
    after = np.array([(each.t >= 9_900).sum() for each in hits])
    assert abs(after.mean() - 200) < 4 * after.std() / np.sqrt(after.size) < 20
