"""Portfolio over HTTP: what the load profile asks for is right, and mistakes are explained."""

from collections.abc import Iterator
from typing import Any

import pytest
from litestar.testing import TestClient

from engines.portfolio.service import engine
from tests.engines.http_rig import check_profile, client_of


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient[Any]]:
    with client_of(engine) as made:
        yield made


def test_every_reply_of_the_load_profile_passes_its_check(client: TestClient[Any]) -> None:
    check_profile(client, engine)


def test_mistakes_are_explained(client: TestClient[Any]) -> None:
    assert client.get("/efficient?symbols=AAPL").status_code == 400
    assert client.get("/efficient?symbols=AAPL,FB&window=1000").status_code == 404
    assert client.get("/efficient?window=3").status_code == 400


def test_the_account_before_a_session(client: TestClient[Any]) -> None:
    assert client.get("/positions").json()["rows"] == []
    assert client.get("/pnl").json()["gain"] == 0.0
