"""Poison: nothing of it can be decoded, all of it is among the dead letters of a real consumer, none is lost."""

import asyncio
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from busfleet import BusFleet
from hypothesis import given
from hypothesis import strategies as st

from engines.kit.consumer import Consumer
from engines.kit.engine import Engine
from engines.kit.processor import Processor
from engines.wire.bus import Ledger
from engines.wire.errors import MessageError
from engines.wire.manifest import discover, pick
from engines.wire.messages import TOPICS, decode, decode_header
from engines.wire.redis_bus import RedisBus
from stress import settle
from stress.faults import bus_server, poison
from stress.faults.fault import Fault
from stress.faults.poison import KIND, messages, poisonable
from stress.faults.undo import UndoJournal

TOPIC = "order-events"  # of the main bus, the first such that collateral consumes
COLLATERAL = pick(discover(), "collateral")


@given(st.sampled_from(sorted(TOPICS)), st.integers(1, 40), st.integers(16, 3000), st.integers(0, 2**32))
def test_no_consumer_can_decode_it_and_no_number_is_missing(topic: str, count: int, size: int, seed: int) -> None:
    made = messages(topic, "poison/f", count, size, random.Random(seed))
    assert len(made) == count
    numbers = []
    for header, body in made:
        with pytest.raises(MessageError):
            decode(topic, "1-1", header, body)
        try:
            numbers.append(decode_header(header).seq)
        except MessageError:
            continue
        assert len(body) <= max(size, 64)
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_same_seed_makes_the_same_poison() -> None:
    made = [messages(TOPIC, "p", 14, 200, random.Random(seed)) for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]


class Empty(msgspec.Struct):
    """A state of nothing."""


class Consuming(threading.Thread):
    """A consumer of the kit, under collateral's name, on a real bus."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._stop_it = threading.Event()
        self.start()

    def run(self) -> None:
        asyncio.run(self._consume())

    async def _consume(self) -> None:
        bus = RedisBus(self._url)
        engine = Engine("collateral", Empty, lambda state, _message: (state, []), Empty)
        unit = Processor(engine, COLLATERAL.consumes, bus, time.monotonic_ns)
        stop = asyncio.Event()
        consumer = Consumer(unit, {bus: [TOPIC]}, stop)
        task = asyncio.ensure_future(consumer.run())
        await asyncio.to_thread(self._stop_it.wait)
        stop.set()
        await task
        await bus.close()

    def end(self) -> None:
        self._stop_it.set()
        self.join()


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[BusFleet]:
    made = BusFleet(tmp_path, (("collateral", 1, 0),)).up("main")
    yield made
    made.down()


def account(fleet: BusFleet) -> tuple[int, int, int]:
    """Published, dead-lettered and lost of the topic, as a mission's account says it."""

    async def settled() -> tuple[int, int, int]:
        bus = RedisBus(fleet.url_of("main").url)
        manifest = msgspec.structs.replace(COLLATERAL, consumes=(TOPIC,))
        (found,) = await settle.ledger({"main": bus, "market": bus}, [manifest], 1.0)
        await bus.close()
        return found.published, found.dead_lettered, found.lost

    return asyncio.run(settled())


def test_every_message_is_a_dead_letter_and_the_ledger_balances(fleet: BusFleet) -> None:
    consuming = Consuming(fleet.url_of("main").url)
    try:
        for number in (1, 2):  # the second time there are dead letters already
            fault = Fault(f"f{number}", "poison", "collateral", None, {"count": 30})
            done = KIND.inject(fault, fleet, UndoJournal(fleet.home))
            assert done.proven and "collateral 30" in done.proof, done.proof
            assert done.undo is None
            assert account(fleet) == (30 * number, 30 * number, 0)
    finally:
        consuming.end()
    assert UndoJournal(fleet.home).pending() == ()


def test_poison_that_nobody_takes_is_not_proven(fleet: BusFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poison, "_PROOF_S", 0.2)
    done = KIND.inject(Fault("f", "poison", "collateral", None, {"count": 3}), fleet, UndoJournal(fleet.home))
    assert not done.proven and "collateral 0" in done.proof
    nobody = BusFleet(fleet.home)
    done = KIND.inject(Fault("g", "poison", "collateral"), nobody, UndoJournal(fleet.home))
    assert not done.proven and "nobody consumes it" in done.proof


def test_poison_that_is_not_sent_is_not_proven(fleet: BusFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poison, "_PROOF_S", 0.2)
    monkeypatch.setattr(poison, "messages", lambda *_: [])
    consuming = Consuming(fleet.url_of("main").url)
    try:
        done = KIND.inject(Fault("f", "poison", "collateral"), fleet, UndoJournal(fleet.home))
    finally:
        consuming.end()
    assert not done.proven and "collateral 0" in done.proof


def test_the_dead_letters_of_a_consumer_without_a_ledger_are_none(fleet: BusFleet) -> None:
    with bus_server.connect(fleet.url_of("main")) as link:
        assert poison.dead(link, "collateral", TOPIC) == 0
        link.ask("HSET", "commit:collateral", "ledger", msgspec.msgpack.encode(Ledger()))
        assert poison.dead(link, "collateral", TOPIC) == 0


@pytest.mark.parametrize(
    ("target", "parameters", "mistake"),
    [
        ("vpin", {}, "it cannot be at 'vpin', only at:"),  # it consumes replayed topics only
        ("bus-main", {}, "it cannot be at 'bus-main'"),
        ("risk", {"topic": "trades"}, "risk can be given poison in order-events, positions, margin"),
        ("risk", {"topic": "orders"}, "risk can be given poison in order-events, positions, margin"),
        ("risk", {"bytes": 1 << 21}, "bytes = 2097152: a number from 16 to 1.04858e+06"),
    ],
)
def test_what_cannot_be_is_told(target: str, parameters: dict[str, object], mistake: str) -> None:
    assert mistake in "\n".join(KIND.mistakes(target, parameters))
    assert list(KIND.mistakes("risk", {"topic": "margin", "count": 5})) == []


def test_no_replayed_topic_is_ever_poisoned() -> None:
    for manifest in discover():
        assert all(TOPICS[topic] == "main" for topic in poisonable(manifest))
