"""Effects happen once: a state machine that crashes between every read, step and commit, on both buses.

The engine under test keeps a running sum and answers each input with two outputs, so that a doubled, lost or reordered
effect shows in the outputs, and a state that does not belong to its cursor shows in the sums.
"""

import asyncio
import itertools
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engines.kit.consumer import Poisoned
from engines.kit.engine import Engine
from engines.kit.processor import Processor
from engines.wire.bus import Bus, Commit, Entry, MemoryBus, Output, dead_topic
from engines.wire.errors import CommitUnknown, Fenced
from engines.wire.messages import Body, Envelope, Header, RiskAlert, Signal, decode, encode_body, encode_header
from engines.wire.redis_bus import RedisBus

POISON = 13


class Sum(msgspec.Struct):
    total: int = 0
    poisoned_by_half: int = 0


def step(state: Sum, envelope: Envelope) -> tuple[Sum, Sequence[Body]]:
    """Add, and emit the sum before and after; changes its state in place before it may raise."""
    body = envelope.body
    assert isinstance(body, Signal)
    before = state.total
    state.poisoned_by_half += 1
    state.total += body.target
    if body.target == POISON:
        raise ValueError("thirteen")
    return state, [RiskAlert("before", "", before, 0, ""), RiskAlert("after", "", state.total, 0, "")]


def engine(snapshot_s: float) -> Engine[Sum]:
    return Engine("adder", Sum, step, Sum, snapshot_s=snapshot_s)


