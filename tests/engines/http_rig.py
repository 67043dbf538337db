"""An engine's routes in a test client, and the check of its load profile."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

from litestar.testing import TestClient, create_test_client

from engines.kit.engine import Engine
from engines.kit.runtime import Runtime
from engines.kit.service import _explain
from engines.wire import manifest
from engines.wire.errors import NautilusError


@contextmanager
def client_of(engine: Engine[Any]) -> Iterator[TestClient[Any]]:
    """A client of an engine before any message."""
    runtime = cast(Runtime[Any], SimpleNamespace(state=engine.initial()))
    with create_test_client(list(engine.routes(runtime)), exception_handlers={NautilusError: _explain}) as client:
        yield client


KINDS = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}


def kind_at(value: Any, path: str) -> str:
    """The kind of what is at a dotted path."""
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return KINDS[type(value)]


def check_profile(client: TestClient[Any], engine: Engine[Any]) -> None:
    """Every reply that the load generator asks for is the one it expects."""
    profile = manifest.pick(manifest.discover(), engine.name).load
    computing = [request for request in profile if request.path != "/health"]
    assert {request.mix for request in computing} == {"health", "compute"}
    for request in computing:
        value = client.get(request.path).json()
        assert request.check is not None
        assert request.fields
        for path, kind in request.fields.items():
            assert kind_at(value, path) == kind, (request.path, path)
        for part in request.check.field.split("."):
            value = value[part]
        assert request.check.low <= value <= request.check.high
