"""The HTTP face of an engine: Litestar behind a thin ASGI front.

The front answers `GET /health` from bytes that a task renews each second, counts requests, and guards mutating routes:
they need the fleet token and a Host that is this server's (loopback is no authentication: any web page can post to it).
Where others than this machine can reach it, all but `/health` and `/ready` need the token.  What failed or
took long is logged by the id that its caller gave it.  A request that changes something always has an id, which its
reply names and the messages that it causes bear.
"""

import hmac
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from litestar import Litestar, Response, get
from litestar.enums import ScopeType
from litestar.handlers import HTTPRouteHandler, WebsocketRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.status_codes import HTTP_200_OK, HTTP_503_SERVICE_UNAVAILABLE
from litestar.types import (
    ASGIApp,
    HTTPResponseBodyEvent,
    HTTPResponseStartEvent,
    HTTPScope,
    Message,
    Receive,
    Scope,
    Send,
    WebSocketCloseEvent,
    WebSocketScope,
)
from litestar_offline_docs import generate_static_files_config
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from engines.kit.origin import ORIGIN, Origin
from engines.wire.errors import DataError, NautilusError, UsageError
from engines.wire.trace import is_request_id

TOKEN_HEADER = b"x-nautilus-token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN = frozenset({"/health", "/ready"})
_MAX_BODY = 1 << 20
_REQUEST_ID = b"x-request-id"
_ERRORS = 500  # and above
_SLOW_S = 1.0
_LINES = 20  # logged a second at most

log = logging.getLogger("nautilus")


