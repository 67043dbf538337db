"""Collateral over HTTP: what the load profile asks for is right, and mistakes are explained."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from litestar.testing import TestClient, create_test_client

from engines.collateral.service import engine
from engines.kit.runtime import Runtime
from engines.kit.service import _explain
from engines.wire import manifest
from engines.wire.errors import NautilusError


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient[Any]]:
    runtime = cast(Runtime[Any], SimpleNamespace(state=engine.initial()))
    with create_test_client(list(engine.routes(runtime)), exception_handlers={NautilusError: _explain}) as made:
        yield made


def test_every_reply_of_the_load_profile_passes_its_check(client: TestClient[Any]) -> None:
    profile = manifest.pick(manifest.discover(), engine.name).load
    computing = [request for request in profile if request.path != "/health"]
    assert {request.mix for request in computing} == {"health", "compute"}
    for request in computing:
        value = client.get(request.path).json()
        assert request.check is not None
        for part in request.check.field.split("."):
            value = value[part]
        assert request.check.low <= value <= request.check.high


def test_mistakes_are_explained(client: TestClient[Any]) -> None:
    assert client.get("/haircut?symbol=AAPPL").status_code == 400
    assert client.get("/haircut?symbol=FB&window=500").status_code == 404
    assert client.get("/requirement?symbol=AAPL&quantity=1&price=0").status_code == 400


def test_the_margin_before_a_session_is_unknown(client: TestClient[Any]) -> None:
    assert set(client.get("/margin").json().values()) == {None}
