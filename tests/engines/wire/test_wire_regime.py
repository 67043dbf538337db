"""Regimes: the S&P 500's realised volatility against pandas, and the days of the mission that is about them."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engines.data import importer
from engines.wire import bundle
from engines.wire.regime import regime
from engines.wire.scenario_file import load
from stress import mission
from stress.specs.storm import Storm


@pytest.mark.parametrize(
    "day", [dt.date(1987, 10, 19), dt.date(2009, 3, 30), dt.date(2010, 5, 6), dt.date(2017, 11, 3)]
)
def test_realised_volatility_is_a_rolling_deviation_of_log_returns(day: dt.date) -> None:
    bars = bundle.bars("SPX")
    closes = pd.Series(bars.close, index=pd.to_datetime(bars.date))
    rolling = np.log(closes).diff().rolling(21).std() * 252**0.5
    found = regime("SPX", day)
    assert found.realised == pytest.approx(rolling[pd.Timestamp(day)], rel=1e-9)


def test_the_vix_where_it_is_held() -> None:
    assert regime("SPX", dt.date(2018, 2, 5)).vix == 37.32  # CBOE's close of that day
    assert regime("SPX", dt.date(2009, 3, 30)).vix is None


def test_the_vix_of_a_series_that_the_user_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAUTILUS_HOME", str(tmp_path))
    file = tmp_path / "vix.csv"
    file.write_text("date,value\n2020-03-13,57.83\n2020-03-16,82.69\n")
    importer.store(importer.plan(file, importer.Options(symbol="VIXCLS")))
    assert regime("SPX", dt.date(2020, 3, 16)).vix == 82.69
    assert regime("SPX", dt.date(2018, 2, 5)).vix == 37.32  # the bundle's
    assert regime("SPX", dt.date(2009, 3, 30)).vix is None


def test_too_few_days_before_it_give_none() -> None:
    assert regime("SPX", dt.date(1950, 1, 31)).realised is None


def test_every_day_of_the_volatility_mission_lies_in_a_regime_above_40_per_cent() -> None:
    days = [load(storm.scenario) for storm in mission.load("volatility").of(Storm)]
    assert {day.date.year for day in days} == {1987, 2008, 2009, 2020}
    assert all((regime(day.index, day.date).realised or 0) > 0.40 for day in days)
