"""Trading Economics: histories beyond one call's rows, and no sample login."""

import datetime as dt

import pytest

from engines.data.simulators.http_server import Allowance, Fault, SimulatorServer, as_json
from engines.data.simulators.trading_economics import TradingEconomics
from engines.data.sources import errors
from engines.data.sources.source import Request, Status
from engines.wire import bundle
from tests.engines.data.sources.source_rig import Connect, alone

COUNTRY = Request(kind="country", key="united states")


def test_a_history_longer_than_one_call(connect: Connect, http: SimulatorServer) -> None:
    request = Request(kind="series", key="united states/stock market daily", limit=50_000)
    table = connect("trading_economics").fetch(request)
    assert table.columns["date"].tolist() == bundle.bars("SPX").date.tolist()
    assert len(http.asked["trading_economics"]) == 2


def test_dates(connect: Connect) -> None:
    dates = {"start": dt.date(2020, 1, 1), "end": dt.date(2020, 3, 31)}
    table = connect("trading_economics").fetch(Request(kind="series", key="united states/stock market", **dates))
    assert [str(day) for day in table.columns["date"]] == ["2020-01-31", "2020-02-28", "2020-03-31"]
    assert table.columns["value"][2] == pytest.approx(bundle.bar("SPX", dt.date(2020, 3, 31)).close, abs=0.005)


def test_a_countrys_indicators(connect: Connect) -> None:
    table = connect("trading_economics").fetch(COUNTRY)
    assert list(table.columns["indicator"]) == ["Stock Market", "Stock Market Daily"]


@pytest.mark.parametrize("login", ["guest:guest", "GUEST:guest", ""])
def test_the_sample_login_is_no_configuration(
    connect: Connect, http: SimulatorServer, env: dict[str, str], login: str
) -> None:
    source = connect("trading_economics", env_={**env, "TRADING_ECONOMICS_API_KEY": login})
    assert source.probe().status is Status.NOT_CONFIGURED
    assert not http.asked["trading_economics"]


def test_refusals(connect: Connect, env: dict[str, str]) -> None:
    with pytest.raises(errors.AuthError):
        connect("trading_economics", env_={**env, "TRADING_ECONOMICS_API_KEY": "somebody:else"}).fetch(COUNTRY)
    with pytest.raises(errors.NotFound):
        connect("trading_economics").fetch(Request(kind="country", key="atlantis"))
    with pytest.raises(errors.BadRequest):
        connect("trading_economics").fetch(Request(kind="series", key="gdp"))


def test_too_many_requests(env: dict[str, str], connect: Connect) -> None:
    responder = TradingEconomics(env["TRADING_ECONOMICS_API_KEY"], Allowance(1, 1.0, clock=lambda: 0.0))
    with alone("trading_economics", responder) as server:
        source = connect("trading_economics", server.endpoint("trading_economics"))
        source.fetch(COUNTRY)
        with pytest.raises(errors.RateLimited):
            source.fetch(COUNTRY)


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ([], 200, errors.NoData),
        ({"message": "x"}, 200, errors.BadReply),
        ([{"Country": "X", "Category": "Y", "LatestValue": "1", "LatestValueDate": ""}], 200, errors.BadReply),
        ([{"Country": "X", "Category": "Y", "LatestValueDate": "yesterday"}], 200, errors.BadReply),
        ("no", 401, errors.AuthError),
        ("no", 403, errors.AuthError),
    ],
)
def test_other_bodies(
    http: SimulatorServer, connect: Connect, body: object, status: int, kind: type[errors.SourceError]
) -> None:
    http.fail("trading_economics", Fault(answer=as_json(body, status)))
    with pytest.raises(kind):
        connect("trading_economics").fetch(COUNTRY)
