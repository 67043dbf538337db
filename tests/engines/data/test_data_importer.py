"""Imports: every bad row by its number, nothing half-imported, LEAN's layouts, a negative price that breaks nothing."""

import datetime as dt
import hashlib
import json
import os
import zipfile
from pathlib import Path

import duckdb
import numpy as np
import pytest

from engines.data import catalog, importer, overview
from engines.data.catalog import DailyQuery
from engines.data.importer import BadRows, Options
from engines.data.rows import moment_format
from engines.wire import bundle
from engines.wire.bundle import Adjustment
from engines.wire.bundle_files import Kind
from engines.wire.errors import DataError, UsageError

GOOD = """Date,Open,High,Low,Close,Volume
2020-04-16,20.5,21.0,19.5,19.87,1000
2020-04-17,19.9,20.0,17.3,18.27,2000
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAUTILUS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def csv(tmp_path: Path, text: str, name: str = "mine.csv") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def stored(folder: Path) -> list[str]:
    imported = folder / "data" / "imported"
    return sorted(path.name for path in imported.iterdir()) if imported.exists() else []


def problems(path: Path, **said: object) -> list[str]:
    return [str(one) for one in importer.plan(path, Options("MINE", **said)).problems]  # type: ignore[arg-type]


def test_a_good_file_becomes_part_of_the_catalogue(tmp_path: Path, home: Path) -> None:
    path = csv(tmp_path, GOOD)
    (info,) = importer.store(importer.plan(path, Options("MINE", adjusted=Adjustment.AS_TRADED, licence="my own")))
    assert stored(home) == ["MINE.json", "MINE.parquet"]
    held = bundle.bars("MINE")
    assert held.close.tolist() == [19.87, 18.27]
    assert held.volume.tolist() == [1000, 2000]
    assert np.isnan(held.adj_close).all()
    assert held.info is not None
    assert held.info.imported
    row = next(one for one in catalog.symbols() if one.symbol == "MINE")
    assert (row.licence, row.adjusted, row.imported, row.origin) == (
        "my own", Adjustment.AS_TRADED, True, "user file: mine.csv",
    )  # fmt: skip
    sidecar = json.loads(info.path.with_suffix(".json").read_text())
    assert sidecar["sha256_source"] == sha256(path)
    assert catalog.bars(DailyQuery(names=("MINE",))).series[0].values == {"close": [19.87, 18.27]}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


BAD = """Date,Open,High,Low,Close,Volume
2020-01-02,10,11,9,10,100
2020-01-03,10,11,9,10,-5
01/06/2020,10,11,9,10,100
2020-01-07,10,9,11,10,100
2020-01-07,10,11,9,10,100
2020-01-02,10,11,9,10,100
2020-01-08,nan,11,9,10,100
2020-01-09,10,11,9,12,100
2020-01-10,10,11,9,ten,1.5
2020-01-13,10,11,9,,inf
"""


def test_every_bad_row_is_reported_with_its_number_and_nothing_is_imported(tmp_path: Path, home: Path) -> None:
    path = csv(tmp_path, BAD)
    found = importer.plan(path, Options("MINE"))
    assert [str(one) for one in found.problems] == [
        "row 3, volume: -5 is negative",
        "row 4, date: '01/06/2020' is not like the other rows'",
        "row 5, high: 9 is below the low 11",
        "row 6, date: 2020-01-07 is there twice",
        "row 7, date: 2020-01-02 is there twice",
        "row 8, open: 'nan' is no number",
        "row 9, close: 12 is outside low 9 to high 11",
        "row 10, close: 'ten' is no number",
        "row 10, volume: 1.5 is no whole number",
        "row 11, close: there is no number",
        "row 11, volume: 'inf' is not finite",
    ]
    with pytest.raises(BadRows, match=r"9 bad rows; nothing was imported.*row 3, volume: -5 is negative"):
        importer.store(found)
    assert stored(home) == []
    assert found.rows == 10


def test_rows_out_of_order_are_bad(tmp_path: Path) -> None:
    path = csv(tmp_path, "date,close\n2020-01-02,1\n2020-01-06,1\n2020-01-03,1\n")
    assert problems(path) == ["row 4, date: 2020-01-03 comes after 2020-01-06: not in order"]


def test_a_date_that_can_be_read_in_two_ways_needs_a_word(tmp_path: Path) -> None:
    path = csv(tmp_path, "date,close\n01/02/2020,1\n02/03/2020,1\n")
    with pytest.raises(UsageError, match=r"read in two ways.*--date-format"):
        importer.plan(path, Options("MINE"))
    found = importer.plan(path, Options("MINE", date_format="%d/%m/%Y"))
    assert found.checked.moments[0].isoformat() == "2020-02-01T00:00:00"
    assert moment_format(["01/02/2020", "13/02/2020"], importer.DAY_FORMATS) == ("%d/%m/%Y", False)


def test_a_negative_price_is_kept_shown_and_never_computed_with(tmp_path: Path) -> None:
    text = GOOD + "2020-04-20,17.73,17.85,-40.32,-37.63,3000\n2020-04-21,-14.0,13.86,-16.74,10.01,4000\n"
    found = importer.plan(csv(tmp_path, text), Options("CL", adjusted=Adjustment.AS_TRADED))
    assert found.problems == ()
    assert [str(one) for one in found.flags] == [
        "row 4, close: -37.63 is negative",
        "row 4, low: -40.32 is negative",
        "row 5, low: -16.74 is negative",
        "row 5, open: -14 is negative",
    ]
    importer.store(found)
    assert catalog.bars(DailyQuery(names=("CL",), columns=("close", "low"))).series[0].values["close"][2] == -37.63
    with pytest.raises(bundle.NegativePrice, match=r"-40\.32 on 2020-04-20"):
        bundle.bars("CL")
    assert len(bundle.bars("CL", None, dt.date(2020, 4, 17))) == 2
    with pytest.raises(DataError, match=r"-37\.63 on 2020-04-20: a return on it means nothing"):
        bundle.bars("CL", signed=True).returns()
    shown = overview.overview("CL")
    assert (shown.worst, shown.best, shown.rows) == (None, None, 4)
    assert "2020-04-20" in shown.note


def test_a_series_may_have_days_without_a_value_and_negative_ones(tmp_path: Path) -> None:
    text = "DATE,DCOILWTICO\n2020-04-17,18.31\n2020-04-20,-36.98\n2020-04-21,.\n2020-04-22,13.64\n"
    found = importer.plan(csv(tmp_path, text), Options("wti.user", Kind.SERIES))
    assert (found.problems, found.flags) == ((), ())
    (info,) = importer.store(found)
    assert info.missing == 1
    held = bundle.series("wti.user")
    assert held.value[1] == -36.98
    assert np.isnan(held.value[2])
    assert overview.overview("wti.user").missing == 1
    assert catalog.series("wti.user").values[1] == -36.98


def test_a_bundled_name_is_never_hidden(tmp_path: Path, home: Path) -> None:
    path = csv(tmp_path, GOOD)
    with pytest.raises(UsageError, match=r"SPX is in the bundle.*SPX\.USER"):
        importer.plan(path, Options("SPX"))
    importer.store(importer.plan(path, Options("MINE")))
    sidecar = home / "data" / "imported" / "MINE.json"
    planted = json.loads(sidecar.read_text())
    planted["series"][0]["name"] = "SPX"
    (home / "data" / "imported" / "SPX.json").write_text(json.dumps(planted))
    (home / "data" / "imported" / "torn.json").write_text('{"file": ')
    assert len(bundle.bars("SPX")) == 17687
    first, second = catalog.problems()
    assert first.startswith("SPX.json is ignored")
    assert second.startswith("torn.json is no metadata")
    assert len(bundle.bars("MINE")) == 2


def test_a_second_import_needs_the_word_replace(tmp_path: Path) -> None:
    path = csv(tmp_path, GOOD)
    importer.store(importer.plan(path, Options("MINE")))
    with pytest.raises(UsageError, match="--replace"):
        importer.plan(path, Options("MINE"))
    importer.store(importer.plan(csv(tmp_path, GOOD + "2020-04-20,1,2,1,2,3\n"), Options("MINE", replace=True)))
    assert len(bundle.bars("MINE")) == 3


def test_a_crash_while_storing_leaves_no_half_import(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importer.plan(csv(tmp_path, GOOD), Options("MINE"))

    def broken(handle: int) -> None:
        raise OSError(28, "No space left on device", "MINE.parquet")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(DataError, match="No space left"):
        importer.store(found)
    assert stored(home) == []
    with pytest.raises(bundle.UnknownSymbol):
        bundle.bars("MINE")


def test_a_changed_import_is_refused(tmp_path: Path, home: Path) -> None:
    (info,) = importer.store(importer.plan(csv(tmp_path, GOOD), Options("MINE")))
    info.path.write_bytes(info.path.read_bytes()[:-1] + b"?")
    with pytest.raises(DataError, match=r"MINE\.parquet is not the file.*nautilus data import"):
        bundle.bars("MINE")


def test_parquet_is_checked_like_csv(tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    with duckdb.connect() as db:
        rows = "(VALUES (DATE '2020-01-02', 5.0), (DATE '2020-01-03', NULL)) t(date, close)"
        db.execute(f"COPY (SELECT * FROM {rows}) TO '{path}'")
    assert problems(path) == ["row 2, close: there is no number"]
    (tmp_path / "no.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(DataError, match="no Parquet file"):
        importer.plan(tmp_path / "no.parquet", Options("MINE"))


def lean(tmp_path: Path, member: str, text: str) -> Path:
    path = tmp_path / (member.partition(".")[0] + ".zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, text)
    return path


def test_leans_days_minutes_and_ticks(tmp_path: Path) -> None:
    days = lean(tmp_path, "spy.csv", "20100505 00:00,1171100,1175400,1157300,1168200,327597100\n")
    importer.store(importer.plan(days, Options("SPY.LEAN", adjusted=Adjustment.AS_TRADED)))
    held = bundle.bars("SPY.LEAN")
    assert (held.open[0], held.low[0], held.volume[0]) == (117.11, 115.73, 327597100)

    name = "20131007_spy_minute_trade.csv"
    minutes = lean(
        tmp_path, name, "34200000,1683000,1684000,1682500,1683500,1200\n34260000,1683500,1684000,1683000,1683000,800\n"
    )
    importer.store(importer.plan(minutes, Options("SPY.1M")))
    page = catalog.trades("SPY.1M")
    assert dt.datetime.fromtimestamp(page.ts_ns[0] / 1e9, dt.UTC) == dt.datetime(2013, 10, 7, 13, 30, tzinfo=dt.UTC)
    assert page.columns["open"] == [168.3, 168.35]

    ticks = lean(tmp_path, "20131007_spy_Trade_Tick.csv", "34200001,1683000,100,P,,0\n34200001,1683100,200,P,,0\n")
    importer.store(importer.plan(ticks, Options("SPY.TICK")))
    page = catalog.trades("SPY.TICK")
    assert page.columns == {"price": [168.3, 168.31], "size": [100, 200]}
    assert page.ts_ns[0] == page.ts_ns[1]
    bad = lean(tmp_path, "20131008_spy_Trade_Tick.csv", "34200001,1683000,0,P,,0\nx,1683100,-200,P,,0\n")
    assert problems(bad) == [
        "row 1, size: 0 is no trade", "row 2, size: -200 is negative", "row 2, time: 'x' is not like the other rows'",
    ]  # fmt: skip


def test_trades_are_paged_by_time_in_utc(tmp_path: Path) -> None:
    text = "time,price,size\n" + "".join(f"2020-03-09 09:34:{k:02d}.5,{100 + k},{k + 1}\n" for k in range(10))
    importer.store(importer.plan(csv(tmp_path, text), Options("PRINTS", zone="America/New_York")))
    start = dt.datetime(2020, 3, 9, 13, 34, 3, tzinfo=dt.UTC)
    page = catalog.trades("PRINTS", start, None, 0, 4)
    assert (page.total, page.next_offset, page.columns["price"]) == (7, 4, [103, 104, 105, 106])
    rest = catalog.trades("PRINTS", start.replace(tzinfo=None), None, 4, 4)
    assert (rest.next_offset, rest.columns["price"]) == (None, [107, 108, 109])
    with pytest.raises(UsageError, match="is after end"):
        catalog.trades("PRINTS", start, start - dt.timedelta(seconds=1))
    with pytest.raises(DataError, match="nothing in that range"):
        catalog.trades("PRINTS", start + dt.timedelta(days=1))
    shown = overview.overview("PRINTS", rows=2)
    assert (shown.rows, shown.first[:19], len(shown.head), len(shown.tail)) == (10, "2020-03-09T13:34:00", 2, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b,d\n1,2,3\n", "has no column date, close"),
        ("date,close\n", "holds no rows"),
        ("", "holds no rows"),
    ],
)
def test_a_file_without_what_is_needed_says_so(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises((UsageError, DataError), match=words):
        importer.plan(csv(tmp_path, text), Options("MINE"))


def test_wrong_names_and_places(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no name for a series"):
        importer.plan(csv(tmp_path, GOOD), Options("../up"))
    with pytest.raises(DataError, match="There is no file"):
        importer.plan(tmp_path / "gone.csv", Options("MINE"))
    with pytest.raises(UsageError, match="no time zone"):
        importer.plan(csv(tmp_path, GOOD), Options("MINE", zone="Mars/Base"))
    with pytest.raises(UsageError, match="can be imported"):
        importer.plan(csv(tmp_path, GOOD, "mine.xlsx"), Options("MINE"))
