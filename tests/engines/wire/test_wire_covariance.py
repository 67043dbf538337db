"""Both covariances against numpy's own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.wire.covariance import compiled, covariance


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.integers(2, 60), st.integers(2, 12))
def test_both_are_numpys(seed: int, rows: int, columns: int) -> None:
    sample = np.random.default_rng(seed).normal(0.001, 0.02, (rows, columns))
    wanted = np.cov(sample, rowvar=False)
    assert covariance(sample) == pytest.approx(wanted, rel=1e-10, abs=1e-18)
    assert compiled()(sample) == pytest.approx(wanted, rel=1e-10, abs=1e-18)


def test_strided_samples_are_taken_too() -> None:
    sample = np.random.default_rng(1).normal(size=(40, 6))[::2, ::2]
    assert compiled()(sample) == pytest.approx(np.cov(sample, rowvar=False), rel=1e-12)
