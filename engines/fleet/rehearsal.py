"""A service that is built and thrown away before the fork: the first one in a process costs ten times the second.

Litestar resolves signatures, plugins and schema types on first use and keeps what it found; thirteen engines then
inherit it.  Nothing is bound, no thread or loop is started.
"""

from typing import Any

import msgspec
from litestar import Litestar, WebSocket, get, post, websocket
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import SwaggerRenderPlugin


class _Note(msgspec.Struct):
    """A body, as engines declare them."""

    name: str
    values: list[float] = []
    parts: dict[str, float] = {}


def warm() -> None:
    """Build a small application with every kind of route that engines have."""

    @get("/", sync_to_thread=False)
    def read(name: str = "", count: int = 0) -> dict[str, float]:
        return {name: count}

    @get("/{name:str}")
    async def find(name: str) -> _Note:
        return _Note(name)

    @post("/")
    async def write(data: _Note) -> _Note:
        return data

    @websocket("/stream")
    async def stream(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()

    schema = OpenAPIConfig(title="rehearsal", version="0", path="/schema", render_plugins=[SwaggerRenderPlugin()])
    Litestar([read, find, write, stream], openapi_config=schema, logging_config=None)  # logging would start a thread
