"""Collateral over HTTP: what the load profile asks for is right, and mistakes are explained."""

from collections.abc import Iterator
from typing import Any

import pytest
from litestar.testing import TestClient

from engines.collateral.service import engine
from tests.engines.http_rig import check_profile, client_of


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient[Any]]:
    with client_of(engine) as made:
        yield made


def test_every_reply_of_the_load_profile_passes_its_check(client: TestClient[Any]) -> None:
    check_profile(client, engine)


def test_mistakes_are_explained(client: TestClient[Any]) -> None:
    assert client.get("/haircut?symbol=AAPPL").status_code == 400
    assert client.get("/haircut?symbol=FB&window=500").status_code == 404
    assert client.get("/requirement?symbol=AAPL&quantity=1&price=0").status_code == 400


def test_the_margin_before_a_session_is_unknown(client: TestClient[Any]) -> None:
    assert set(client.get("/margin").json().values()) == {None}
