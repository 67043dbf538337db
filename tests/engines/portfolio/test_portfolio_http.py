"""Portfolio over HTTP: what the load profile asks for is right, and mistakes are explained."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from litestar.testing import TestClient, create_test_client

from engines.kit.runtime import Runtime
from engines.kit.service import _explain
from engines.portfolio.service import engine
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
    assert client.get("/efficient?symbols=AAPL").status_code == 400
    assert client.get("/efficient?symbols=AAPL,FB&window=1000").status_code == 404
    assert client.get("/efficient?window=3").status_code == 400


def test_the_account_before_a_session(client: TestClient[Any]) -> None:
    assert client.get("/positions").json()["rows"] == []
    assert client.get("/pnl").json()["gain"] == 0.0
