"""Looking at streams: exact counts, readable messages, nothing moved."""

import asyncio
import re

import msgspec
import numpy as np
import pytest

from engines.fleet import resp
from engines.wire.bus import Commit, MemoryBus, Output
from engines.wire.errors import UnknownName
from engines.wire.manifest import discover
from engines.wire.messages import Halt, Header, Trades, encode_body, encode_header
from engines.wire.redis_bus import RedisBus
from engines.wire.ticks import TRADE
from stress.busbench import streams

HEADER = encode_header(Header("risk", 1, 1, "levels/1-1", 0, "r1/window", 5, 6, 7))
MANIFESTS = [manifest for manifest in discover() if "signals" in manifest.consumes or "trades" in manifest.consumes]


def test_lag_is_counted_behind_the_cursor() -> None:
    async def main() -> tuple[streams.Stream, ...]:
        bus = MemoryBus()
        await bus.append([(Output("trades", b"", b""), f"1-{n}") for n in range(1, 1_301)])
        first = MANIFESTS[0].name
        epoch = (await bus.claim(first)).epoch
        await bus.commit(Commit(owner=first, epoch=epoch, cursors={"trades": "1-100"}))
        return await streams.look({"main": bus, "market": bus}, MANIFESTS)

    found = {stream.topic: stream for stream in asyncio.run(main())}
    trades = found["trades"]
    assert (trades.length, trades.added, trades.first, trades.last) == (1_300, 1_300, "1-1", "1-1300")
    lags = {lag.consumer: lag.behind for lag in trades.lags}
    readers = [manifest.name for manifest in MANIFESTS if "trades" in manifest.consumes]
    assert lags == {name: 1_200 if name == MANIFESTS[0].name else None for name in readers}
    assert (found["quotes"].length, found["quotes"].first, found["quotes"].last) == (0, None, None)


def test_a_topic_that_is_none() -> None:
    assert streams.check_topic("trades", ()) == "market"
    assert streams.check_topic("dead:risk", ["risk"]) == "main"
    with pytest.raises(UnknownName, match="trade"):
        streams.check_topic("trade", ())


def test_ticks_are_told_one_by_one() -> None:
    rows = np.zeros(2, TRADE)
    rows["symbol"], rows["price"], rows["size"] = [1, 7], [1_500_000, 2], [3, 4]
    body = encode_body(Trades(("SPX", "AAPL"), rows.tobytes()))
    message = streams.told("trades", "1-1", {"h": HEADER, "b": body})
    assert message.body is not None and message.type == "Trades"
    assert message.body["rows"] == [
        {"ts": 0, "symbol": "AAPL", "side": 0, "price": 1_500_000, "size": 3},
        {"ts": 0, "symbol": 7, "side": 0, "price": 2, "size": 4},
    ]
    msgspec.json.encode(message)


def test_a_dead_letter_tells_its_reason() -> None:
    fields = {"h": HEADER, "b": b"\xc1", "source": b"halts/1-1", "reason": b"cannot be decoded"}
    message = streams.told("dead:risk", "9-1", fields)
    assert (message.id, message.source, message.reason, message.body) == (
        "dead:risk/9-1", "halts/1-1", "cannot be decoded", None,
    )  # fmt: skip
    assert streams.told("halts", "9-1", {"x": b""}).reason is not None


def test_newest_and_following_on_a_real_server(valkey_url: str) -> None:
    def halt(number: int) -> bytes:
        return encode_body(Halt("pause", 0, "ESX" if number % 2 else "NQX", number, number + 1, "stop-logic"))

    async def publish(first: int, last: int) -> None:
        bus = RedisBus(valkey_url)
        await bus.append([(Output("halts", HEADER, halt(n)), f"1-{n}") for n in range(first, last)])
        await bus.close()

    asyncio.run(publish(1, 1_201))
    with resp.Connection(resp.parse(valkey_url), 5.0) as link:
        found, top = streams.newest(link, "halts", 3, None)
        assert [message.id for message in found] == ["halts/1-1198", "halts/1-1199", "halts/1-1200"]
        assert top == "1-1200"
        found, _ = streams.newest(link, "halts", 700, re.compile(r'"symbol":"ESX"'))
        assert len(found) == 600 and all(m.body is not None and m.body["symbol"] == "ESX" for m in found)
        assert streams.newest(link, "halts", 0, None) == ([], "1-1200")
        asyncio.run(publish(1_201, 1_204))
        following = streams.follow(link, "halts", top, re.compile("ESX"))
        assert [next(following).id for _ in range(2)] == ["halts/1-1201", "halts/1-1203"]
        link.ask("DEL", "halts")
