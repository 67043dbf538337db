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
from engines.wire.causes import Effect, Link
from engines.wire.messages import TOPICS, Accepted, Halt, Header, Order, encode_body, encode_header
from engines.wire.redis_bus import RedisBus
from nautilus_cli.commands import bus_trace
from stress.busbench import bench, peer, streams
from stress.busbench.sequences import Account
from stress.busbench.traces import Found

Type = Callable[..., Result]
ORDER = Order("m-1", "momentum", "AAPL", -1, 100)


@pytest.fixture
def fleet(valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Both buses of a fleet on one server: five halts, of which risk has taken none and websocket three; an order that
    a request made, and its acceptance.
    """

    async def publish() -> None:
        bus = RedisBus(valkey_url)
        header = encode_header(Header("risk", 1, 1, "", 0, "r1/window", 5, 6, 7))
        body = encode_body(Halt("market-wide", 1, "*", 5, 9, "rule-80b"))
        await bus.append([(Output("halts", header, body), f"1-{n}") for n in range(1, 6)])
        kill = [
            (Header("strategy", 1, 1, "", 0, "request/kill-1", 0, 2 * 10**6, 3 * 10**6), ORDER),
            (Header("risk", 1, 1, "orders/7-1", 0, "request/kill-1", 0, 2 * 10**6, 5 * 10**6), Accepted(ORDER)),
        ]
        await bus.append([(Output(b.TOPIC, encode_header(h), encode_body(b)), "7-1") for h, b in kill])
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


def test_trace(nautilus: Type, fleet: None) -> None:
    done = nautilus("bus", "trace", "kill-1", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines == [
        {"ms": 1.0, "producer": "strategy", "topic": "orders", "kind": "Order", "id": "orders/7-1", "cause": ""},
        {"ms": 3.0, "producer": "risk", "topic": "order-events", "kind": "Accepted", "id": "order-events/7-1",
         "cause": "orders/7-1"},
    ]  # fmt: skip
    words = nautilus("bus", "trace", "orders/last").stdout.splitlines()
    assert [line.split() for line in words[1:]] == [
        ["1.000", "strategy", "orders", "Order", "orders/7-1", "-"],
        ["3.000", "risk", "order-events", "Accepted", "order-events/7-1", "orders/7-1"],
    ]
    short = nautilus("bus", "trace", "kill-1", "-n", "1")
    assert len(short.stdout.splitlines()) == 2 and "1 message more" in short.stderr
    assert [line.split()[-1] for line in nautilus("bus", "trace", "halts/1-2").stdout.splitlines()[1:]] == ["-"]


def test_a_trace_says_what_it_did_not_read(nautilus: Type, fleet: None) -> None:
    done = nautilus("bus", "trace", "halts/1-1", "--newest", "2")
    assert (done.exit_code, len(done.stdout.splitlines())) == (0, 2), "the root is read wherever it is"
    assert "Not read from" not in done.stderr, "nothing else of its topic was sent after it"
    older = nautilus("bus", "trace", "orders/7-1", "--newest", "1")
    assert len(older.stdout.splitlines()) == 3
    effects = tuple(Effect(Link(f"t/{n}", Header("e", 1, 1, "", 0, "", 0, 0, 500)), 0) for n in range(3))
    words = bus_trace._lacking(Found([], {"bars": 900, "vpin": 400}, 1), effects, 2)
    assert words == [
        "1 message more; --limit 3 shows all.",
        "Not read from their beginning: bars; --newest reads more.",
        "1 message cannot be decoded.",
    ]


@pytest.mark.parametrize(
    ("asked", "code", "words"),
    [
        ("kill-2", 1, "nautilus bus tail orders"),
        ("trades/1-5", 1, "nautilus bus tail trades"),
        ("trades/last", 2, "trades holds no message"),
        ("order/7-1", 2, "orders"),
        ("a b", 2, "no id of a request"),
    ],
)
def test_a_trace_of_nothing_says_what_to_type(nautilus: Type, fleet: None, asked: str, code: int, words: str) -> None:
    done = nautilus("bus", "trace", asked)
    assert done.exit_code == code
    assert words in done.stderr and done.stdout == ""


def test_without_a_fleet(nautilus: Type) -> None:
    assert nautilus("bus", "stats").exit_code == 3
    assert nautilus("bus", "tail", "halts").exit_code == 3
    assert nautilus("bus", "trace", "halts/last").exit_code == 3


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
