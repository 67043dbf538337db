"""Each kernel against an oracle of its own, numpy's and the compiled one."""

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from stress.profiler import kernels
from stress.profiler.compiled import SERIAL
from stress.profiler.kernels import KERNELS, Kernel

Floats = npt.NDArray[np.float64]
NORMAL = NormalDist()
BY_NAME = {kernel.name: kernel for kernel in KERNELS}
HOWS = ("numpy", "numba")


def run(name: str, how: str, *inputs: npt.NDArray[np.generic]) -> Floats:
    return np.asarray(BY_NAME[name].compute(np, *inputs) if how == "numpy" else SERIAL[name](*inputs))


@pytest.mark.parametrize("how", HOWS)
def test_monte_carlo_is_the_closed_form_within_four_standard_errors(how: str) -> None:
    """A lognormal holding: VaR = 1 - exp(m - z s), ES = 1 - exp(m + s^2/2) Phi(-z - s) / (1 - c)."""
    paths, c = 100_000, kernels.CONFIDENCE
    var, shortfall = run("monte-carlo-var", how, *kernels.path_numbers(paths))
    m, s = kernels.DRIFT * kernels.STEPS, kernels.VOLATILITY * math.sqrt(kernels.STEPS)
    z = NORMAL.inv_cdf(c)
    true = 1 - math.exp(m - z * s)
    density = NORMAL.pdf(z) / (s * (1 - true))  # of the loss at its quantile
    error = math.sqrt(c * (1 - c) / paths) / density
    assert abs(var - true) < 4 * error
    true_shortfall = 1 - math.exp(m + s * s / 2) * NORMAL.cdf(-z - s) / (1 - c)
    assert abs(shortfall - true_shortfall) < 4 * 2 * error  # the tail's mean varies a little more than its edge
    assert shortfall > var


def test_the_hash_is_the_published_one() -> None:
    """lowbias32 in whole numbers; and it is one to one."""

    def by_hand(x: int) -> int:
        x = (x ^ x >> 16) * 0x7FEB352D % 2**32
        x = (x ^ x >> 15) * 0x846CA68B % 2**32
        return x ^ x >> 16

    numbers = np.array([0, 1, 2, 12345, 2**31, 2**32 - 1], np.uint32)
    assert kernels._hashed(np, numbers).tolist() == [by_hand(int(each)) for each in numbers]
    many = kernels._hashed(np, np.arange(1 << 16, dtype=np.uint32))
    assert np.unique(many).size == 1 << 16


@pytest.mark.parametrize(("paths", "place"), [(100, 98), (1_000, 989), (150, 148), (1, 0)])
def test_the_order_statistic(paths: int, place: int) -> None:
    """The ceil(c n)-th smallest, counted from 0."""
    assert kernels.tail_start(paths) == place


@pytest.mark.parametrize("how", HOWS)
def test_vpin_bar_by_bar(how: str) -> None:
    volumes, changes, ends = kernels.time_bars(600)
    bucket, sigma = ends[0], float(np.std(changes))
    bought, filled, imbalances = 0.0, 0.0, []
    for volume, change in zip(volumes.tolist(), changes.tolist(), strict=True):
        share = NORMAL.cdf(change / sigma)
        left = volume
        while left > 0:
            part = min(left, bucket - filled)
            filled, bought, left = filled + part, bought + part * share, left - part
            if filled == bucket:
                imbalances.append(abs(bucket - 2 * bought))
                filled = bought = 0.0
    n = kernels.WINDOW
    wanted = [sum(imbalances[i - n : i]) / (n * bucket) for i in range(n, len(imbalances) + 1)]
    found = run("vpin", how, volumes, changes, ends)
    assert len(imbalances) == ends.size and found.size == len(wanted) > 20
    assert found == pytest.approx(wanted, rel=2e-6)  # numpy's normal distribution is within 7.5e-8


def test_the_normal_distribution_function() -> None:
    z = np.linspace(-6, 6, 2_001)
    assert np.abs(kernels.normal_cdf(np, z) - [NORMAL.cdf(each) for each in z]).max() < 7.5e-8


@pytest.mark.parametrize("how", HOWS)
def test_the_factor_is_pandas_rolling(how: str) -> None:
    (close,) = kernels.price_panel(7)
    level = pd.DataFrame(np.log(close))
    steps = level.diff()
    signal = (level.diff(kernels.LOOKBACK) / steps.rolling(kernels.LOOKBACK).std(ddof=1)).iloc[kernels.LOOKBACK :]
    wanted = signal.sub(signal.mean(axis=1), axis=0).div(signal.std(axis=1, ddof=0), axis=0)
    assert run("factor-panel", how, close) == pytest.approx(wanted.to_numpy(), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("how", HOWS)
def test_the_network_neuron_by_neuron(how: str) -> None:
    rows, *layers = kernels.network_inputs(3)
    found = run("network", how, rows, *layers)
    for row, out in zip(rows.tolist(), found.tolist(), strict=True):
        values = row
        for weights, bias in zip(layers[::2], layers[1::2], strict=True):
            sums = [math.fsum(v * w for v, w in zip(values, column, strict=True)) for column in weights.T.tolist()]
            values = [each + b for each, b in zip(sums, bias.tolist(), strict=True)]
            if len(values) > 1:
                values = [max(0.0, each) for each in values]
        assert out == pytest.approx([math.tanh(each) for each in values], rel=1e-9)


@pytest.mark.parametrize("how", HOWS)
def test_the_covariance_is_numpys_own(how: str) -> None:
    (sample,) = kernels.returns(5)
    assert run("covariance", how, sample) == pytest.approx(np.cov(sample, rowvar=False), rel=1e-12)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_compiled_is_within_tolerance_of_numpy_at_every_quick_size(kernel: Kernel) -> None:
    for size in kernel.quick:
        inputs = kernel.inputs(size)
        gap = kernels.deviation(SERIAL[kernel.name](*inputs), kernel.compute(np, *inputs))
        assert gap <= kernel.tolerance, size


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_inputs_are_the_same_each_time(kernel: Kernel) -> None:
    again = kernel.inputs(kernel.quick[0])
    assert all(np.array_equal(a, b) for a, b in zip(kernel.inputs(kernel.quick[0]), again, strict=True))


Change = Callable[[Floats], Floats]


@pytest.mark.parametrize(
    ("change", "gap"),
    [
        (lambda x: x, 0.0),
        (lambda x: x + 0.5, 0.125),
        (lambda x: x[:1], math.inf),
        (lambda x: np.where(x > 3, np.nan, x), math.inf),
        (lambda x: np.where(x > 3, np.inf, x), math.inf),
    ],
)
def test_deviation(change: Change, gap: float) -> None:
    reference = np.array([1.0, -2.0, 4.0])
    assert kernels.deviation(change(reference), reference) == gap


def test_deviation_of_nothing() -> None:
    assert kernels.deviation(np.zeros(3), np.zeros(3)) == 0.0
    assert kernels.deviation(np.full(3, 0.1), np.zeros(3)) == pytest.approx(0.1)
    assert kernels.deviation(np.full(2, np.nan), np.full(2, np.nan)) == 0.0
