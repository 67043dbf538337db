"""Alpha Vantage: rows as the bundle has them, and every error that hides in a 200."""

import datetime as dt

import numpy as np
import pytest

from engines.data.simulators.alpha_vantage import AlphaVantage
from engines.data.simulators.http_server import Allowance, Fault, SimulatorServer, as_json
from engines.data.sources import errors
from engines.data.sources.source import Request
from engines.wire import bundle
from tests.engines.data.sources.source_rig import Connect, alone, everything

BARS = Request(kind="bars", key="IBM", limit=100)


def test_bars_are_the_bundles(connect: Connect) -> None:
    table = connect("alpha_vantage").fetch(BARS)
    ours = bundle.bars("IBM")
    assert table.columns["date"].tolist() == ours.date[-100:].tolist()
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_allclose(table.columns[name], getattr(ours, name)[-100:], rtol=0, atol=5e-5)
    assert table.provenance.newest == "2013-03-01"
    assert table.provenance.simulated


def test_dates_and_limit_choose_rows(connect: Connect) -> None:
    source = connect("alpha_vantage")
    request = Request(kind="bars", key="IBM", start=dt.date(2013, 2, 1), end=dt.date(2013, 2, 15), limit=3)
    assert [str(day) for day in source.fetch(request).columns["date"]] == ["2013-02-13", "2013-02-14", "2013-02-15"]


def test_overview_is_names_and_values(connect: Connect) -> None:
    table = connect("alpha_vantage").fetch(Request(kind="overview", key="IBM"))
    facts = dict(zip(table.columns["name"], table.columns["value"], strict=True))
    assert float(facts["52WeekHigh"]) == pytest.approx(bundle.bars("IBM").close[-252:].max(), abs=0.005)


def test_a_wrong_key_is_refused(connect: Connect, env: dict[str, str]) -> None:
    with pytest.raises(errors.AuthError, match="ALPHAVANTAGE_API_KEY"):
        connect("alpha_vantage", env_={**env, "ALPHAVANTAGE_API_KEY": "WRONGWRONGWRONG1"}).fetch(BARS)


def test_the_daily_limit_repeats_the_key_and_we_do_not(env: dict[str, str], connect: Connect) -> None:
    key = env["ALPHAVANTAGE_API_KEY"]
    with alone("alpha_vantage", AlphaVantage(key, day=Allowance(2, 86_400), second=Allowance(9, 1))) as server:
        source = connect("alpha_vantage", server.endpoint("alpha_vantage"))
        source.fetch(BARS)
        source.fetch(BARS)
        with pytest.raises(errors.QuotaExhausted, match=r"API key as \*\*\*; its limit is 25") as caught:
            source.fetch(BARS)
    assert key not in everything(caught.value)
    assert not caught.value.transient  # asking again today is of no use


def test_one_request_a_second(env: dict[str, str], connect: Connect) -> None:
    second = Allowance(1, 1.0, clock=lambda: 0.0)
    with alone("alpha_vantage", AlphaVantage(env["ALPHAVANTAGE_API_KEY"], second=second)) as server:
        source = connect("alpha_vantage", server.endpoint("alpha_vantage"))
        source.fetch(BARS)
        with pytest.raises(errors.RateLimited) as caught:
            source.fetch(BARS)
    assert caught.value.retry_after == 1.0
    assert type(caught.value) is errors.RateLimited


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"Note": "Our standard API call frequency is 5 calls per minute."}, errors.RateLimited),
        ({"Information": "The demo key is for demonstrations."}, errors.AuthError),
        ({"Error Message": "Invalid API call."}, errors.NotFound),
        ({}, errors.NoData),
        ({"Time Series (Daily)": {}}, errors.NoData),
        ({"Time Series (Daily)": {"2024-01-02": {"1. open": "1"}}}, errors.BadReply),
        ({"Meta Data": {}}, errors.BadReply),
        ([], errors.BadReply),
    ],
)
def test_other_bodies(http: SimulatorServer, connect: Connect, body: object, kind: type[errors.SourceError]) -> None:
    http.fail("alpha_vantage", Fault(answer=as_json(body)))
    with pytest.raises(kind):
        connect("alpha_vantage").fetch(BARS)


@pytest.mark.parametrize("number", ["nan", "inf", "1_000", "", "1,5", "None", "0x10", "1e999"])
def test_what_python_reads_as_a_number_may_be_none(http: SimulatorServer, connect: Connect, number: str) -> None:
    day = {"1. open": number, "2. high": "1", "3. low": "1", "4. close": "1", "5. volume": "1"}
    http.fail("alpha_vantage", Fault(answer=as_json({"Time Series (Daily)": {"2024-01-02": day}})))
    with pytest.raises(errors.BadReply):
        connect("alpha_vantage").fetch(BARS)


def test_the_whole_history_is_premium(connect: Connect) -> None:
    with pytest.raises(errors.PremiumRequired):
        connect("alpha_vantage").fetch(Request(kind="bars", key="IBM", extras={"size": "full"}))


def test_an_unknown_symbol(connect: Connect) -> None:
    with pytest.raises(errors.NotFound):
        connect("alpha_vantage").fetch(Request(kind="bars", key="NOSUCH"))
