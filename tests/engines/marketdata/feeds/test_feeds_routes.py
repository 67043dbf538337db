"""Feeds over HTTP, their place beside the replay, and what a restart does with their session."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from engines.kit.origin import Origin
from engines.kit.runtime import Runtime
from engines.kit.service import _explain
from engines.marketdata.feeds.desk import FeedDesk
from engines.marketdata.feeds.request import FeedsRequest
from engines.marketdata.player import Player
from engines.marketdata.service import build
from engines.marketdata.venue import Venue
from engines.wire.bus import MemoryBus, Output
from engines.wire.errors import NautilusError
from engines.wire.manifest import discover, pick
from engines.wire.messages import Header, Session, decode, encode_body, encode_header
from engines.wire.settings import Settings


class Holder:
    state = Venue()
    epoch = 1


def runtime_of(market: MemoryBus) -> Runtime[Venue]:
    return Runtime(
        pick(discover(), "marketdata"), Settings(state=Path("/nowhere")), MemoryBus(), market, Holder(),
        ThreadPoolExecutor(1), asyncio.Event(), asyncio.Event(),
    )  # fmt: skip


@pytest.fixture
def client() -> Any:
    engine = build(Player(), FeedDesk())
    app = Litestar(list(engine.routes(runtime_of(MemoryBus()))), exception_handlers={NautilusError: _explain})
    with TestClient(app) as found:
        yield found


FEED = {"symbol": "AAPL", "source": "file", "path": "/x.parquet"}


def test_one_clock_at_a_time(client: TestClient[Litestar]) -> None:
    assert client.get("/feeds").json()["state"] == "idle"
    assert client.post("/feeds/AAPL/stop").status_code == 400
    assert client.post("/feeds", json={"feeds": [FEED]}).json()["state"] == "starting"
    assert client.post("/feeds", json={"feeds": [FEED]}).status_code == 400
    refused = client.post("/replay", json={"quick": True})
    assert (refused.status_code, refused.json()["detail"]) == (400, "Feeds are running.")


def test_who_asked_for_feeds_is_told_with_them() -> None:
    desk = FeedDesk()
    request = msgspec.convert({"feeds": [FEED]}, FeedsRequest)
    assert desk.start(request, Origin("op-1", 70)).request == "op-1"
    assert FeedDesk().start(request).request == ""


def test_feeds_are_stamped_by_the_clock_of_their_process() -> None:
    desk, runtime = FeedDesk(), runtime_of(MemoryBus())
    build(Player(), desk).sources(runtime)
    runtime.wall.step(-3_600.0)
    assert desk._edge.wall_ns() < time.time_ns() - 3_590 * 10**9


def test_a_replay_keeps_feeds_out(client: TestClient[Litestar]) -> None:
    assert client.post("/replay", json={"quick": True}).status_code == 202
    refused = client.post("/feeds", json={"feeds": [FEED]})
    assert (refused.status_code, refused.json()["detail"]) == (400, "A replay is under way.")


@pytest.mark.parametrize(
    "body",
    [
        {"feeds": []},
        {"feeds": [FEED, FEED]},
        {"feeds": [FEED | {"path": ""}]},
        {"feeds": [FEED | {"source": "ftp"}]},
        {"feeds": [FEED], "speed": 0},
        {"feeds": [FEED], "sped": 1},
        {"feeds": [FEED | {"symbol": f"S{n}"} for n in range(17)]},
    ],
)
def test_requests_that_cannot_be_are_refused(client: TestClient[Litestar], body: dict[str, Any]) -> None:
    assert client.post("/feeds", json=body).status_code == 400


def test_a_session_of_feeds_that_a_crash_left_open_is_closed() -> None:
    async def work() -> None:
        market = MemoryBus()
        body = Session("open", "feeds", "2010-05-06", ("SPX", "AAPL"), (), 0, "", 1.0)
        header = Header("marketdata", 1, 1, "", 1, "r4/feeds", 5, 0, 7)
        await market.append([(Output("sessions", encode_header(header), encode_body(body)), "4-9")])
        player, runtime = Player(), runtime_of(market)
        task = asyncio.create_task(player.run(runtime))
        while player.publisher is None:  # noqa: ASYNC110 # the player sets it once, soon
            await asyncio.sleep(0.001)
        runtime.stop.set()
        await task
        last = await market.last("sessions")
        assert last is not None
        assert last.id == "4-10"
        closed = decode(*last).body
        assert isinstance(closed, Session)
        assert (closed.event, player.status.state) == ("close", "idle")

    asyncio.run(work())
