"""Pins: the day's bars as integers on the right grid, volumes by rule, volatility by Parkinson."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from engines.wire import bundle
from engines.wire.errors import DataError
from engines.wire.pins import conflicts, parkinson, pins
from engines.wire.scenario import Scenario
from engines.wire.scenario_file import load


@pytest.fixture(scope="module")
def crash() -> Scenario:
    return load("flash-crash-2010")


def test_the_pins_of_6_may_2010(crash: Scenario) -> None:
    by = {pin.symbol: pin for pin in pins(crash)}
    assert tuple(by) == crash.symbols
    index = by["SPX"]
    assert (index.open, index.high, index.low, index.close) == (11_643_800, 11_675_800, 10_657_900, 11_281_500)
    assert (index.prior_close, index.volume, index.stale_open) == (11_658_700, None, False)
    assert (by["ESX"].low, by["ESX"].volume) == (10_657_500, 5_094_703)
    assert (by["AAPL"].low, by["AAPL"].volume, by["AAPL"].prior_close) == (1_992_500, 45_923_600, 2_559_850)


def test_the_future_stands_on_its_tick_within_half_a_tick_of_the_index(crash: Scenario) -> None:
    index, future = pins(crash)[:2]
    for name in ("open", "high", "low", "close", "prior_close"):
        assert getattr(future, name) % 2_500 == 0
        assert abs(getattr(future, name) - getattr(index, name)) <= 1_250


def test_volume_on_other_days_follows_the_index_volume(crash: Scenario) -> None:
    mean = bundle.bars("SPX", dt.date(2010, 5, 3), dt.date(2010, 5, 5)).volume.mean()
    own = bundle.bar("SPX", dt.date(2010, 5, 7)).volume
    assert pins(replace(crash, date=dt.date(2010, 5, 7)))[1].volume == round(2_397_639 * own / mean)


def test_parkinson_recovers_a_known_volatility_and_refuses_bars_without_range() -> None:
    prior = bundle.bars("AAPL").before(dt.date(2010, 5, 6), 20)
    assert parkinson(replace(prior, low=prior.high * np.exp(-0.02))) == pytest.approx(0.02 / (2 * np.sqrt(np.log(2))))
    with pytest.raises(DataError, match="without a range"):
        parkinson(bundle.bars("SPX", dt.date(1955, 1, 3), dt.date(1955, 2, 1)))


def test_prior_close_is_in_the_days_own_shares_across_a_split(crash: Scenario) -> None:
    split = pins(replace(crash, date=dt.date(2005, 2, 28)))[2]
    assert split.symbol == "AAPL"
    assert split.prior_close / 10_000 == pytest.approx(88.99 / 2, rel=1e-3)


def test_a_repeated_prior_close_is_a_stale_open(crash: Scenario) -> None:
    alone = replace(crash, instruments=crash.instruments[:1], date=dt.date(1987, 10, 19))
    assert all(pin.stale_open for pin in pins(alone))


def test_days_without_bars_or_history_are_refused(crash: Scenario) -> None:
    with pytest.raises(bundle.MissingBarError):
        pins(replace(crash, date=dt.date(2010, 5, 8)))
    with pytest.raises(DataError, match="bars before"):
        pins(replace(crash, date=dt.date(2004, 8, 25)))


def test_conflicts_name_what_the_days_bars_overrule(crash: Scenario) -> None:
    assert conflicts(crash) == ()
    calm = conflicts(replace(crash, date=dt.date(2010, 5, 5)))
    assert [text.split(":")[0] for text in calm] == ["leg.drop"]
    assert "1.51%" in calm[0]  # 1175.95 to 1158.15
    monday = replace(crash, instruments=crash.instruments[:1], date=dt.date(1987, 10, 19))
    assert [text.split(":")[0] for text in conflicts(monday)] == ["date"]
