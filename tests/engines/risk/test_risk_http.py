"""Risk over HTTP: what the load profile asks for is right, and mistakes are explained."""

from collections.abc import Iterator
from typing import Any

import pytest
from desk_rig import Desk, order
from litestar.testing import TestClient

from engines.kit import codec
from engines.risk import views
from engines.risk.service import engine
from engines.wire.messages import Fill
from tests.engines.http_rig import check_profile, client_of


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient[Any]]:
    with client_of(engine) as made:
        yield made


def test_every_reply_of_the_load_profile_passes_its_check(client: TestClient[Any]) -> None:
    check_profile(client, engine)


def test_mistakes_are_explained(client: TestClient[Any]) -> None:
    wrong = client.get("/var?symbol=AAPPL")
    assert (wrong.status_code, wrong.json()["next"]) == (400, "Did you mean 'AAPL'?")
    assert client.get("/var?symbol=AAPL&confidence=2").status_code == 400
    assert client.get("/var?symbol=FB&window=1000").status_code == 404
    assert client.get("/breaker?asof=1987-10-19").status_code == 404
    assert client.get("/breaker?asof=1997-10-27&level=900&prior_close=941").status_code == 400


def test_6_may_2010_is_judged_by_proxy_from_the_bundle(client: TestClient[Any]) -> None:
    found = client.get("/breaker?asof=2010-05-06&level=1065.79&at=14:45:28").json()
    assert (found["level"], found["halt"], found["proxy"], found["prior_close"]) == (0, None, True, 1165.87)
    book = client.get("/rulebook?asof=2010-05-06").json()
    assert book["futures_pauses"][0]["start"] == "14:45:28"


def test_the_live_views_before_a_session(client: TestClient[Any]) -> None:
    assert client.get("/check?symbol=AAPL&side=1&quantity=5").json()["code"] == "NO_SESSION"
    assert client.get("/limits").json()["pnl"] is None
    assert client.get("/stress").json()["loss"] == 0.0
    assert client.get("/halts").json() == []


def test_stress_and_limits_of_a_live_book() -> None:
    desk = Desk().begin()
    desk.send(order(1, "ESX", 1, 100))
    desk.send(Fill("f1", "o1", "test", "ESX", 1, 100, 11_000_000, 0, 50))
    found = views.stress(desk.state, 0.19)
    assert (found.loss, found.kills) == (1_045_000.0, True)  # 100 contracts at 1,100, 50 a point
    assert not views.stress(desk.state, 0.1).kills
    (holding,) = views.limits(desk.state).holdings
    assert (holding.quantity, holding.worst, holding.notional) == (100, 100, 5_500_000.0)
    asked = order(9, "AAPL", 1, 10)
    before = codec.encode(desk.state)
    assert views.what_if(desk.state, asked).accepted
    assert codec.encode(desk.state) == before
