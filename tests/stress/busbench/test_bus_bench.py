"""The benchmark on real servers and processes, small: the counts are exact, and what goes wrong is caught."""

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from engines.fleet import buses, resp
from engines.wire.bus import Entry, MemoryBus
from engines.wire.messages import MAIN, MARKET, TOPICS, Header, decode, encode_body, encode_header
from engines.wire.redis_bus import RedisBus
from stress.busbench import bench, bodies, peer, servers, workers
from stress.busbench.errors import BenchError
from stress.busbench.plan import Publish, Published, Seen, Subscribe
from stress.busbench.publish import Publisher
from stress.busbench.subscribe import Subscriber

MOST = 3_000


def test_every_class_has_a_body_that_survives_the_wire() -> None:
    for kind in (*MARKET, *MAIN):
        body = bodies.sample(kind)
        header = encode_header(Header("p", 1, 1, "", 1, "t", 1, 1, time.monotonic_ns()))
        assert decode(kind.TOPIC, "1-1", header, encode_body(body)).body == body
    assert {body.TOPIC for bus in buses.NAMES for body in bodies.bodies(bus)} == set(TOPICS)


def test_all_channels_are_counted_on_both_sides() -> None:
    mode = bench.channels()
    assert mode.whole
    assert {channel.topic: channel.account.published for channel in mode.channels} == {
        topic: sum(topic == kind.TOPIC for kind in (*MARKET, *MAIN)) for topic in TOPICS
    }
    assert all(channel.bus == TOPICS[channel.topic] for channel in mode.channels)


def test_single_messages_over_both_buses() -> None:
    mode = bench.single(10.0, most=MOST)
    assert mode.whole
    assert {channel.topic: channel.account.delivered for channel in mode.channels} == {"orders": MOST, "trades": MOST}
    assert mode.sent is not None and mode.sent.count == 2 * MOST
    assert mode.intended is None  # no rate was asked for
    assert mode.per_s == pytest.approx(2 * MOST / mode.seconds)


def test_ticks_are_counted_one_by_one() -> None:
    mode = bench.ticks(10.0, most=50)
    assert mode.ticks is not None and mode.whole
    assert mode.ticks.delivered == mode.ticks.published == 50 * bench.TICK_ROWS
    assert mode.messages.delivered == 50


def test_an_even_rate_is_kept_from_its_own_schedule() -> None:
    mode = bench.paced(1.0, rate=2_000)
    assert mode.whole
    assert mode.messages.published <= 2_000
    assert mode.intended is not None and mode.sent is not None and mode.lag_p99_ms is not None
    assert mode.intended.count < mode.messages.delivered  # the first tenth is warm-up
    assert mode.intended.most >= mode.sent.p50


class Faulty(MemoryBus):
    """Loses one entry in a hundred, gives one twice, swaps one pair."""

    def __init__(self, bus: RedisBus, fault: str) -> None:
        super().__init__()
        self._real, self._fault = bus, fault

    async def read(self, cursors: Mapping[str, str], count: int, block_ms: int) -> list[Entry]:
        entries = await self._real.read(cursors, count, block_ms)
        numbered = [(int(entry.id.partition("-")[2]), entry) for entry in entries]
        match self._fault:
            case "drop":
                return [entry for number, entry in numbered if number % 100 != 50]
            case "double":
                return [entry for number, entry in numbered for _ in range(1 + (number % 100 == 50))]
            case "swap" if len(entries) > 1:
                return [entries[1], entries[0], *entries[2:]]
        return entries

    async def trim(self, topic: str, below: str) -> int:
        return await self._real.trim(topic, below)


def faulty(fault: str) -> bench.Mode:
    """A real publisher, a subscriber behind a faulty bus."""
    with servers.pair() as pair:

        async def main() -> tuple[Published, Seen]:
            bus = RedisBus(pair["market"].url)
            plan = Publish(
                parent=0, bus="market", url="", producer="p", work="single", seconds=30.0, most=1_000, batch=100
            )
            sent = await Publisher(plan, bus).run()
            done = asyncio.Event()
            done.set()
            reader = Subscribe(
                parent=0, bus="market", url="", main_url="", owner="s", topics=("trades",), work="single"
            )
            seen = await Subscriber(reader, Faulty(bus, fault), MemoryBus()).run(done)
            await bus.close()
            return sent, seen

        sent, seen = asyncio.run(main())
    return bench.account("single", "", ["market"], [sent], [seen])


def test_a_subscriber_that_drops_is_caught() -> None:
    assert faulty("none").whole
    mode = faulty("drop")
    assert not mode.whole
    assert (mode.messages.lost, mode.messages.delivered) == (10, 990)


def test_a_bus_that_doubles_or_swaps_is_caught() -> None:
    doubled = faulty("double").messages
    assert (doubled.duplicates, doubled.lost, doubled.whole) == (10, 0, False)
    swapped = faulty("swap").messages
    assert swapped.reordered > 0 and swapped.lost == 0 and not swapped.whole


def test_the_servers_are_set_up_as_the_fleets_are() -> None:
    with servers.pair() as pair:
        said = {}
        for name, bus in pair.items():
            with resp.Connection(bus.address, 2.0) as link:
                said[name] = [link.ask("CONFIG", "GET", key) for key in ("appendonly", "appendfsync")]
                with pytest.raises(Exception, match="NOAUTH"):
                    resp.round_trip(resp.parse(f"unix://{bus.address.path}"), 2.0)
        assert said["main"] == [[b"appendonly", b"yes"], [b"appendfsync", b"no"]]
        for name, bus in pair.items():
            asked = dict(line.split(" ", 1) for line in buses.configuration(bus, Path("/x")).splitlines())
            assert [asked[key.decode()].encode() for key, _ in said[name]] == [value for _, value in said[name]]
        folder = Path(pair["main"].address.path).parent
    assert not folder.exists()


def test_a_worker_that_fails_says_why() -> None:
    plan = Publish(
        parent=os.getpid(), bus="main", url="unix:///nowhere/at/all?db=0", producer="p", work="single", seconds=1.0
    )
    with pytest.raises(BenchError) as caught:
        workers.measure([plan], [])
    assert "cannot be reached" in caught.value.why


def test_redis_benchmark_beside_us_or_why_not() -> None:
    assert peer.measure(1_000, 16, env={"PATH": ""}).why.startswith("redis-benchmark is not installed")
    found = peer.measure(2_000, 16)
    assert (found.per_s is None) == bool(found.why)
    if found.per_s is not None:
        assert found.per_s > 0 and found.requests == 2_000
    assert peer.parse('"test","rps","p99_latency_ms"\n"XADD x","123.50","0.75"\n') == (123.5, 0.75)
    assert peer.parse("ERR\n") is None
