"""The engine computes with the device that the table names, and reports that one."""

from collections.abc import Callable

import numpy as np
import pytest

from engines.portfolio.acceleration import Covariance
from engines.wire.covariance import Floats, covariance
from engines.wire.health import Acceleration
from engines.wire.routing import BASELINE, Table, Timing, crossovers, curves


def table() -> Table:
    """numba is four times as fast for 3 assets, slower for 30."""
    times = {BASELINE: {3: 4e-6, 30: 1e-5}, "numba": {3: 1e-6, 30: 1e-4}}
    found = [
        Timing(kernel="covariance", size=size, device=device, median_s=seconds)
        for device, row in times.items()
        for size, seconds in row.items()
    ]
    of = curves(found, "covariance")
    return Table({"covariance": crossovers("covariance", of)}, {"covariance": of})


def spy(calls: list[int]) -> Callable[[], Callable[[Floats], Floats]]:
    def kernel(sample: Floats) -> Floats:
        calls.append(sample.shape[1])
        return covariance(sample)

    return lambda: kernel


def sample(assets: int) -> Floats:
    return np.random.default_rng(assets).normal(size=(50, assets))


def test_it_computes_with_the_fastest_and_says_so() -> None:
    calls: list[int] = []
    routed = Covariance(table(), spy(calls))
    assert routed.report() == Acceleration(), "nothing was computed: nothing is claimed"
    assert routed(sample(3)) == pytest.approx(np.cov(sample(3), rowvar=False), rel=1e-12)
    assert calls == [3]
    assert routed.report() == Acceleration(device="numba", kernel="covariance", speedup_measured=4.0)
    assert routed.detail() == "covariance with numba, measured 4.0 times as fast as numpy"
    routed(sample(30))
    assert calls == [3], "numpy's, above the border"
    assert routed.report() == Acceleration(device="numpy", kernel="covariance", speedup_measured=None)
    assert "the fastest here" in routed.detail()


def test_without_a_profile_it_is_numpy_and_numba_is_never_loaded() -> None:
    def never() -> Callable[[Floats], Floats]:
        raise AssertionError

    routed = Covariance(Table(why="no profile of this machine"), never)
    routed(sample(3))
    assert routed.report() == Acceleration(device="numpy", kernel="covariance", speedup_measured=None)
    assert routed.detail() == "covariance with numpy: no profile of this machine"


def test_a_device_that_fails_is_not_reported() -> None:
    def broken(_: Floats) -> Floats:
        raise MemoryError

    routed = Covariance(table(), lambda: broken)
    with pytest.raises(MemoryError):
        routed(sample(3))
    assert routed.report() == Acceleration()
