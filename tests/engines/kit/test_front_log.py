"""What the front tells of requests, and by which id those act."""

import asyncio
import os
from types import SimpleNamespace
from typing import Any, cast

import pytest
from litestar.types import Receive, Scope, Send

from engines.kit import service
from engines.kit.origin import Origin, current
from engines.kit.service import Front

TOKEN = "t" * 32


def test_requests_that_failed_are_told_by_their_id_some_a_second(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": []})

    async def nothing(*_: object) -> None: ...

    async def ask_many(front: Front, first: int) -> None:
        for number in range(first, first + 30):
            scope: Any = {
                "type": "http", "method": "GET", "path": "/var", "raw_path": b"/var",
                "headers": [(b"x-request-id", b"r7-%d" % number)],
            }  # fmt: skip
            await front(scope, cast(Receive, nothing), nothing)

    front = Front(broken, TOKEN, ["h"])
    for second in (5, 6):
        monkeypatch.setattr(service, "time", SimpleNamespace(monotonic=lambda at=second: float(at)))
        asyncio.run(ask_many(front, 30 * second))
    told = [text for text in caplog.messages if text.startswith("request ")]
    ids = [30 * second + number for second in (5, 6) for number in range(20)]
    assert told == [f"request r7-{number}: GET /var ended with 500 after 0.000 s" for number in ids]


def scope_of(method: str, request: bytes | None) -> Any:
    named = [] if request is None else [(b"x-request-id", request)]
    headers = [(b"x-nautilus-token", TOKEN.encode()), (b"host", b"h"), *named]
    return {"type": "http", "method": method, "path": "/kill", "raw_path": b"/kill", "headers": headers}


@pytest.mark.parametrize(
    ("method", "given", "known"),
    [
        ("POST", b"r7-op-1", "r7-op-1"),
        ("POST", b"x" * 64, "x" * 64),
        ("POST", b"x" * 65, None),
        ("POST", b"a b", None),
        ("POST", b"\xff", None),
        ("POST", b"", None),
        ("DELETE", None, None),
        ("GET", b"r7-op-1", ""),
    ],
)
def test_what_acts_has_an_id_that_the_reply_names_and_reading_has_none(
    method: str, given: bytes | None, known: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Origin | None] = []
    replies: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(current())
        await send({"type": "http.response.start", "status": 500, "headers": [(b"content-type", b"x")]})

    async def reply(event: object) -> None:
        replies.append(event)

    async def nothing(*_: object) -> None: ...

    async def ask() -> Origin | None:
        front = Front(app, TOKEN, ["h"], name="risk")
        await front(scope_of(method, given), cast(Receive, nothing), reply)
        return current()

    assert asyncio.run(ask()) is None, "the next request of the same task is another's"
    (head,), (origin,) = replies, seen
    if known == "":
        assert origin is None and head["headers"] == [(b"content-type", b"x")]
        return
    assert origin is not None and origin.arrived_ns > 0
    assert origin.request == (known or f"risk-{os.getpid()}-1")
    assert head["headers"] == [(b"content-type", b"x"), (b"x-request-id", origin.request.encode())]
    assert caplog.messages[-1].startswith(f"request {origin.request}: {method} /kill ended with 500")