class Front:
    """The ASGI application of an engine.  `exposed`: others than this machine can reach it; `name`: whose ids those
    requests get that came without one.
    """

    def __init__(
        self, app: ASGIApp, token: str, hosts: Sequence[str], *, exposed: bool = False, name: str = "engine"
    ) -> None:
        self._app = app
        self._exposed = exposed
        self._made = f"{name}-{os.getpid()}"
        self._acts = 0  # ids made
        self._token = token.encode()
        self._hosts = frozenset(host.encode() for host in hosts)
        self.requests: Counter[int] = Counter()
        self._second, self._told = 0, 0  # and how many lines were logged in it
        self.alive: Callable[[], None] = lambda: None  # told of every request
        self._start, self._body = _events(200, b"")
        self.renew(b'{"status":"starting"}')

    def renew(self, health: bytes) -> None:
        """Serve another health report from now on."""
        self._start, self._body = _events(200, health)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        self.alive()
        if scope["type"] == ScopeType.HTTP:
            if scope["path"] == "/health" and scope["method"] == "GET":
                self.requests[200] += 1
                await send(self._start)
                await send(self._body)
                return
            if not self._open(scope) and not self._allowed(scope):
                self.requests[403] += 1
                for event in _REFUSAL:
                    await send(event)
                return

            if scope["method"] in _SAFE:
                await self._answer(scope, receive, send)
            else:
                await self._act(scope, receive, send)
            return
        if self._exposed and scope["type"] == ScopeType.WEBSOCKET and not self._allowed(scope):
            refusal: WebSocketCloseEvent = {"type": "websocket.close", "code": 1008, "reason": "Send the fleet token."}
            await send(refusal)
            return
        await self._app(scope, receive, send)

    async def _act(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Have the application answer what changes something: by its id, which the reply names."""
        arrived_ns = time.monotonic_ns()
        given = _id_of(scope)
        if not is_request_id(given):
            self._acts += 1
            given = f"{self._made}-{self._acts}"
        named = (_REQUEST_ID, given.encode())

        async def naming(event: Message) -> None:
            if event["type"] == "http.response.start":
                event["headers"] = [*event["headers"], named]
            await send(event)

        token = ORIGIN.set(Origin(given, arrived_ns))
        try:
            await self._answer(scope, receive, naming, given)
        finally:
            ORIGIN.reset(token)

    async def _answer(self, scope: HTTPScope, receive: Receive, send: Send, request: str = "") -> None:
        """Have the application answer; count it, and tell of what failed or took long."""
        began, status = time.monotonic(), 0

        async def counted(event: Message) -> None:
            nonlocal status
            if event["type"] == "http.response.start":
                status = event["status"]
                self.requests[status] += 1
            await send(event)

        await self._app(scope, receive, counted)
        took_s = time.monotonic() - began
        if status >= _ERRORS or took_s > _SLOW_S:
            self._tell(scope, request or _id_of(scope) or "-", status, took_s)

    def _tell(self, scope: HTTPScope, named: str, status: int, took_s: float) -> None:
        """Log one request, unless this second has lines enough."""
        second = int(time.monotonic())
        self._second, self._told = second, self._told + 1 if second == self._second else 1
        if self._told <= _LINES:
            path = scope["raw_path"].decode("latin-1")
            log.warning("request %s: %s %s ended with %d after %.3f s", named, scope["method"], path, status, took_s)

    def _open(self, scope: HTTPScope) -> bool:
        """Whether a request needs no token: one that changes nothing, on this machine or of no secret."""
        return scope["method"] in _SAFE and (not self._exposed or scope["path"] in _OPEN)

    def _allowed(self, scope: HTTPScope | WebSocketScope) -> bool:
        headers = dict(scope["headers"])
        given = headers.get(TOKEN_HEADER, b"")
        return bool(self._token) and hmac.compare_digest(given, self._token) and headers.get(b"host") in self._hosts


def _id_of(scope: HTTPScope) -> str:
    """The id that a request came with; empty: none."""
    return next((value for name, value in scope["headers"] if name == _REQUEST_ID), b"").decode("latin-1")


def _events(status: int, body: bytes) -> tuple[HTTPResponseStartEvent, HTTPResponseBodyEvent]:
    """The two ASGI events of a whole JSON reply."""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    start: HTTPResponseStartEvent = {"type": "http.response.start", "status": status, "headers": headers}
    return start, {"type": "http.response.body", "body": body, "more_body": False}


_REFUSAL = _events(
    403, b'{"status_code":403,"detail":"This route changes state: send the fleet token and this server\'s Host."}'
)


class Metrics:
    """Prometheus collector over plain counters; one registry an engine, made after the fork."""

    def __init__(self, engine: str, requests: Mapping[int, int], gauges: Callable[[], dict[str, float]]) -> None:
        self._engine = engine
        self._requests = requests
        self._gauges = gauges
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def collect(self) -> Sequence[CounterMetricFamily | GaugeMetricFamily]:
        """All families, read at scrape time."""
        requests = CounterMetricFamily("nautilus_requests", "HTTP replies by status.", labels=["engine", "status"])
        for status, count in self._requests.items():
            requests.add_metric([self._engine, str(status)], count)
        families: list[CounterMetricFamily | GaugeMetricFamily] = [requests]
        for name, value in sorted(self._gauges().items()):
            gauge = GaugeMetricFamily(f"nautilus_{name}", f"{name.replace('_', ' ')}.", labels=["engine"])
            gauge.add_metric([self._engine], value)
            families.append(gauge)
        return families


class Face(Protocol):
    """What the common routes show of an engine."""

    def health(self) -> bytes:
        """The last health report, JSON."""

    def ready(self) -> tuple[bool, str]:
        """Whether the engine takes part, and why not."""

    def registry(self) -> CollectorRegistry:
        """Its metrics."""

    def hops(self) -> dict[str, str]:
        """`trace topic` -> encoded histogram."""


def application(
    title: str, version: str, routes: Sequence[HTTPRouteHandler | WebsocketRouteHandler], face: Face
) -> Litestar:
    """The Litestar application behind the front."""

    @get("/health", sync_to_thread=False, media_type="application/json", summary="Health report, renewed each second")
    def health() -> bytes:
        return face.health()

    @get("/ready", sync_to_thread=False, summary="Whether the engine takes part")
    def readiness() -> Response[dict[str, Any]]:
        ok, why = face.ready()
        return Response({"ready": ok, "why": why}, status_code=HTTP_200_OK if ok else HTTP_503_SERVICE_UNAVAILABLE)

    @get("/metrics", sync_to_thread=False, media_type="text/plain; version=0.0.4", summary="Prometheus metrics")
    def metrics() -> bytes:
        return generate_latest(face.registry())

    @get("/hops", sync_to_thread=False, summary="Latency from the root tick, as encoded HdrHistograms")
    def hops() -> dict[str, str]:
        return face.hops()

    swagger = SwaggerRenderPlugin(
        js_url="/static/swagger-ui-bundle.js",
        css_url="/static/swagger-ui.css",
        standalone_preset_js_url="/static/swagger-ui-standalone-preset.js",
        path="/",
        favicon='<link rel="icon" href="data:,">',
    )
    return Litestar(
        route_handlers=[health, readiness, metrics, hops, *routes],
        static_files_config=[generate_static_files_config()],
        openapi_config=OpenAPIConfig(title=title, version=version, render_plugins=[swagger]),
        exception_handlers={NautilusError: _explain},
        request_max_body_size=_MAX_BODY,
        logging_config=None,
    )


def _explain(_: object, error: NautilusError) -> Response[dict[str, Any]]:
    """The caller's mistakes are 4xx with what, why and what next; anything else is ours."""
    status = 404 if isinstance(error, DataError) else 400 if isinstance(error, UsageError) else 500
    body = {"status_code": status, "detail": error.what, "why": error.why, "next": error.next_step}
    return Response(body, status_code=status)