class FaultyBus:
    """A bus whose next commit is lost on the way there, or whose reply is lost on the way back."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.fault: str | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self.bus, name)

    async def commit(self, commit: Commit) -> None:
        fault, self.fault = self.fault, None
        if fault == "request lost":
            raise CommitUnknown("request lost")
        await self.bus.commit(commit)
        if fault == "reply lost":
            raise CommitUnknown("reply lost")


class EffectsOnce(RuleBasedStateMachine):
    """Publishes numbers and drives incarnations of the adder through every fault."""

    snapshot_s = 0.0
    names = itertools.count()

    def make_bus(self) -> Bus:
        return MemoryBus()

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.bus = FaultyBus(self.make_bus())
        self.clock = 0
        self.sent: list[int] = []
        self.batch: list[Entry] = []
        self.zombies: list[tuple[Processor[Sum], list[Entry]]] = []
        self.start()

    def teardown(self) -> None:
        try:
            self.drain()
            self.check_exact()
        finally:
            self.loop.run_until_complete(self.bus.bus.close())
            self.loop.close()

    def wait(self, coroutine):
        return self.loop.run_until_complete(coroutine)

    def start(self) -> None:
        self.unit = Processor(engine(self.snapshot_s), ["signals"], self.bus, lambda: self.clock)
        self.wait(self.unit.claim())
        self.batch = []

    # ---------------------------------------------------------------------------------------------- rules
    @rule(numbers=st.lists(st.integers(-5, POISON), min_size=1, max_size=4), garbage=st.booleans())
    def publish(self, numbers: list[int], garbage: bool) -> None:
        rows = []
        for number in numbers:
            self.sent.append(number)
            header = Header("test", 1, len(self.sent), "", 0, "t", 0, 0, 0)
            body = b"\xc1" if garbage and number == 0 else encode_body(Signal("s", "x", number, ""))
            rows.append((Output("signals", encode_header(header), body), f"{len(self.sent)}-1"))
            if garbage and number == 0:
                self.sent[-1] = POISON  # undecodable: dead-lettered like poison, adds nothing
        assert self.wait(self.bus.append(rows)) == len(rows)
        assert self.wait(self.bus.append(rows)) == 0  # a source that publishes again changes nothing

    @rule(count=st.integers(1, 5))
    def read(self, count: int) -> None:
        self.batch = self.wait(self.bus.read(self.unit.positions, count, 0))

    @precondition(lambda self: self.batch)
    @rule(fault=st.sampled_from([None, None, "request lost", "reply lost"]), tick=st.integers(0, 3))
    def process(self, fault: str | None, tick: int) -> None:
        self.clock += tick * 10**9
        self.bus.fault = fault
        batch, self.batch = self.batch, []
        try:
            self.wait(self.unit.process(batch))
        except (CommitUnknown, Poisoned):
            self.wait(self.unit.claim())
        self.bus.fault = None

    @precondition(lambda self: self.batch)
    @rule()
    def deliver_twice(self) -> None:
        self.batch = self.batch + self.batch

    @rule()
    def crash(self) -> None:
        """kill -9 at any point: before or after a read, never inside a commit (that is `process` with a fault)."""
        self.start()

    @rule()
    def crash_but_linger(self) -> None:
        """A stopped process that wakes up after its successor has started."""
        self.zombies.append((self.unit, self.batch))
        self.start()

    @precondition(lambda self: self.zombies)
    @rule()
    def zombie_wakes(self) -> None:
        unit, batch = self.zombies.pop()
        if batch:
            with pytest.raises((Fenced, Poisoned)):
                self.wait(unit.process(batch))

    # ----------------------------------------------------------------------------------------- invariants
    def outputs(self) -> list[tuple[str, int]]:
        return [(m.body.kind, m.body.value) for m in self.messages()]

    def messages(self) -> list[Envelope]:
        entries = self.wait(self.bus.read({"risk-alerts": "0-0"}, 10_000, 0))
        return [decode(e.topic, e.id, e.header, e.body) for e in entries]

    def expected(self) -> list[tuple[str, int]]:
        sums = list(itertools.accumulate((n for n in self.sent if n != POISON), initial=0))
        return [pair for a, b in itertools.pairwise(sums) for pair in (("before", a), ("after", b))]

    @invariant()
    def outputs_are_a_prefix(self) -> None:
        out = self.outputs()
        assert out == self.expected()[: len(out)]

    @invariant()
    def sequences_have_no_gap(self) -> None:
        last: dict[int, int] = {}
        for message in self.messages():
            assert message.header.seq == last.get(message.header.epoch, 0) + 1
            last[message.header.epoch] = message.header.seq

    @invariant()
    def effects_have_one_id(self) -> None:
        ids = [(m.header.cause, m.header.ordinal) for m in self.messages()]
        assert len(ids) == len(set(ids))

    @invariant()
    def deliveries_balance(self) -> None:
        for counts in self.unit.ledger.topics.values():
            assert counts.deliveries == counts.processed + counts.dead + counts.redeliveries

    def drain(self) -> None:
        for _ in range(200):
            batch = self.wait(self.bus.read(self.unit.positions, 100, 0))
            if not batch:
                return
            try:
                self.wait(self.unit.process(batch))
            except Poisoned:
                self.wait(self.unit.claim())
        raise AssertionError("does not drain")

    def check_exact(self) -> None:
        assert self.outputs() == self.expected()
        dead = self.wait(self.bus.stats(dead_topic("adder"))).added
        assert dead == self.sent.count(POISON)
        if self.sent:
            counts = self.unit.ledger.topics["signals"]
            assert (counts.processed, counts.dead) == (len(self.sent) - dead, dead)
            assert (counts.missing, counts.reordered) == (0, 0)


class ObserverReplays(EffectsOnce):
    """An observer's snapshot is seconds older than its outputs; replayed outputs are suppressed."""

    snapshot_s = 2.0


class OnValkey(EffectsOnce):
    """The same machine against a real server."""

    url: str

    def make_bus(self) -> Bus:
        bus = RedisBus(self.url)
        self.wait_in_new_loop(bus)
        return bus

    def wait_in_new_loop(self, bus: RedisBus) -> None:
        self.loop.run_until_complete(bus._ask([("FLUSHALL",)]))


class ObserverOnValkey(OnValkey):
    snapshot_s = 2.0


TestEffectsOnceInMemory = EffectsOnce.TestCase
TestEffectsOnceInMemory.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestObserverReplaysInMemory = ObserverReplays.TestCase
TestObserverReplaysInMemory.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("machine", [OnValkey, ObserverOnValkey])
def test_effects_once_on_valkey(valkey_url: str, machine: type[OnValkey]) -> None:
    machine.url = valkey_url
    case = machine.TestCase
    case.settings = settings(
        max_examples=25,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),
    )
    case("runTest").runTest()
