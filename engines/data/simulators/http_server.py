"""A local HTTP server for the simulated protocols: loopback, a free port, faults on request.

Each source lives under `/<source>/<service>`, so one server has them all.  A source is a `Responder`: it answers as the
real one documents, its errors and limits included.  `fail` puts a fault in front of the next requests.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import ClassVar, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from engines.data.sources.endpoint import PUBLISHED, Endpoint

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Ask:
    """A request: the path without source and service, decoded; names of headers in lower case."""

    service: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """A reply."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Responder(Protocol):
    """One source's protocol."""

    def respond(self, ask: Ask) -> Answer:
        """What the real source would answer."""
        ...


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request.  Without anything set, nothing does."""

    answer: Answer | None = None  # instead of the source's own
    delay_s: float = 0.0
    cut: bool = False  # the connection ends in the middle of the body
    garble: bool = False  # a whole reply whose second half is missing: no JSON


class Allowance:
    """Requests that a source lets through: `count` in any `per_s` seconds."""

    def __init__(self, count: int, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.count, self.per_s = count, per_s
        self._clock = clock
        self._taken: deque[float] = deque()

    def take(self) -> float | None:
        """None: let through.  Else the seconds until there is room again."""
        now = self._clock()
        while self._taken and self._taken[0] + self.per_s <= now:
            self._taken.popleft()
        if len(self._taken) >= self.count:
            return self._taken[0] + self.per_s - now
        self._taken.append(now)
        return None


def as_json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """A JSON reply."""
    return Answer(json.dumps(value).encode(), status, headers=headers or {})


def as_page(title: str, text: str, status: int, headers: Mapping[str, str] | None = None) -> Answer:
    """A page for people, as some sources answer their errors."""
    body = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><p>{text}</p></body></html>"
    return Answer(body.encode(), status, "text/html; charset=utf-8", headers or {})


class SimulatorServer:
    """Serves responders until it is closed.  `with SimulatorServer({"fred": Fred(key)}) as server: …`"""

    def __init__(self, responders: Mapping[str, Responder]) -> None:
        self._responders = dict(responders)
        self._faults: dict[str, deque[Fault]] = {name: deque() for name in responders}
        self._lock = threading.Lock()  # a responder counts; it sees one request at a time
        self._closing = threading.Event()
        self.asked: dict[str, list[Ask]] = {name: [] for name in responders}
        self._server = ThreadingHTTPServer((HOST, 0), _handler(self), bind_and_activate=False)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._serve, name="http-simulator", daemon=True)

    def __enter__(self) -> "SimulatorServer":
        self._server.server_bind()
        self._server.server_activate()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def endpoint(self, source: str) -> Endpoint:
        """Where a source's simulator is."""
        urls = {service: f"http://{HOST}:{self.port}/{source}/{service}" for service in PUBLISHED[source]}
        return Endpoint(source=source, urls=urls, simulated=True)

    def fail(self, source: str, *faults: Fault) -> None:
        """The next requests to a source meet these faults, one each."""
        self._faults[source].extend(faults)

    def answer(self, target: str, headers: Mapping[str, str]) -> tuple[Answer, Fault]:
        """The reply to a request's target, and the fault that it meets."""
        parts = urlsplit(target)
        _, source, service, path = (*parts.path.split("/", 3), "", "", "")[:4]
        if source not in self._responders:
            return Answer(b"{}", 404), Fault()
        ask = Ask(service, "/" + unquote(path), dict(parse_qsl(parts.query, keep_blank_values=True)), headers)
        with self._lock:
            self.asked[source].append(ask)
            fault = self._faults[source].popleft() if self._faults[source] else Fault()
            answer = fault.answer or self._responders[source].respond(ask)
        if fault.garble:
            answer = replace(answer, body=answer.body[: len(answer.body) // 2])
        if fault.delay_s:
            self._closing.wait(fault.delay_s)
        return answer, fault

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.01)


def _handler(server: SimulatorServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout: ClassVar[float] = 30.0  # an idle connection's

        def do_GET(self) -> None:
            answer, fault = server.answer(self.path, {name.lower(): value for name, value in self.headers.items()})
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            try:
                self.end_headers()
                self.wfile.write(answer.body[: len(answer.body) // 2] if fault.cut else answer.body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the client did not wait: it may
            if fault.cut:
                self.close_connection = True

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Nothing: a request's line may hold a key."""

    return Handler
