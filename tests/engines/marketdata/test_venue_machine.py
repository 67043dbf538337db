"""Any sequence of messages - halts, faults, disconnects, changes, replays, stale traces - ends each order once."""

from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engines.kit import codec
from engines.marketdata.venue import Venue, step
from engines.wire.messages import (
    Body,
    Cancelled,
    CancelRequested,
    Envelope,
    Fault,
    Fill,
    Filled,
    Halt,
    Rejected,
    Replaced,
    ReplaceRequested,
)
from tests.engines.marketdata.venue_rig import (
    LATENCY,
    TICK,
    Row,
    accept,
    depth,
    envelope,
    fleet,
    order,
    quotes,
    session,
)

symbols = st.sampled_from(["AAPL", "ESX"])
sides = st.sampled_from([1, -1])
ticks = st.integers(3, 9)
waits = st.integers(0, 3 * LATENCY)
FAULTS = (
    Fault("late-fills", "AAPL", 0, 20 * LATENCY, 5e-3),
    Fault("disconnect", "ESX", 30 * LATENCY, 33 * LATENCY),
    Fault("reject-storm", "*", 40 * LATENCY, 42 * LATENCY),
)


class VenueMachine(RuleBasedStateMachine):
    """The venue beside a ledger of what it said about each order."""

    def __init__(self) -> None:
        super().__init__()
        self.venue = Venue()
        self.clock = LATENCY
        self.replay = 1
        self.names: list[str] = []
        self.replays: dict[str, int] = {}
        self.quantity: dict[str, int] = {}
        self.filled: dict[str, int] = {}
        self.ended: dict[str, Body] = {}
        self.halts: list[Halt] = []

    def send(self, message: Envelope) -> None:
        replay, clock = self.venue.replay, self.venue.clock_ns
        self.venue, bodies = step(self.venue, message)
        self.read(bodies, late=self.venue.replay > replay)
        if not self.faults:  # which tell fills late
            made = [body for body in bodies if isinstance(body, Fill)]
            assert all(clock <= body.ts_ns <= self.venue.clock_ns for body in made)
            inside = [(b, h) for b in made for h in self.halts if h.symbol in ("*", b.symbol)]
            assert not any(h.start_ns <= b.ts_ns < h.end_ns for b, h in inside)

    def read(self, bodies: Sequence[Body], *, late: bool) -> None:
        for body in bodies:
            if isinstance(body, Fill):
                assert body.order_id not in self.ended
                assert body.quantity > 0
                self.filled[body.order_id] += body.quantity
                assert self.filled[body.order_id] <= self.quantity[body.order_id]
                told = [h for h in self.halts if h.symbol in ("*", body.symbol) and not late]
                assert not any(h.start_ns <= body.ts_ns < h.end_ns for h in told if body.ts_ns >= self.clock)
            elif isinstance(body, Filled | Cancelled | Rejected):
                assert body.order_id not in self.ended
                self.ended[body.order_id] = body
                left = self.quantity[body.order_id] - self.filled[body.order_id]
                assert isinstance(body, Rejected) or left == (body.remaining if isinstance(body, Cancelled) else 0)
                assert not isinstance(body, Rejected | Cancelled) or body.code
            elif isinstance(body, Replaced):
                assert body.order_id not in self.ended
                self.quantity[body.order_id] = body.quantity

    @property
    def trace(self) -> str:
        return f"r{self.replay}/window"

    @initialize(faulty=st.booleans(), early=st.booleans())
    def begin(self, faulty: bool, early: bool) -> None:
        self.faults = FAULTS if faulty else ()
        if not early:
            self.send(session(trace=self.trace, faults=self.faults))

    @rule(symbol=symbols, side=sides, quantity=st.integers(-1, 60), limit=st.none() | ticks, ioc=st.booleans())
    def accepted(self, symbol: str, side: int, quantity: int, limit: int | None, ioc: bool) -> None:
        name = f"o{len(self.names)}"
        self.names.append(name)
        self.quantity[name], self.filled[name] = quantity, 0
        self.replays[name] = self.replay
        price = None if limit is None else limit * TICK[symbol]
        made = order(name, 1 if side > 0 else -1, quantity, price, symbol, "ioc" if ioc else "day")
        self.send(accept(made, self.clock, self.trace))

    @rule(place=st.integers(0, 40))
    def accepted_again(self, place: int) -> None:
        """As it was sent, perhaps when its replay is over."""
        if self.names:
            name = self.names[place % len(self.names)]
            if self.replays[name] >= self.replay - 1:
                self.send(accept(order(name, 1, 5), self.clock, f"r{self.replays[name]}/window"))

    @rule(quantity=st.integers(1, 60))
    def accepted_too_late(self, quantity: int) -> None:
        if self.venue.replay == 0:
            return
        name = f"o{len(self.names)}"
        self.names.append(name)
        self.quantity[name], self.filled[name], self.replays[name] = quantity, 0, 0
        self.send(accept(order(name, 1, quantity), self.clock, "r0/window"))
        assert isinstance(self.ended[name], Rejected)

    @rule(place=st.integers(0, 40))
    def cancel(self, place: int) -> None:
        self.send(envelope(CancelRequested(f"o{place}"), self.clock, self.trace))

    @rule(place=st.integers(0, 40), quantity=st.integers(-1, 60), limit=st.none() | ticks)
    def replace(self, place: int, quantity: int, limit: int | None) -> None:
        price = None if limit is None else limit * TICK["ESX"]
        self.send(envelope(ReplaceRequested(f"o{place}", quantity, price), self.clock, self.trace))

    @rule(symbol=symbols, wait=waits, bid=ticks, spread=st.integers(-1, 2), size=st.integers(0, 40), old=st.booleans())
    def quote(self, symbol: str, wait: int, bid: int, spread: int, size: int, old: bool) -> None:
        self.clock += wait
        tick = TICK[symbol]
        row = Row(self.clock, symbol, bid * tick, (bid + spread) * tick, size, size)
        rows = [row, row._replace(ts=self.clock - LATENCY)] if old else [row]
        self.send(quotes(*rows, trace=self.trace))

    @rule(symbol=symbols, ahead=st.integers(-LATENCY, LATENCY), best=ticks, size=st.integers(0, 40))
    def displayed(self, symbol: str, ahead: int, best: int, size: int) -> None:
        tick = TICK[symbol]
        bids = [((best - n) * tick, size) for n in range(5)]
        asks = [((best + 1 + n) * tick, size) for n in range(5)]
        shown = depth(self.clock + ahead, symbol, bids, asks)
        self.send(envelope(shown.body, self.clock, self.trace))

    @rule(symbol=st.sampled_from(["AAPL", "ESX", "*"]), start=st.integers(-LATENCY, LATENCY), length=st.integers(1, 9))
    def halt(self, symbol: str, start: int, length: int) -> None:
        body = Halt("pause", 0, symbol, self.clock + start, self.clock + start + length * LATENCY, "test")
        self.halts.append(body)
        self.send(envelope(body, self.clock, self.trace))

    @rule(state=st.sampled_from(["ready", "ready", "ready", "crashed"]), restarts=st.integers(0, 2))
    def owner(self, state: str, restarts: int) -> None:
        self.send(fleet(state, restarts))

    @rule()
    def opens(self) -> None:
        self.send(session(trace=self.trace, faults=self.faults))

    @rule()
    def snapshot(self) -> None:
        self.venue = codec.decode(codec.encode(self.venue), Venue)

    @rule(chance=st.integers(0, 3))
    def closes_or_another_replay(self, chance: int) -> None:
        if chance == 0:
            self.send(session("close", trace=self.trace))
        elif chance == 1:
            self.replay += 1
            self.halts = []
            self.send(session(trace=self.trace, faults=self.faults))

    @invariant()
    def what_has_not_ended_is_at_the_venue(self) -> None:
        told = {item.body.order_id for item in self.venue.held}
        assert set(self.names) - self.ended.keys() == self.venue.working.keys() | self.venue.waiting.keys() | told

    def teardown(self) -> None:
        self.replay += 1
        self.send(session(trace=self.trace))
        assert self.ended.keys() == set(self.names)


TestVenueMachine = VenueMachine.TestCase
TestVenueMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
