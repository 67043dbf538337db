"""The stream over a real uvicorn server, with the `websockets` client."""

import asyncio
import contextlib
import json
import socket as sockets
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

import numpy as np
import pytest
import uvicorn
import websockets
from litestar import Litestar, WebSocket, websocket
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from engines.websocket.config import Config
from engines.websocket.hub import Hub
from engines.websocket.service import serve_client
from engines.wire.messages import Envelope, Fill, Header, Signal, Trades
from engines.wire.settings import Settings
from engines.wire.ticks import TRADE


def envelope(n: int, body=None) -> Envelope:
    body = body or Signal("s", "AAPL", n, "x")
    return Envelope(body.TOPIC, f"{n}-0", Header("strategy", 1, n, "", 0, "r1/window", 10**18 + n, 0, 0), body)


@contextlib.asynccontextmanager
async def serving(hub: Hub) -> AsyncIterator[str]:
    """A server of `hub` on a free port; yields its host and port."""
    with sockets.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = Settings(state=Path("/nowhere"))

    @websocket("/stream")
    async def stream(socket: WebSocket) -> None:
        await serve_client(hub, socket, settings, port)

    app = Litestar([stream], openapi_config=None, logging_config=None)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="off"))
    task = asyncio.create_task(server.serve())
    for _ in range(2000):
        if server.started:
            break
        await asyncio.sleep(0.005)
    yield f"127.0.0.1:{port}"
    server.should_exit = True
    await task


def scenario(test: Callable[[Hub, str], Coroutine[None, None, None]], config: Config | None = None) -> None:
    async def run() -> None:
        hub = Hub(config or Config(), lambda: 5_000_000_000)
        async with asyncio.timeout(20), serving(hub) as at:
            await test(hub, at)

    asyncio.run(run())


async def receive(client: ClientConnection) -> dict:
    return json.loads(await client.recv())


async def joined(at: str, topics: str) -> ClientConnection:
    client = await connect(f"ws://{at}/stream?topics={topics}", compression=None)
    assert await receive(client) == {"type": "subscribed", "topics": sorted(t for t in topics.split(",") if t)}
    return client


def test_each_client_gets_its_topics_in_order_and_ticks_as_lists() -> None:
    async def run(hub: Hub, at: str) -> None:
        signals, both = await joined(at, "signals"), await joined(at, "trades,signals")
        rows = np.zeros(2, TRADE)
        rows["ts"], rows["symbol"], rows["price"], rows["size"], rows["side"] = [1, 2], 1, [1000, 2000], 7, [1, -1]
        hub.offer(envelope(1, Trades(("SPX", "AAPL"), rows.tobytes())))
        for n in range(1, 51):
            hub.offer(envelope(n))
        trade = await receive(both)
        assert trade["body"] == {
            "symbols": ["SPX", "AAPL"],
            "columns": ["ts", "symbol", "side", "price", "size"],
            "rows": [[1, 1, 1, 1000, 7], [2, 1, -1, 2000, 7]],
        }
        for client in (signals, both):
            got = [await receive(client) for _ in range(50)]
            assert [m["id"] for m in got] == [f"signals/{n}-0" for n in range(1, 51)]
            assert got[9]["body"] == {"type": "Signal", "strategy": "s", "symbol": "AAPL", "target": 10, "reason": "x"}
            assert {m["type"] for m in got} == {"message"}
            assert (got[0]["trace"], got[0]["ts_event"], got[0]["seq"]) == ("r1/window", 10**18 + 1, 1)
            await client.close()

    scenario(run)


def test_subscribe_unsubscribe_ping_and_errors() -> None:
    async def run(hub: Hub, at: str) -> None:
        client = await joined(at, "")
        hub.offer(envelope(1))
        for command, reply in [
            ({"op": "ping"}, {"type": "pong"}),
            (
                {"op": "subscribe", "topics": ["signals", "fills"]},
                {"type": "subscribed", "topics": ["fills", "signals"]},
            ),
            ({"op": "unsubscribe", "topics": ["fills"]}, {"type": "subscribed", "topics": ["signals"]}),
        ]:
            await client.send(json.dumps(command))
            assert await receive(client) == reply
        await client.send('{"op":"subscribe","topics":["sygnals"]}')
        assert "Did you mean 'signals'" in (await receive(client))["detail"]
        await client.send("not JSON")
        assert (await receive(client))["type"] == "error"
        hub.offer(envelope(2, Fill("f", "o", "s", "AAPL", 1, 1, 1, 0, 1)))
        hub.offer(envelope(3))
        assert (await receive(client))["id"] == "signals/3-0"
        await client.send("x" * 5000)
        with pytest.raises(ConnectionClosed) as closed:
            await receive(client)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008

    scenario(run)


def test_a_slow_client_misses_the_oldest_is_told_so_and_holds_up_nobody() -> None:
    async def run(hub: Hub, at: str) -> None:
        slow = await connect(f"ws://{at}/stream?topics=signals", compression=None, max_queue=1)
        quick = await joined(at, "signals")
        text = "y" * 20_000
        total = 2_000  # 40 MB: more than sockets and queues can hold
        for n in range(1, total + 1):
            hub.offer(envelope(n, Signal("s", "AAPL", n, text)))
            assert (await receive(quick))["body"]["target"] == n
        (stuck,) = (info for info in hub.infos() if info.waiting)
        assert stuck.dropped > 0
        assert stuck.waiting == hub.config.queue
        first = await receive(slow)
        assert first["type"] == "subscribed"
        got: list[int] = []
        missed = 0
        while not got or got[-1] < total:
            frame = await receive(slow)
            if frame["type"] == "dropped":
                missed += frame["count"]
            else:
                got.append(frame["body"]["target"])
        assert len(got) + missed == total
        assert missed == stuck.dropped
        assert got == sorted(got)
        await slow.close()
        await quick.close()

    scenario(run)


def test_too_many_clients_and_unknown_topics_are_closed_with_a_reason() -> None:
    async def run(hub: Hub, at: str) -> None:
        first = await joined(at, "fills")
        second = await connect(f"ws://{at}/stream?topics=fills")
        with pytest.raises(ConnectionClosed) as closed:
            await second.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, hub.refused) == (1013, 1)
        third = await connect(f"ws://{at}/stream?topics=nonsense")
        with pytest.raises(ConnectionClosed) as closed:
            await third.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        await first.close()
        for _ in range(200):
            if not hub.clients:
                break
            await asyncio.sleep(0.01)
        assert not hub.clients
        await (await joined(at, "fills")).close()

    scenario(run, Config(clients=1))


def test_a_page_of_another_origin_is_refused() -> None:
    async def run(hub: Hub, at: str) -> None:
        host, _, port = at.partition(":")
        with pytest.raises(InvalidStatus):
            await connect(f"ws://{at}/stream", origin=websockets.Origin("http://evil.example"))
        with pytest.raises(InvalidStatus):
            await connect(f"ws://evil.example:{port}/stream", host=host, port=int(port))  # a rebound name
        own = await connect(f"ws://{at}/stream", origin=websockets.Origin(f"http://{at}"))
        assert (await receive(own))["type"] == "subscribed"
        await own.close()

    scenario(run)
