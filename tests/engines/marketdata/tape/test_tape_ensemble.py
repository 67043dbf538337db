"""Ensembles: one row a seed, and the spread of what they show."""

from dataclasses import replace

import numpy as np
import pytest

from engines.marketdata.tape.ensemble import ensemble
from engines.marketdata.tape.tape import make
from engines.wire.errors import UsageError
from engines.wire.scenario_file import load

SMALL = replace(load("flash-crash-2010"), ticks=20_000)


def test_an_ensemble_says_of_each_seed_what_its_tape_shows() -> None:
    found = ensemble(SMALL, range(4))
    assert [each.seed for each in found.figures] == [0, 1, 2, 3]
    assert [each.digest for each in found.figures] == [make(SMALL, seed).digest() for seed in range(4)]
    assert all(each.fall == pytest.approx(0.06, abs=1e-3) and each.halts == 0 for each in found.figures)
    by = {spread.name: spread for spread in found.spreads}
    assert set(by) == {"trades", "halts", "fall", "peak", "widest", "thinnest", "prints"}
    peaks = [each.peak for each in found.figures]
    assert (by["peak"].mean, by["peak"].sd) == pytest.approx((np.mean(peaks), np.std(peaks, ddof=1)))
    assert by["peak"].low == min(peaks) < 110 < 2 * max(peaks)
    assert by["thinnest"].mean < 0.02


def test_halts_are_counted() -> None:
    assert [each.halts for each in ensemble(replace(load("2020-03-18"), ticks=20_000), [1, 2]).figures] == [1, 1]


@pytest.mark.parametrize("seeds", [range(0), range(1_001)])
def test_an_ensemble_is_bounded(seeds: range) -> None:
    with pytest.raises(UsageError, match="1 to 1000 seeds"):
        ensemble(SMALL, seeds)
