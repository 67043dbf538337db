"""Sizes: exact sums by cumulative rounding, and the exponent that gives a volume share."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engines.marketdata.tape.sizes import exact, exponents
from engines.marketdata.tape.sweeps import mean_prints
from engines.wire.errors import UsageError
from engines.wire.intensity import intensity
from engines.wire.scenario_file import load

CRASH = load("flash-crash-2010")


@given(
    raw=hnp.arrays(np.float64, st.integers(1, 300), elements=st.floats(1e-6, 1e6)),
    extra=st.integers(0, 10**10),
)
def test_sizes_sum_exactly_and_each_is_at_least_one(raw: np.ndarray, extra: int) -> None:
    sizes = exact(raw, raw.size + extra)
    assert sizes.sum() == raw.size + extra
    assert sizes.min() >= 1
    wanted = 1 + raw * (extra / raw.sum())
    assert np.abs(np.cumsum(sizes) - np.cumsum(wanted)).max() <= 0.5 + 1e-6 * (1 + extra)


def test_more_trades_than_shares_is_refused() -> None:
    with pytest.raises(UsageError, match="5 trades cannot share a volume of 4"):
        exact(np.ones(5), 4)


@pytest.mark.parametrize("floor", [0.0, 0.02, 0.2])
@pytest.mark.parametrize("share", [0.08, 0.103, 0.2])
def test_exponent_gives_the_share(floor: float, share: float) -> None:
    day = intensity(CRASH)
    wanted = replace(CRASH, activity=replace(CRASH.activity, volume_share=share))
    (kappa,) = exponents(wanted, day, np.array([floor]))
    inside = (day.grid > 18_600) & (day.grid < 19_800)
    weight = day.lam / mean_prints(CRASH.sweeps, day.y) * (day.lam / day.lam0) ** -kappa
    found = floor * day.lam[inside].sum() / day.lam.sum() + (1 - floor) * weight[inside].sum() / weight.sum()
    assert found == pytest.approx(share, rel=0.02)


def test_a_share_out_of_reach_is_refused() -> None:
    with pytest.raises(UsageError, match="volume share"):
        exponents(CRASH, intensity(CRASH), np.array([0.0, 1.0]))


def test_without_a_share_sizes_do_not_depend_on_the_activity() -> None:
    plain = replace(CRASH, activity=replace(CRASH.activity, volume_share=None))
    assert exponents(plain, intensity(CRASH), np.array([0.0, 1.0])).tolist() == [0.0, 0.0]
