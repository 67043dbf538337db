"""The desk: one order a leg, none in a halt, positions from fills, whatever order the answers come in."""

import asyncio
import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from litestar import Litestar
from litestar.testing import TestClient

from engines.kit import codec
from engines.kit.runtime import Runtime
from engines.kit.service import _explain
from engines.strategy.config import CONFIG
from engines.strategy.model import Desk, hold, kill, reset, step
from engines.strategy.service import engine
from engines.wire.bus import MemoryBus
from engines.wire.errors import NautilusError
from engines.wire.manifest import discover, pick
from engines.wire.messages import (
    Accepted,
    BarRow,
    Bars,
    Body,
    Cancel,
    Cancelled,
    Denied,
    Envelope,
    Fill,
    Filled,
    Halt,
    Header,
    Order,
    PredictionRow,
    Predictions,
    Rejected,
    Session,
    Signal,
    Vpin,
    VpinRow,
)
from engines.wire.session import NS, open_ns
from engines.wire.settings import Settings

SYMBOLS = ("SPX", "ESX", "AAPL")
SESSION = Session(
    "open", "flash-crash-2010", "2010-05-06", SYMBOLS, SYMBOLS[1:], 1, "", 40.0,
    tick_sizes=(100, 2_500, 100), multipliers=(1, 50, 1),
)  # fmt: skip
OPEN = open_ns(dt.date(2010, 5, 6))
MINUTE = 60 * NS


def envelope(body: Body, ts: int, trace: str = "r1/before") -> Envelope:
    return Envelope(body.TOPIC, "1-1", Header("test", 1, 1, "", 1, trace, ts, 0, 0), body)


def bar(minute: int, close: int, symbol: str = "AAPL", kind: Any = "time") -> Envelope:
    end = OPEN + minute * MINUTE
    return envelope(Bars((BarRow(symbol, kind, end - MINUTE, end, close, close, close, close, 1, 1),)), end)


def play(desk: Desk, *messages: Envelope) -> tuple[Desk, list[Body]]:
    out: list[Body] = []
    for message in messages:
        desk, bodies = step(desk, message)
        out += bodies
    return desk, out


def opened() -> Desk:
    return play(Desk(), envelope(SESSION, OPEN))[0]


RISE = [bar(n, 1_000_000 + 1_000 * n) for n in range(1, 11)]
DIP = [bar(n, 1_000_000 + 100 * (n % 2), kind="volume") for n in range(1, 21)] + [bar(21, 990_050, kind="volume")]


def orders(bodies: list[Body]) -> list[Order]:
    return [body for body in bodies if isinstance(body, Order)]


def fill(order: Order, quantity: int) -> Envelope:
    return envelope(
        Fill("f", order.order_id, order.strategy, order.symbol, order.side, quantity, 1, 0, 1), OPEN + 11 * MINUTE
    )


def test_momentum_buys_a_rise_at_the_market() -> None:
    _, out = play(opened(), *RISE)
    assert isinstance(out[0], Signal)
    assert out[1:] == [Order("momentum-r1-1", "momentum", "AAPL", 1, CONFIG.shares, None)]


def test_a_future_is_ordered_by_the_contract() -> None:
    _, out = play(opened(), *(bar(n, 1_000_000 + 2_500 * n, "ESX") for n in range(1, 11)))
    assert orders(out)[0].quantity == CONFIG.contracts


def test_reversion_bids_under_a_dip_on_the_tick() -> None:
    _, out = play(opened(), *DIP)
    assert orders(out) == [Order("reversion-r1-1", "reversion", "AAPL", 1, CONFIG.shares, 990_000)]


def test_toxic_flow_and_an_opposite_forecast_keep_reversion_out() -> None:
    toxic = [envelope(Vpin((VpinRow("AAPL", n, OPEN, value),)), OPEN) for n, value in enumerate((None, 0.2, 0.2, 0.5))]
    falling = envelope(Predictions((PredictionRow("AAPL", "ridge", OPEN + 21 * MINUTE, 60.0, -1e-3),)), OPEN)
    stale = envelope(Predictions((PredictionRow("AAPL", "ridge", OPEN, 60.0, -1e-3),)), OPEN)
    assert orders(play(opened(), *toxic, *DIP)[1]) == []
    assert orders(play(opened(), falling, *DIP)[1]) == []
    assert len(orders(play(opened(), stale, *DIP)[1])) == 1


