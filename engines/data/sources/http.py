"""GET over HTTP with everything bounded: time, size, hosts, rate, retries.  Secrets exist below this file only.

A key is added by the transport, underneath httpx's client: neither httpx's log lines (which hold the whole URL) nor its
errors and requests ever see it.
"""

import datetime as dt
import hashlib
import ssl
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, NoReturn, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

import msgspec

from engines.data.sources.endpoint import Endpoint
from engines.data.sources.errors import (
    AuthError,
    BadReply,
    BadRequest,
    CutShort,
    NoReply,
    NotFound,
    RateLimited,
    SourceError,
    Unavailable,
    Unreachable,
)
from engines.data.sources.limiter import Limiter
from engines.data.sources.logs import mask
from engines.data.sources.retry import Patience, Retry, retry_after
from engines.data.sources.secret import Redactor, Secret

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
MAX_BODY = 64 * 2**20  # bytes; the largest companyfacts documents are near 10 MB
MAX_REDIRECTS = 3


@dataclass(frozen=True)
class Credential:
    """How a key travels: in a header or in a query parameter."""

    secret: Secret
    header: str | None = None
    param: str | None = None


@dataclass(frozen=True)
class Reply:
    """A whole reply.  `body` and `url` hold no secret; `sha256` is of the body as it came."""

    source: str
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    url: str
    sha256: str
    retry_after: float | None = None

    @property
    def html(self) -> bool:
        """Whether this is a page for people."""
        return "html" in self.headers.get("content-type", "") or self.body[:200].lstrip().lower().startswith(
            (b"<!doctype html", b"<html")
        )

    def text(self, most: int = 300) -> str:
        """The beginning of the body on one line."""
        return " ".join(self.body[: most * 4].decode("utf-8", "replace").split())[:most]

    def json(self, shape: type[T]) -> T:
        """The body as a documented shape.

        Raises:
            BadReply: it is not JSON, or not of that shape.
        """
        try:
            return msgspec.json.decode(self.body, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadReply(
                self.source,
                f"{self.source} sent what it does not document.",
                f"{error} (HTTP {self.status}, {len(self.body)} bytes, beginning {self.text(80)!r}).",
            ) from None


Check = Callable[[Reply], None]


def check_status(reply: Reply) -> None:
    """The meaning of a status where the source gives none of its own.

    Raises:
        SourceError: the status is not 2xx.
    """
    if 200 <= reply.status < 300:
        return
    why = f"HTTP {reply.status}: {reply.text()}"
    if reply.status in (401, 403):
        raise AuthError(reply.source, f"{reply.source} refuses the key.", why, "Check the key in the environment.")
    if reply.status == 404:
        raise NotFound(reply.source, f"{reply.source} does not have what was asked.", why)
    if reply.status == 429:
        what = f"{reply.source} says that there were too many requests."
        raise RateLimited(reply.source, what, why, "Wait, then ask again.", retry_after=reply.retry_after)
    if reply.status >= 500:
        what = f"{reply.source} answers that it cannot at the moment."
        raise Unavailable(reply.source, what, why, "Ask again later.", retry_after=reply.retry_after)
    raise BadRequest(reply.source, f"{reply.source} refuses the request.", why)


@dataclass
class HttpClient:
    """One source's connections.  Each `get` waits for the rate limit, retries what is transient and ends in time."""

    endpoint: Endpoint
    limiter: Limiter
    patience: Patience
    redactor: Redactor
    credential: Credential | None = None
    retry: Retry | None = None  # None: of `patience`, with the real clock
    max_body: int = MAX_BODY
    clock: Callable[[], float] = time.monotonic
    _client: "httpx.Client | None" = field(default=None, init=False, repr=False)

    def get(self, path: str, params: Mapping[str, str], check: Check, service: str = "api") -> Reply:
        """A reply that passed ``check`` (the source's own errors, also those in a 200) and `check_status`.

        Raises:
            SourceError: see `errors`; its texts hold no secret.
        """
        url = self.endpoint.url(path, service)
        retry = self.retry or Retry(self.patience)

        def attempt(deadline: float) -> Reply:
            self.limiter.acquire(self.endpoint.source, deadline)
            reply = self._send(url, params, deadline)
            check(reply)
            check_status(reply)
            return reply

        try:
            return retry.call(attempt)
        except SourceError as error:
            refusal = self.redactor.error(error)
        raise refusal

    def open(self) -> "httpx.Client":
        """The client, made at the first call."""
        if self._client is None:
            self._client = self._made()
        return self._client

    def close(self) -> None:
        """End the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _send(self, url: str, params: Mapping[str, str], deadline: float) -> Reply:
        """One request, and those to which the same host redirects it."""
        import httpx

        client = self.open()
        try:
            for _ in range(MAX_REDIRECTS + 1):
                with client.stream("GET", url, params=params or None) as response:
                    if not response.has_redirect_location:
                        return self._read(response, deadline)
                    url, params = self._next(url, response.headers["location"]), {}
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._explain(error)
        raise BadReply(self.endpoint.source, f"{self.endpoint.source} redirects more than {MAX_REDIRECTS} times.")

    def _read(self, response: "httpx.Response", deadline: float) -> Reply:
        """The whole body, unless it is too large or comes too slowly."""
        source, parts, size = self.endpoint.source, [], 0
        for part in response.iter_bytes():
            parts.append(part)
            size += len(part)
            if size > self.max_body:
                raise BadReply(source, f"The reply of {source} is larger than {self.max_body:,} bytes.")
            if self.clock() > deadline:
                raise NoReply(source, f"The reply of {source} did not end within {self.patience.total_s:g} s.")
        raw = b"".join(parts)
        return Reply(
            source=source,
            status=response.status_code,
            headers={name.lower(): self.redactor.text(value) for name, value in response.headers.items()},
            body=self.redactor.body(raw),
            url=self.redactor.text(str(response.request.url)),
            sha256=hashlib.sha256(raw).hexdigest(),
            retry_after=retry_after(response.headers.get("retry-after"), dt.datetime.now(dt.UTC)),
        )

    def _next(self, url: str, location: str) -> str:
        """Where a redirect leads, if it stays on the host: a key goes nowhere else."""
        target = urljoin(url, location)
        old, new = urlsplit(url), urlsplit(target)
        if (old.scheme, old.netloc) != (new.scheme, new.netloc):
            what = f"{self.endpoint.source} redirects to another host, {new.scheme}://{new.hostname}."
            raise BadReply(self.endpoint.source, what, "The request was not sent there.")
        return target

    def _explain(self, error: "httpx.HTTPError | httpx.InvalidURL") -> NoReturn:
        """httpx's errors as ours."""
        import httpx

        source, host = self.endpoint.source, urlsplit(self.endpoint.urls["api"]).netloc
        why = f"{type(error).__name__}: {error}"
        if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError | httpx.ProxyError):
            kind = NoReply if isinstance(error, httpx.ConnectTimeout) else Unreachable
            raise kind(source, f"{source} cannot be reached at {host}.", why, "Check the network, then ask again.")
        if isinstance(error, httpx.TimeoutException):
            raise NoReply(source, f"{source} did not answer in time.", why, "Ask again later.")
        if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError):
            raise CutShort(source, f"The connection to {source} ended inside the reply.", why, "Ask again.")
        raise BadReply(source, f"The reply of {source} cannot be read.", why)

    def _made(self) -> "httpx.Client":
        import httpx

        mask(self.redactor)
        patience = self.patience
        return httpx.Client(
            transport=_keyed(self._transport(), self.credential),
            timeout=httpx.Timeout(patience.read_s, connect=patience.connect_s),
            headers={"Accept": "application/json", "Accept-Encoding": "gzip"},
            follow_redirects=False,
        )

    def _transport(self) -> "httpx.HTTPTransport":
        """Certificates are verified; the environment's proxy is used for the real source, never for a simulator."""
        import httpx

        base = urlsplit(self.endpoint.urls["api"])
        if self.endpoint.simulated or urllib.request.proxy_bypass(base.hostname or ""):
            return httpx.HTTPTransport(verify=_certificates())
        return httpx.HTTPTransport(verify=_certificates(), proxy=urllib.request.getproxies().get(base.scheme))


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust: read once a process, which takes longer than a request on loopback."""
    import httpx

    return httpx.create_ssl_context()


def _keyed(inner: "httpx.HTTPTransport", credential: Credential | None) -> "httpx.BaseTransport":
    """A transport that adds the key to what it sends, and to nothing that anyone else can see."""
    import httpx

    class Keyed(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            url, headers = request.url, request.headers.copy()
            if credential is not None and credential.param is not None:
                extra = urlencode({credential.param: credential.secret.reveal()})
                query = "&".join(part for part in (url.query.decode("ascii"), extra) if part)
                url = url.copy_with(query=query.encode("ascii"))
            if credential is not None and credential.header is not None:
                headers[credential.header] = credential.secret.reveal()
            sent = httpx.Request(
                request.method, url, headers=headers, stream=request.stream, extensions=request.extensions
            )
            return inner.handle_request(sent)

        def close(self) -> None:
            inner.close()

    return Keyed()
