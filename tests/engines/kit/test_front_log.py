"""What the front tells of requests."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from litestar.types import Receive, Scope, Send

from engines.kit import service
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
