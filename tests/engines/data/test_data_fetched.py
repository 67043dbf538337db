"""What a source sent, on its way into the catalogue."""

import datetime as dt

import numpy as np
import pytest

from engines.data import fetched, importer
from engines.data.sources.source import Provenance, Request, Table
from engines.wire import bundle
from engines.wire.bundle_files import Adjustment, Kind
from engines.wire.errors import UsageError

VIX = Request(kind="series", key="VIXCLS")


def table(dates: list[str], simulated: bool = False) -> Table:
    values = np.arange(len(dates)) + 10.5
    values[1:2] = np.nan
    provenance = Provenance(
        source="fred",
        simulated=simulated,
        url="https://api.stlouisfed.org/fred/series/observations?series_id=VIXCLS",
        fetched_at=dt.datetime(2024, 5, 6, 12, tzinfo=dt.UTC),
        sha256="ab",
        rows=len(dates),
        newest=dates[-1],
    )
    return Table({"date": np.array(dates, "datetime64[D]"), "value": values}, provenance, {"value": "points"})


@pytest.mark.parametrize(
    ("dates", "word"),
    [
        (["2024-01-05"], "daily"),
        (["2024-01-04", "2024-01-05", "2024-01-08"], "daily"),
        (["2024-01-05", "2024-01-12", "2024-01-19"], "weekly"),
        (["2024-01-01", "2024-02-01", "2024-03-01"], "monthly"),
        (["2024-01-01", "2024-04-01", "2024-07-01"], "quarterly"),
        (["2022-01-01", "2023-01-01", "2024-01-01"], "yearly"),
    ],
)
def test_the_frequency_is_that_of_the_rows(dates: list[str], word: str) -> None:
    assert fetched.frequency(table(dates)) == word


def test_a_series_keeps_its_gaps_and_says_where_it_comes_from(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAUTILUS_HOME", str(tmp_path))
    (info,) = importer.store(fetched.plan(table(["2024-01-02", "2024-01-03", "2024-01-04"]), VIX, "VIXCLS", False))
    assert (info.kind, info.adjusted, info.units, info.missing) == (Kind.SERIES, Adjustment.NONE, "points", 1)
    assert info.origin.startswith("FRED 2024-05-06 12:00 UTC: https://api.stlouisfed.org/")
    np.testing.assert_array_equal(bundle.series("VIXCLS").value, [10.5, np.nan, 12.5])


def test_what_is_simulated_or_no_bars_or_series_is_refused() -> None:
    with pytest.raises(UsageError, match="no market data"):
        fetched.plan(table(["2024-01-02"], simulated=True), VIX, "VIXCLS", False)
    with pytest.raises(UsageError, match="cannot be imported"):
        fetched.check(Request(kind="facts", key="AAPL"), False)
    with pytest.raises(UsageError, match="daily bars"):
        fetched.check(Request(kind="bars", key="AAPL", extras={"interval": "1wk"}), False)