def test_one_order_a_leg_until_every_fill_is_here() -> None:
    desk, out = play(opened(), *RISE)
    first = orders(out)[0]
    turn = [bar(n, 900_000) for n in range(11, 14)]
    desk, out = play(
        desk, envelope(Accepted(first), OPEN), fill(first, 150), envelope(Filled(first.order_id, "AAPL"), OPEN), *turn
    )
    assert [b.target for b in out if isinstance(b, Signal)] == [-CONFIG.shares]
    assert orders(out) == []  # the fill of the last 50 is still on its way
    assert desk.book.open[first.order_id].status == "filled"
    desk, out = play(desk, fill(first, 50), bar(14, 900_000))
    assert orders(out) == [Order("momentum-r1-2", "momentum", "AAPL", -1, 2 * CONFIG.shares, None)]
    assert desk.positions == {"momentum/AAPL": CONFIG.shares}
    assert [t.status for t in desk.book.recent] == ["filled"]


def test_a_cancelled_remainder_is_ordered_again() -> None:
    desk, out = play(opened(), *RISE)
    first = orders(out)[0]
    cancelled = envelope(Cancelled(first.order_id, "AAPL", 120, "requested"), OPEN)
    desk, out = play(desk, envelope(Accepted(first), OPEN), cancelled, fill(first, 80), bar(11, 1_011_000))
    assert orders(out) == [Order("momentum-r1-2", "momentum", "AAPL", 1, 120, None)]


def test_a_refusal_bars_the_leg_for_a_while() -> None:
    desk, out = play(opened(), *RISE)
    refusal = envelope(Denied(orders(out)[0].order_id, "AAPL", "POSITION", "too large"), OPEN + 10 * MINUTE)
    soon = envelope(bar(11, 1_011_000).body, OPEN + 10 * MINUTE + NS)
    desk, out = play(desk, refusal, soon)
    assert out == []
    desk, out = play(desk, bar(11, 1_012_000))
    assert len(orders(out)) == 1
    rejection = envelope(Rejected(orders(out)[0].order_id, "AAPL", "closed"), OPEN + 11 * MINUTE)
    assert play(desk, rejection)[0].totals.refused == 2


def test_no_order_leaves_in_a_halt() -> None:
    for symbol in ("AAPL", "*"):
        halt = Halt("pause", 0, symbol, OPEN + 10 * MINUTE, OPEN + 12 * MINUTE, "test")
        desk, out = play(opened(), envelope(halt, OPEN + 9 * MINUTE), *RISE, bar(11, 1_011_000))
        assert orders(out) == []
        assert desk.totals.held_back == 2
        assert len(orders(play(desk, bar(12, 1_012_000))[1])) == 1


def test_a_stale_limit_is_withdrawn_once() -> None:
    desk, out = play(opened(), *DIP)
    first = orders(out)[0]
    desk, out = play(desk, bar(22, 1_000_000), envelope(Accepted(first), OPEN), bar(23, 1_000_000), bar(24, 1_000_000))
    assert out == [Cancel(first.order_id, "reversion")]
    _, out = play(desk, envelope(Cancelled(first.order_id, "AAPL", CONFIG.shares, ""), OPEN), bar(25, 1_000_000))
    assert orders(out)[0].order_id == "reversion-r1-2"


def test_near_the_close_positions_are_only_closed_and_at_the_market() -> None:
    desk, out = play(opened(), *DIP)
    first = orders(out)[0]
    desk, _ = play(desk, fill(first, CONFIG.shares), envelope(Filled(first.order_id, "AAPL"), OPEN))
    late = int(CONFIG.flat_s / 60) + 1
    desk, out = play(desk, bar(late, 990_000, kind="volume"))
    assert orders(out) == [Order("reversion-r1-2", "reversion", "AAPL", -1, CONFIG.shares, None)]
    desk, out = play(opened(), *RISE[:9], bar(late, 2_000_000))
    assert orders(out) == []


def test_after_the_close_nothing_leaves_and_a_new_replay_starts_afresh() -> None:
    closing = envelope(Session("close", *[getattr(SESSION, f) for f in SESSION.__struct_fields__[1:]]), OPEN)
    assert orders(play(opened(), closing, *RISE)[1]) == []
    desk, _ = play(opened(), *RISE)
    desk, out = play(desk, envelope(SESSION, OPEN, "r2/before"), *RISE)
    assert out == []  # bars of the former replay
    assert (desk.replay, desk.positions, desk.book.open, desk.totals.orders) == (2, {}, {}, 1)


