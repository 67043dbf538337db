"""Every mutating route of every engine, by its own OpenAPI document: without token and own Host nothing changes."""

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from litestar.testing import TestClient
from prometheus_client import CollectorRegistry

from engines.kit.runtime import Runtime
from engines.kit.service import Front, application
from engines.wire.manifest import discover, pick
from engines.wire.settings import Settings

pytestmark = [  # of the package that carries Swagger UI's assets
    pytest.mark.filterwarnings("ignore:Use of deprecated class 'StaticFilesConfig'"),
    pytest.mark.filterwarnings("ignore:.*'copy_scope' not set for ASGI handler"),
]
MANIFESTS = discover()
TOKEN = "the fleet's token"
HOST = "127.0.0.1:8000"
UNSAFE = ("post", "put", "patch", "delete")


class Face:
    """The common part of an engine that has just begun."""

    def health(self) -> bytes:
        return b"{}"

    def ready(self) -> tuple[bool, str]:
        return True, ""

    def registry(self) -> CollectorRegistry:
        return CollectorRegistry()

    def hops(self) -> dict[str, str]:
        return {}


def client_of(name: str, *, exposed: bool = False) -> TestClient[Any]:
    """The engine's own application behind the kit's front, as its process builds it."""
    engine = importlib.import_module(f"engines.{name}.service").engine
    settings = Settings(state=Path("/nowhere"), token=TOKEN)
    runtime = SimpleNamespace(state=engine.initial(), manifest=pick(MANIFESTS, name), settings=settings)
    app = application(name, "1", engine.routes(cast(Runtime[Any], runtime)), Face())
    return TestClient(cast(Any, Front(app, TOKEN, [HOST], exposed=exposed)), base_url=f"http://{HOST}")


def routes(client: TestClient[Any]) -> list[tuple[str, str]]:
    """Method and path of each route of an engine that may change something."""
    paths = client.get("/schema/openapi.json").json()["paths"]
    found = [(method.upper(), path) for path, item in paths.items() for method in item if method in UNSAFE]
    return [(method, path.replace("{", "").replace("}", "")) for method, path in found]


@pytest.mark.parametrize("name", [m.name for m in MANIFESTS if not m.foreign])
def test_without_token_and_host_nothing_changes(name: str) -> None:
    client = client_of(name)
    for method, path in [*routes(client), ("POST", "/no-such-route"), ("DELETE", "/health")]:
        for headers in (
            {},
            {"X-Nautilus-Token": ""},
            {"X-Nautilus-Token": TOKEN + "x"},
            {"X-Nautilus-Token": TOKEN, "Host": "evil.example"},
            {"X-Nautilus-Token": TOKEN, "Host": "evil.example:8000"},
        ):
            assert client.request(method, path, headers=headers).status_code == 403, (method, path, headers)
        allowed = client.request(method, path, headers={"X-Nautilus-Token": TOKEN}, content=b"not what it expects")
        assert allowed.status_code != 403, "the guard, not the route, refused"


def test_there_is_something_to_guard() -> None:
    assert sum(len(routes(client_of(m.name))) for m in MANIFESTS) >= 3


@pytest.mark.parametrize("name", ["risk", "websocket"])
def test_where_others_can_reach_it_reading_needs_the_token_too(name: str) -> None:
    client = client_of(name, exposed=True)
    paths = client.get("/schema/openapi.json", headers={"X-Nautilus-Token": TOKEN}).json()["paths"]
    closed = [path for path, item in paths.items() if "get" in item and path not in ("/health", "/ready")]
    assert len(closed) > 2
    for path in (*closed, "/schema", "/no-such-route"):
        assert client.get(path).status_code == 403, path
    assert client.get("/metrics", headers={"X-Nautilus-Token": TOKEN}).status_code == 200
    assert client.get("/health").status_code == client.get("/ready").status_code == 200


def test_where_others_can_reach_it_a_socket_needs_the_token_too() -> None:
    with (
        pytest.raises(Exception, match="Send the fleet token"),
        client_of("websocket", exposed=True).websocket_connect("/stream"),
    ):
        raise AssertionError("it was let in")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_is_bounded(chunked: bool) -> None:
    client = client_of("marketdata")
    (method, path), *_ = routes(client)
    big = b"[" + b"1," * (1 << 20) + b"1]"
    headers = {"X-Nautilus-Token": TOKEN, "Content-Type": "application/json"}
    body: Any = (big[n : n + 65_536] for n in range(0, len(big), 65_536)) if chunked else big
    assert client.request(method, path, headers=headers, content=body).status_code == 413
