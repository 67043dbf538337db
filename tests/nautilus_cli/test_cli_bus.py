"""`nautilus bus`: tables and documents, exit codes, on a real server."""

import asyncio
import json
from collections.abc import Callable, Iterator

import msgspec
import pytest
from typer.testing import Result

from engines.fleet import resp
from engines.fleet.buses import Bus
from engines.wire.bus import Commit, Output
from engines.wire.messages import TOPICS, Halt, Header, encode_body, encode_header
from engines.wire.redis_bus import RedisBus
from stress.busbench import bench, peer, streams
from stress.busbench.sequences import Account

Type = Callable[..., Result]


@pytest.fixture
def fleet(valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Both buses of a fleet on one server: five halts, of which risk has taken none and websocket three."""

    async def publish() -> None:
        bus = RedisBus(valkey_url)
        header = encode_header(Header("risk", 1, 1, "", 0, "r1/window", 5, 6, 7))
        body = encode_body(Halt("market-wide", 1, "*", 5, 9, "rule-80b"))
        await bus.append([(Output("halts", header, body), f"1-{n}") for n in range(1, 6)])
        epoch = (await bus.claim("websocket")).epoch
        await bus.commit(Commit(owner="websocket", epoch=epoch, cursors={"halts": "1-3"}))
        await bus.close()

    asyncio.run(publish())
    buses = {name: Bus(name, valkey_url) for name in ("main", "market")}
    monkeypatch.setattr(streams, "links", lambda fleet, env: buses)
    yield
    with resp.Connection(resp.parse(valkey_url), 5.0) as link:
        link.ask("FLUSHALL")


def test_stats(nautilus: Type, fleet: None) -> None:
    done = nautilus("bus", "stats", "--json")
    assert done.exit_code == 0
    document = json.loads(done.stdout)
    assert document["schema"] == "nautilus.bus-stats/1"
    found = {stream["topic"]: stream for stream in document["streams"]}
    assert found.keys() == TOPICS.keys()
    assert (found["halts"]["length"], found["halts"]["last"]) == (5, "1-5")
    lags = {lag["consumer"]: lag["behind"] for lag in found["halts"]["lags"]}
    assert lags["websocket"] == 2 and lags["strategy"] is None
    words = nautilus("bus", "stats").stdout.splitlines()
    assert len(words) == 1 + len(TOPICS)
    assert "websocket 2" in next(line for line in words if line.startswith("halts"))


def test_tail(nautilus: Type, fleet: None) -> None:
    done = nautilus("bus", "tail", "halts", "-n", "2")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["id"] for line in lines] == ["halts/1-4", "halts/1-5"]
    assert lines[0]["body"]["level"] == 1 and lines[0]["header"]["producer"] == "risk"
    assert nautilus("bus", "tail", "halts", "--grep", "level.:2").stdout == ""
    assert nautilus("bus", "tail", "halt").exit_code == 2
    assert nautilus("bus", "tail", "halts", "--grep", "(").exit_code == 2


def test_without_a_fleet(nautilus: Type) -> None:
    assert nautilus("bus", "stats").exit_code == 3
    assert nautilus("bus", "tail", "halts").exit_code == 3


@pytest.mark.parametrize(("lost", "code"), [(0, 0), (3, 1)])
def test_bench_ends_by_what_was_lost(nautilus: Type, monkeypatch: pytest.MonkeyPatch, lost: int, code: int) -> None:
    account = Account(published=10, delivered=10 - lost, lost=lost, duplicates=0, reordered=0)
    latency = bench.Latency(count=10, p50=1.0, p99=2.0, p999=3.0, most=4.0)
    mode = bench.Mode(
        name="single", title="single messages", seconds=1.0, messages=account, ticks=None, per_s=10.0, undecodable=0,
        changed=0, stalls=0, lag_p99_ms=None, sent=latency, intended=None, cpu_s=0.1, channels=(),
        target=bench.Target(text=">= 45,000 messages/s", met=False),
    )  # fmt: skip
    made = bench.BusBench(
        cpu_model="c", cores=2, load_average=0.5, bus_version="v", modes=(mode,), peer=peer.Peer(why="not installed")
    )
    asked: list[float] = []
    monkeypatch.setattr(bench, "run", lambda seconds, say: (asked.append(seconds), made)[1])
    done = nautilus("bus", "bench", "--seconds", "0.5", "--json")
    assert (done.exit_code, asked) == (code, [0.5])
    assert msgspec.json.decode(done.stdout, type=bench.BusBench) == made
    words = nautilus("bus", "bench").stdout
    assert "missed" in words and "NOT AVAILABLE (not installed)" in words