# ------------------------------------------------------------------------------------------------ properties
class Street:
    """Risk and venue in one: answers each order in pieces, in any order of topics."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw

    def answers(self, order: Order) -> tuple[list[Body], list[Body]]:
        if self.draw(st.booleans()) and self.draw(st.booleans()):
            return [Denied(order.order_id, order.symbol, "X", "")], []
        done = self.draw(st.integers(0, order.quantity))
        parts = [q for q in (done // 2, done - done // 2) if q]
        fills = [
            Fill(f"{order.order_id}/{n}", order.order_id, order.strategy, order.symbol, order.side, q, 1, 0, 1)
            for n, q in enumerate(parts)
        ]
        left = order.quantity - done
        end = Cancelled(order.order_id, order.symbol, left, "") if left else Filled(order.order_id, order.symbol)
        return [Accepted(order), end], list(fills)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Envelope], list[Body], Desk]:
    """A random day, played: messages in, bodies out."""
    street, desk = Street(draw), opened()
    messages: list[Envelope] = []
    out: list[Body] = []
    events: list[Body] = []
    fills: list[Body] = []
    price = 1_000_000
    for minute in range(1, draw(st.integers(10, 60))):
        price += draw(st.integers(-6_000, 6_000))
        coming = [bar(minute, price, draw(st.sampled_from(SYMBOLS)), draw(st.sampled_from(["time", "volume"])))]
        if draw(st.integers(0, 15)) == 0:
            start = OPEN + (minute + 1) * MINUTE
            halt = Halt("pause", 0, draw(st.sampled_from(["*", "AAPL"])), start, start + 3 * MINUTE, "")
            coming.append(envelope(halt, OPEN + minute * MINUTE))
        for queue in (events, fills):
            for _ in range(draw(st.integers(0, 3))):
                if queue:
                    coming.append(envelope(queue.pop(0), OPEN + minute * MINUTE))
        for message in coming:
            desk, bodies = step(desk, message)
            messages.append(message)
            out += bodies
            for order in orders(list(bodies)):
                told, traded = street.answers(order)
                events += told
                fills += traded
            check(desk, messages, list(bodies))
    return messages, out, desk


def check(desk: Desk, messages: list[Envelope], bodies: list[Body]) -> None:
    """What holds after every message."""
    legs = [(t.order.strategy, t.order.symbol) for t in desk.book.open.values()]
    assert len(legs) == len(set(legs)) == len(desk.book.at)
    filled: dict[str, int] = {}
    for body in (m.body for m in messages):
        if isinstance(body, Fill):
            key = f"{body.strategy}/{body.symbol}"
            filled[key] = filled.get(key, 0) + body.side * body.quantity
    assert desk.positions == filled
    for key, held in desk.positions.items():
        assert abs(held) <= (CONFIG.contracts if key.endswith("ESX") else CONFIG.shares)
    spans = [m.body for m in messages if isinstance(m.body, Halt)]
    for order in orders(bodies):
        assert order.symbol != "SPX"
        assert order.quantity > 0
        assert order.limit is None or order.limit % (2_500 if order.symbol == "ESX" else 100) == 0
        now = messages[-1].header.ts_event
        assert not any(h.symbol in ("*", order.symbol) and h.start_ns <= now < h.end_ns for h in spans)


@given(history=histories())
@settings(max_examples=60, deadline=None)
def test_whatever_the_street_answers(history: tuple[list[Envelope], list[Body], Desk]) -> None:
    _, out, desk = history
    ids = [order.order_id for order in orders(out)]
    assert len(ids) == len(set(ids)) == desk.totals.orders
    cancels = [body.order_id for body in out if isinstance(body, Cancel)]
    assert len(cancels) == len(set(cancels))


@given(history=histories(), cut=st.integers(0, 80))
@settings(max_examples=30, deadline=None)
def test_the_same_messages_give_the_same_orders_also_from_a_snapshot(
    history: tuple[list[Envelope], list[Body], Desk], cut: int
) -> None:
    messages, wanted, _ = history
    desk = opened()
    out: list[Body] = []
    for place, message in enumerate(messages):
        if place == cut:
            desk = codec.decode(codec.encode(desk), Desk)
        desk, bodies = step(desk, message)
        out += bodies
    assert out == wanted


# ------------------------------------------------------------------------------------------------------ HTTP
def test_routes_and_the_requests_of_the_load() -> None:
    desk, out = play(opened(), *RISE)

    class Holder:
        state = desk
        epoch = 1

    manifest = pick(discover(), "strategy")
    runtime: Runtime[Desk] = Runtime(
        manifest, Settings(state=Path("/nowhere")), MemoryBus(), MemoryBus(), Holder(), ThreadPoolExecutor(1),
        asyncio.Event(), asyncio.Event(),
    )  # fmt: skip
    app = Litestar(list(engine.routes(runtime)), exception_handlers={NautilusError: _explain})
    with TestClient(app) as client:
        legs = {leg["symbol"]: leg for leg in client.get("/strategies").json()[0]["legs"]}
        assert (legs["AAPL"]["target"], legs["AAPL"]["open_order"]) == (CONFIG.shares, orders(out)[0].order_id)
        assert [row["status"] for row in client.get("/orders").json()["open"]] == ["pending"]
        assert client.get("/signal?symbol=IBM&fast=50&slow=20").status_code == 400
        assert client.get("/signal?symbol=IBM&end=2000-02-01").status_code == 404
        for request in manifest.load:
            if request.path != "/health":
                assert request.check is not None
                value = client.get(request.path).json()[request.check.field]
                assert request.check.low <= value <= request.check.high
    statuses = {check.name: check.status for check in engine.checks(runtime)}
    assert statuses.pop("orders-reconciled") == "fail", "an order is open and no venue was asked"
    assert set(statuses.values()) == {"ok"} and len(statuses) == 3


def test_held_orders_are_withdrawn_and_none_leaves_until_they_may_again() -> None:
    desk, out = play(opened(), *RISE)
    (order,) = orders(out)
    assert engine.open_orders(desk) == 1 and hold(desk, True) == [], "risk has not answered: there is nothing to cancel"
    desk, out = play(desk, envelope(Accepted(order), OPEN + 11 * MINUTE))
    assert out == [Cancel(order.order_id, "momentum")], "it is cancelled as soon as it is accepted"
    assert hold(desk, True) == [], "once"
    desk, out = play(desk, envelope(Cancelled(order.order_id, "AAPL", CONFIG.shares, "requested"), OPEN + 12 * MINUTE))
    assert out == [] and engine.open_orders(desk) == 0
    desk, out = play(desk, bar(13, 1_020_000))
    assert orders(out) == [], "held"
    assert list(hold(desk, False)) == []
    desk, out = play(desk, bar(14, 1_021_000))
    assert len(orders(out)) == 1


def test_a_hold_lasts_over_the_next_replay() -> None:
    desk, _ = play(opened(), *RISE)
    hold(desk, True)
    desk, _ = play(desk, envelope(SESSION, OPEN, "r2/before"))
    assert desk.replay == 2 and desk.held


def killed() -> tuple[Desk, Order]:
    """A desk that holds half of an order, the rest of which is open, when the kill switch is thrown."""
    desk, out = play(opened(), *RISE)
    (order,) = orders(out)
    desk, _ = play(desk, envelope(Accepted(order), OPEN + 11 * MINUTE), fill(order, CONFIG.shares // 2))
    return desk, order


def test_the_kill_switch_withdraws_then_closes_at_the_market_and_opens_nothing() -> None:
    desk, order = killed()
    assert kill(desk) == [Cancel(order.order_id, "momentum")], "the leg's order is open: first it is withdrawn"
    assert kill(desk) == [], "carried out twice, it asks once"
    rest = CONFIG.shares - CONFIG.shares // 2
    desk, out = play(desk, envelope(Cancelled(order.order_id, "AAPL", rest, "requested"), OPEN + 12 * MINUTE))
    (closing,) = orders(out)
    assert (closing.side, closing.quantity, closing.limit) == (-1, CONFIG.shares // 2, None)
    desk, out = play(desk, envelope(Accepted(closing), OPEN + 12 * MINUTE))
    assert out == [], "a closing order is not withdrawn"
    desk, out = play(
        desk, fill(closing, closing.quantity), envelope(Filled(closing.order_id, "AAPL"), OPEN + 12 * MINUTE)
    )
    assert not any(desk.positions.values()) and orders(out) == []
    desk, out = play(desk, *(bar(n, 1_050_000 + 2_000 * n) for n in range(13, 30)))
    assert orders(out) == [] and desk.killed
    assert list(reset(desk)) == []
    desk, out = play(desk, *(bar(n, 1_200_000 + 2_000 * n) for n in range(30, 40)))
    assert len(orders(out)) == 1


def test_a_killed_desk_closes_a_halted_leg_once_it_trades_again() -> None:
    desk, out = play(opened(), *RISE)
    (order,) = orders(out)
    desk, _ = play(desk, fill(order, CONFIG.shares), envelope(Filled(order.order_id, "AAPL"), OPEN + 11 * MINUTE))
    halt = Halt("pause", 0, "AAPL", OPEN + 10 * MINUTE, OPEN + 15 * MINUTE, "a rule")
    desk, _ = play(desk, envelope(halt, OPEN + 11 * MINUTE))
    assert kill(desk) == []
    desk, out = play(desk, bar(14, 1_010_000))
    assert orders(out) == []
    desk, out = play(desk, bar(16, 1_010_000))
    assert [(each.side, each.quantity, each.limit) for each in orders(out)] == [(-1, CONFIG.shares, None)]


def test_a_killed_desk_stays_killed_over_the_next_replay_and_over_a_crash() -> None:
    desk, _ = killed()
    kill(desk)
    desk = codec.decode(codec.encode(desk), Desk)
    desk, out = play(desk, envelope(SESSION, OPEN, "r2/before"))
    desk, more = play(desk, *(bar(n, 1_000_000 + 1_000 * n) for n in range(1, 2)))
    assert desk.killed and orders([*out, *more]) == []
