"""Tables come back as they went in, until they are old or damaged; DuckDB reads the files."""

import datetime as dt
import json
import logging
import math
from pathlib import Path

import duckdb
import numpy as np
import pytest

from engines.data.sources.cache import Cache, Cached
from engines.data.sources.secret import Redactor, Secret
from engines.data.sources.source import Column, Provenance, Request, SourceState, Table

AT = dt.datetime(2024, 5, 6, 12, tzinfo=dt.UTC)
REQUEST = Request(kind="series", key="a b'c/..", limit=3, extras={"z": "1", "a": "2"})


def table(simulated: bool = False, value: float = 1.5) -> Table:
    columns: dict[str, Column] = {
        "date": np.array(["2024-01-02", "1066-10-14", "NaT"], dtype="datetime64[D]"),
        "time": np.array(["2024-01-02T03:04:05.678901", "NaT", "1969-12-31T23:59:59"], dtype="datetime64[us]"),
        "value": np.array([value, math.nan, -37.63]),
        "count": np.array([1, -2, 2**53 + 1]),
        "flag": np.array([True, False, True]),
        'odd "name"': np.array(["é", None, ""], dtype=object),
    }
    provenance = Provenance(
        source="fred",
        simulated=simulated,
        url="https://x/y?z=1",
        fetched_at=AT,
        sha256="ab",
        rows=3,
        newest="2024-01-02",
    )
    return Table(columns, provenance, {"value": "USD"})


def cache_at(root: Path, now: dt.datetime = AT, ttl_s: float = 60.0) -> Cache:
    return Cache(root, ttl_s, lambda: now)


def test_a_table_comes_back_as_it_was(tmp_path: Path) -> None:
    cache_at(tmp_path).save(REQUEST, table())
    found = cache_at(tmp_path).load("fred", False, REQUEST)
    assert found is not None
    assert found.provenance == table().provenance
    assert found.units == {"value": "USD"}
    assert list(found.columns) == list(table().columns)
    for name, column in table().columns.items():
        assert found.columns[name].dtype == column.dtype
        np.testing.assert_array_equal(found.columns[name], column)


def test_duckdb_reads_the_file_and_the_sidecar_has_the_provenance(tmp_path: Path) -> None:
    path = cache_at(tmp_path).save(REQUEST, table())
    assert duckdb.connect().sql(f"SELECT date, count FROM '{path}'").fetchall()[1] == (dt.date(1066, 10, 14), -2)
    (sidecar,) = (tmp_path / "fred").glob("*.json")
    entry = json.loads(sidecar.read_text())
    assert entry["schema"] == "nautilus.cache/1"
    assert entry["file"] == path.name
    assert entry["provenance"] == {
        "source": "fred", "simulated": False, "url": "https://x/y?z=1", "fetched_at": "2024-05-06T12:00:00Z",
        "sha256": "ab", "rows": 3, "newest": "2024-01-02",
    }  # fmt: skip
    assert entry["ttl_s"] == 60.0


@pytest.mark.parametrize(("age_s", "there"), [(0, True), (60, True), (60.1, False), (-1, False)])
def test_it_grows_old(tmp_path: Path, age_s: float, there: bool) -> None:
    cache_at(tmp_path).save(REQUEST, table())
    found = cache_at(tmp_path, AT + dt.timedelta(seconds=age_s)).load("fred", False, REQUEST)
    assert (found is not None) is there


def test_what_is_simulated_never_comes_back_as_real(tmp_path: Path) -> None:
    cache_at(tmp_path).save(REQUEST, table(simulated=True))
    assert cache_at(tmp_path).load("fred", False, REQUEST) is None
    assert cache_at(tmp_path).load("fred", True, REQUEST) is not None
    cache_at(tmp_path).save(REQUEST, table(value=7.0))
    for simulated, value in ((True, 1.5), (False, 7.0)):  # neither takes the other's place
        found = cache_at(tmp_path).load("fred", simulated, REQUEST)
        assert found is not None
        assert (found.provenance.simulated, found.columns["value"][0]) == (simulated, value)


def test_another_request_is_another_entry(tmp_path: Path) -> None:
    cache_at(tmp_path).save(REQUEST, table())
    same = Request(kind="series", key="a b'c/..", limit=3, extras={"a": "2", "z": "1"})
    other = Request(kind="series", key="a b'c/..", limit=4, extras={"a": "2", "z": "1"})
    assert cache_at(tmp_path).load("fred", False, same) is not None
    assert cache_at(tmp_path).load("fred", False, other) is None


def damage(path: Path, how: str) -> None:
    if how == "a bit":
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 2] ^= 1
        path.write_bytes(raw)
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    else:
        path.unlink()


@pytest.mark.parametrize("which", ["parquet", "json"])
@pytest.mark.parametrize("how", ["a bit", "cut", "gone"])
def test_damage_is_noticed(tmp_path: Path, which: str, how: str, caplog: pytest.LogCaptureFixture) -> None:
    cache_at(tmp_path).save(REQUEST, table())
    (path,) = (tmp_path / "fred").glob(f"*.{which}")
    if which == "json" and how == "a bit":
        path.write_text(path.read_text().replace('"fred"', '"fre'))
    else:
        damage(path, how)
    with caplog.at_level(logging.WARNING):
        assert cache_at(tmp_path).load("fred", False, REQUEST) is None
    if (which, how) != ("json", "gone"):  # that is no entry at all
        assert "fetched again" in caplog.text
    cache_at(tmp_path).save(REQUEST, table())
    assert cache_at(tmp_path).load("fred", False, REQUEST) is not None


def test_a_newer_table_replaces_the_older_and_leaves_nothing_behind(tmp_path: Path) -> None:
    first = cache_at(tmp_path).save(REQUEST, table())
    second = cache_at(tmp_path).save(REQUEST, table(value=2.5))
    assert first != second
    assert sorted(path.suffix for path in (tmp_path / "fred").iterdir()) == [".json", ".parquet"]
    found = cache_at(tmp_path).load("fred", False, REQUEST)
    assert found is not None
    assert found.columns["value"][0] == 2.5


class Counting:
    """A source that counts how often it is asked."""

    name, title, kinds = "fred", "FRED", ("series", "trades")

    def __init__(self) -> None:
        self.asked = 0

    def fetch(self, request: Request) -> Table:
        self.asked += 1
        return table()

    def probe(self) -> SourceState:
        raise NotImplementedError

    def close(self) -> None:
        self.asked = -1


def test_a_fresh_table_is_not_fetched_again(tmp_path: Path) -> None:
    source = Counting()
    cached = Cached(source, False, cache_at(tmp_path), Redactor(()))
    cached.fetch(REQUEST)
    cached.fetch(REQUEST)
    assert source.asked == 1
    moment = Request(kind="trades", key="X")
    cached.fetch(moment)
    cached.fetch(moment)
    assert source.asked == 3


def test_a_request_with_a_secret_in_it_is_not_kept(tmp_path: Path) -> None:
    cached = Cached(Counting(), False, cache_at(tmp_path), Redactor([Secret("SECRETSECRET")]))
    cached.fetch(Request(kind="series", key="secretsecret"))
    assert not list(tmp_path.rglob("*"))


def test_a_folder_that_cannot_be_written_costs_only_the_cache(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "fred").write_text("a file where the folder would be")
    with caplog.at_level(logging.WARNING):
        assert len(Cached(Counting(), False, cache_at(tmp_path), Redactor(())).fetch(REQUEST)) == 3
    assert "not cached" in caplog.text
