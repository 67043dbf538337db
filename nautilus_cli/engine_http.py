"""Asks one engine of a running fleet over HTTP; what changes something carries the fleet's token."""

import http.client
from typing import TypeVar

import msgspec

from engines.fleet import api
from engines.wire.errors import NautilusError, NotRunning, UsageError

T = TypeVar("T")
_TIMEOUT_S = 10.0


class _Told(msgspec.Struct):
    """An engine's error."""

    detail: str = ""
    why: str = ""
    next: str = ""


class EngineLink:
    """One engine, where the fleet says that it listens.

    Raises:
        NotRunning: there is no fleet, or that engine was not asked for.
    """

    def __init__(self, fleet: str, engine: str) -> None:
        now = api.status(fleet)
        found = next((item for item in now.wanted if item.name == engine), None)
        if found is None:
            raise NotRunning(
                f"Engine {engine} is not running in fleet {fleet!r}.", "", f"Start it: nautilus up {engine}"
            )
        self._engine, self._host, self._port = engine, now.host, found.port
        self._token = api.token(fleet)

    def get(self, path: str, kind: type[T]) -> T:
        """The reply to a GET.  Raises NotRunning, UsageError, NautilusError."""
        return self._ask("GET", path, None, kind)

    def post(self, path: str, body: object, kind: type[T]) -> T:
        """The reply to a POST.  Raises NotRunning, UsageError, NautilusError."""
        return self._ask("POST", path, msgspec.json.encode(body), kind)

    def _ask(self, method: str, path: str, body: bytes | None, kind: type[T]) -> T:
        headers = {"Content-Type": "application/json"} | ({"X-Nautilus-Token": self._token} if body is not None else {})
        link = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_S)
        try:
            link.request(method, path, body, headers)
            reply = link.getresponse()
            data = reply.read()
        except OSError as error:
            raise NotRunning(f"{self._engine} does not answer.", str(error), f"nautilus why {self._engine}") from None
        finally:
            link.close()
        if reply.status >= http.client.BAD_REQUEST:
            raise self._refusal(reply.status, data)
        return msgspec.json.decode(data, type=kind)

    def _refusal(self, status: int, data: bytes) -> NautilusError:
        try:
            told = msgspec.json.decode(data, type=_Told)
        except msgspec.DecodeError:
            told = _Told(data.decode("utf-8", "replace")[:500])
        if status == http.client.BAD_REQUEST:
            return UsageError(told.detail or f"{self._engine} refuses the request.", told.why, told.next)
        return NautilusError(f"{self._engine} answers {status}.", told.detail, f"nautilus logs {self._engine}")
