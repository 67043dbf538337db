"""Invariant 7's part on orders: the engines keep it however topics are read; engines that do not are caught."""

from collections.abc import Sequence
from typing import Any

import pytest
from checks_rig import History, S, session, words
from hypothesis import given, settings
from hypothesis import strategies as st
from order_margin_rig import PRICE, Desk, Step, acts

from engines.collateral import model as collateral
from engines.collateral.config import CONFIG
from engines.wire.messages import (
    Accepted,
    Body,
    Cancelled,
    Envelope,
    Fill,
    Filled,
    Margin,
    Order,
    PositionRow,
    Positions,
    Session,
)
from stress.checks import margin
from stress.checks.order_margin import check_heard, check_open_orders
from stress.checks.violation import NotJudged

SEED = st.integers(0, 2**32)
UNHEARD = "requirement: no margin was told for an order"


def brute(desk: Desk) -> int:
    """The requirement, unit by unit: what is held, or would be if one side's open orders filled, cheapest first."""
    held = {row.symbol: row for row in desk.streams["positions"][-1].body.rows}
    total = 0
    for symbol in ("ESX", "AAPL"):
        row = held.get(symbol, PositionRow(symbol, 0, 0, 0, 0, 0, 1))

        def unit(price: int, symbol: str = symbol) -> int:
            return CONFIG.futures[symbol].initial if symbol in CONFIG.futures else price // 2

        needs = [abs(row.quantity) * unit(row.mark)]
        for side in (1, -1):
            prices = sorted(
                max(order.limit or 0, _mark(desk, order.order_id))
                for order, left in desk.open.values() for _ in range(left)
                if (order.symbol, order.side) == (symbol, side)
            )  # fmt: skip
            against = max(0, -side * row.quantity)
            kept = abs(row.quantity) - min(against, len(prices))
            needs.append(kept * unit(row.mark) + sum(unit(price) for price in prices[against:]))
        total += max(needs)
    return total


def _mark(desk: Desk, order_id: str) -> int:
    body = desk.accepted[order_id].body
    assert isinstance(body, Accepted)
    return body.marks[body.order.symbol]


@settings(deadline=None, max_examples=80)
@given(SEED, st.sampled_from([40, 1_000]))
def test_the_engines_hold_it_however_topics_are_read(seed: int, again: int) -> None:
    desk = Desk()
    for place, act in enumerate(acts(seed, 200), 1):
        desk.act(*act)
        if place % again == 0:
            desk.begin()
    desk.end()
    for clause in margin.CLAUSES:
        assert clause.check(desk.evidence()) == ()


@settings(deadline=None, max_examples=80)
@given(SEED)
def test_whenever_all_is_read_the_requirement_is_that_of_positions_and_open_orders(seed: int) -> None:
    desk = Desk()
    for place, act in enumerate(acts(seed, 200), 1):
        desk.act(*act)
        if place == 90:
            desk.begin()
        if place % 30:
            continue
        desk.drain()
        state = desk.states["collateral"]
        last: Margin = state.last
        assert last.initial + last.orders == brute(desk)
        held = any(row.quantity for row in state.positions.rows)
        assert (last.initial + last.orders == 0) == (not held and not desk.open)
        assert (last.initial > 0) == (last.maintenance > 0) == held
        assert (not state.reserve.fills) and state.reserve.open.keys() == desk.open.keys()


@settings(deadline=None, max_examples=100)
@given(st.permutations(["order-events", "fills", "positions"] * 6), st.sampled_from([1, -1]))
def test_between_an_orders_last_fill_and_its_positions_the_requirement_is_never_0(order: list[str], side: Any) -> None:
    desk = Desk()
    desk.drain()
    name = desk.ask("AAPL", side, 3)
    desk.take("collateral", "order-events")
    for size in (1, 2):
        desk.fill(name, size)
    desk.drain("portfolio")
    for topic in order:
        desk.take("collateral", topic)
        assert desk.states["collateral"].last.initial + desk.states["collateral"].last.orders > 0
    assert desk.states["collateral"].last.orders == 0


def ignoring(state: Any, envelope: Envelope) -> tuple[Any, Sequence[Body]]:
    """Collateral as it would be if it consumed no orders."""
    return collateral.step(state, envelope) if isinstance(envelope.body, Session | Positions) else (state, ())


