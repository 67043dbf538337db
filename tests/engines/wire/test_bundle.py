"""The bundle: the bytes that were built, the facts the field knows of them, and the errors of a wrong request."""

import datetime as dt
import hashlib
import json

import numpy as np
import pytest

from engines.wire import bundle
from engines.wire.errors import DataError, UsageError

SHARES = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
# Worst closes of the S&P 500, 1950-2015, per cent (public record; the bundle must reproduce them to 0.005).
WORST = {
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
    for key in ("origin", "licence", "rights", "adjustment", "sha256_source", "columns"):
        assert entry[key], key


def test_every_parquet_file_has_metadata_and_together_they_stay_under_a_megabyte() -> None:
    files = list(bundle.FOLDER.glob("*.parquet"))
    assert {file.name for file in files} == {entry["file"] for entry in metadata()}
    assert sum(file.stat().st_size for file in files) < 1_000_000


def test_catalogue_states_what_the_files_hold() -> None:
    assert [info.symbol for info in bundle.catalog()] == ["AAPL", "FB", "GOOG", "IBM", "MSFT", "SPX"]
    for info in bundle.catalog():
        held = bundle.bars(info.symbol)
        assert (len(held), held.date[0], held.date[-1]) == (
            info.rows,
            np.datetime64(info.first),
            np.datetime64(info.last),
        )


@pytest.mark.parametrize("symbol", [*SHARES, "SPX"])
def test_bars_are_ordered_consistent_and_read_only(symbol: str) -> None:
    held = bundle.bars(symbol)
    assert held.date.dtype == np.dtype("datetime64[D]")
    assert (np.diff(held.date) > np.timedelta64(0, "D")).all()
    assert (held.low <= np.minimum(held.open, held.close)).all()
    assert (held.high >= np.maximum(held.open, held.close)).all()
    assert (held.volume > 0).all()
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