def dropping(state: Any, envelope: Envelope) -> tuple[Any, Sequence[Body]]:
    """Collateral, but an order's margin goes with its fill and not with its positions."""
    if isinstance(envelope.body, Fill):
        state.reserve.booked = envelope.entry_id
    return collateral.step(state, envelope)


def forgetting(state: Any, envelope: Envelope) -> tuple[Any, Sequence[Body]]:
    """Collateral, but every end of an order ends all of them."""
    if isinstance(envelope.body, Cancelled):
        state.reserve.open.clear()
    return collateral.step(state, envelope)


def filled_before_its_positions(step: Step) -> Desk:
    """An order fills; collateral hears of it before portfolio does."""
    desk = Desk(step)
    desk.drain()
    name = desk.ask("AAPL", 1, 5)
    desk.drain("collateral")
    desk.fill(name, 5)
    desk.drain("collateral")
    desk.end()
    return desk


def resting(step: Step) -> Desk:
    """Two orders wait, and one of them is cancelled."""
    desk = Desk(step)
    desk.drain()
    one = desk.ask("AAPL", 1, 5, PRICE)
    desk.ask("ESX", -1, 2)
    desk.drain()
    desk.cancel(one)
    desk.end()
    return desk


def test_an_engine_that_ignores_orders_is_caught() -> None:
    for history, orders in ((resting, 2), (filled_before_its_positions, 1)):
        assert words(check_heard, history(collateral.step).evidence()) == []
        assert words(check_heard, history(ignoring).evidence()) == orders * [UNHEARD]


@settings(deadline=None, max_examples=30)
@given(SEED)
def test_an_engine_that_ignores_orders_is_caught_whatever_becomes_of_them(seed: int) -> None:
    desk = Desk(ignoring)
    desk.drain()
    for act in acts(seed, 60):
        desk.act(*act)
    desk.end()
    assert words(check_heard, desk.evidence()) == len(desk.accepted) * [UNHEARD]


def test_orders_that_collateral_may_not_have_read_yet_are_not_judged() -> None:
    """While the session lasts; before the account's first margin; and of a replay that another followed."""
    lasting = Desk(ignoring)
    lasting.drain()
    lasting.ask("AAPL", 1, 5)
    lasting.drain()
    assert words(check_heard, lasting.evidence()) == []
    lasting.begin()
    lasting.end()
    assert words(check_heard, lasting.evidence()) == []
    early = Desk()
    early.cancel(early.ask("AAPL", 1, 5))
    while early.take("collateral", "order-events"):
        pass
    early.end()
    assert words(check_heard, early.evidence()) == []


def test_an_order_that_was_passed_over_is_caught_while_the_session_lasts() -> None:
    def passing(state: Any, envelope: Envelope) -> tuple[Any, Sequence[Body]]:
        body = envelope.body
        over = isinstance(body, Accepted) and body.order.order_id == "a1"
        return (state, ()) if over else collateral.step(state, envelope)

    desk = Desk(passing)
    desk.drain()
    for _ in range(2):
        desk.ask("AAPL", 1, 5)
    desk.drain()
    assert words(check_heard, desk.evidence()) == [UNHEARD]


def test_an_engine_that_drops_the_reserve_at_the_fill_is_caught() -> None:
    assert words(check_open_orders, filled_before_its_positions(collateral.step).evidence()) == []
    assert words(check_open_orders, filled_before_its_positions(dropping).evidence()) == [
        "requirement: 0 with 1 orders open"
    ]


def test_an_engine_that_forgets_an_open_order_is_caught() -> None:
    assert words(check_open_orders, resting(collateral.step).evidence()) == []
    assert words(check_open_orders, resting(forgetting).evidence()) == ["requirement: 0 with 1 orders open"]


# ------------------------------------------------------------------------------------------ hand-built histories
def begun() -> tuple[History, Envelope, Order]:
    """A flat account, its margin, and an order that risk has let through."""
    history = History()
    flat = history.add(Positions((), 10, 0, 10), 0, "portfolio", history.add(session(), producer="tape"))
    history.add(Margin(0, 0, 10, 10, 0), 0, "collateral", flat)
    order = Order("a", "s", "AAPL", 1, 5)
    return history, history.add(Accepted(order), S, "risk", history.add(order, S, "strategy")), order


def test_a_margin_that_came_before_the_order_was_heard_of_proves_nothing() -> None:
    history, accepted, _ = begun()
    other = history.add(Positions((), 9, 0, 9), 9 * S, "portfolio")  # much later in the market
    history.add(Margin(0, 0, 9, 9, 0), 9 * S, "collateral", other)
    history.add(Margin(0, 0, 9, 9, 0, 7), S, "collateral", accepted)
    for clause in margin.CLAUSES:
        assert clause.check(history.evidence()) == ()


def test_a_margin_of_0_behind_the_order_is_broken() -> None:
    history, accepted, _ = begun()
    history.add(Margin(0, 0, 10, 10, 0, 7), S, "collateral", accepted)
    later = history.add(Positions((), 9, 0, 9), 2 * S, "portfolio")
    history.add(Margin(0, 0, 9, 9, 0), 2 * S, "collateral", later)
    assert words(check_open_orders, history.evidence()) == ["requirement: 0 with 1 orders open"]


@pytest.mark.parametrize(("sent_before", "broken"), [(True, False), (False, True)])
def test_an_end_that_may_have_been_taken_is_in_the_engines_favour(sent_before: bool, broken: bool) -> None:
    history, accepted, _ = begun()
    history.add(Margin(0, 0, 10, 10, 0, 7), S, "collateral", accepted)
    later = history.add(Positions((), 9, 0, 9), 2 * S, "portfolio")
    if sent_before:
        history.add(Cancelled("a", "AAPL", 5, "requested"), 2 * S, "venue", accepted)
    history.add(Margin(0, 0, 9, 9, 0), 2 * S, "collateral", later)
    if not sent_before:
        history.add(Cancelled("a", "AAPL", 5, "requested"), 2 * S, "venue", accepted)
    assert bool(check_open_orders(history.evidence())) == broken


@pytest.mark.parametrize("booked", [False, True])
def test_a_fill_ends_an_order_once_its_positions_are_taken(booked: bool) -> None:
    history, accepted, order = begun()
    history.add(Margin(0, 0, 10, 10, 0, 7), S, "collateral", accepted)
    fill = history.add(Fill("f", "a", "s", "AAPL", 1, 5, PRICE, 0, 1), 2 * S)
    end = history.add(Filled("a", order.symbol), 2 * S)
    told = history.add(Positions((), 9, 0, 9), 2 * S, "portfolio", fill)  # sold again, say
    history.add(Margin(0, 0, 9, 9, 0), 2 * S, "collateral", told if booked else end)
    if not booked:
        history.add(Margin(0, 0, 8, 8, 0), 2 * S, "collateral", told)
    assert words(check_open_orders, history.evidence()) == ([] if booked else ["requirement: 0 with 1 orders open"])


def test_a_fill_whose_positions_are_not_here_may_have_been_in_earlier_ones() -> None:
    history, accepted, order = begun()
    history.add(Margin(0, 0, 10, 10, 0, 7), S, "collateral", accepted)
    history.add(Fill("f", "a", "s", "AAPL", 1, 5, PRICE, 0, 1), 2 * S)
    history.add(Margin(0, 0, 9, 9, 0), 2 * S, "collateral", history.add(Filled("a", order.symbol), 2 * S))
    assert words(check_open_orders, history.evidence()) == []


def test_an_order_of_a_replay_that_another_followed_need_not_be_heard_of() -> None:
    history = History()
    for trace in ("r1/window", "r2/window"):
        flat = history.add(
            Positions((), 10, 0, 10), 0, "portfolio", history.add(session(), 0, "tape", trace=trace), trace
        )
        history.add(Margin(0, 0, 10, 10, 0), 0, "collateral", flat, trace)
    order = Order("a", "s", "AAPL", 1, 5)
    history.add(Accepted(order), S, "risk", history.add(order, S, "strategy"))  # risk has not come to the second yet
    history.add(session("close"), 2 * S, "tape", trace="r2/after")
    assert words(check_heard, history.evidence()) == []


def test_what_is_missing_is_not_judged() -> None:
    with pytest.raises(NotJudged, match="no margin"):
        check_open_orders(History().evidence())
    history, accepted, _ = begun()
    history.add(Margin(0, 0, 10, 10, 0, 7), S, "collateral", accepted)
    evidence = history.evidence()
    evidence.added["fills"] = 3
    with pytest.raises(NotJudged, match="fills was trimmed"):
        check_open_orders(evidence)
