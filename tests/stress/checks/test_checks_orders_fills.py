"""Invariants 1 and 2: a history that holds, and for each clause histories that must fail it."""

from collections.abc import Callable

import msgspec
import pytest
from checks_rig import SYMBOLS, History, S, quote_rows, session, words

from engines.wire.messages import (
    Accepted,
    Cancelled,
    Denied,
    Fill,
    Filled,
    Halt,
    Order,
    Quotes,
    Rejected,
    Replaced,
    Side,
)
from stress.checks import fills, orders
from stress.checks.violation import Check, NotJudged

LATENCY, JITTER = 1_000_000, 500_000


def order(name: str, side: Side = 1, quantity: int = 10, limit: int | None = 1_000_000) -> Order:
    return Order(name, "s", "AAPL", side, quantity, limit)


def fill(name: str, quantity: int = 10, price: int = 999_900, ts: int = 10 * S, side: Side = 1, n: int = 1) -> Fill:
    return Fill(f"{name}/{n}", name, "s", "AAPL", side, quantity, price, 350, 1, ts)


def opened(close: bool = True, *placed: Order) -> History:
    """A session with accepted orders, one a second."""
    history = History()
    history.add(session(), producer="tape")
    for number, each in enumerate(placed or (order("a"),)):
        asked = history.add(each, number * S, "strategy")
        history.add(Accepted(each), number * S, "risk", asked)
    if close:
        history.add(session("close"), 100 * S, "tape")
    return history


def whole() -> History:
    history = opened()
    history.add(fill("a", 4), 10 * S)
    history.add(fill("a", 6, n=2), 11 * S)
    history.add(Filled("a", "AAPL"), 11 * S)
    denied = history.add(order("b"), 20 * S, "strategy")
    history.add(Denied("b", "AAPL", "HALTED", ""), 20 * S, "risk", denied)
    asked = history.add(order("c"), 21 * S, "strategy")
    history.add(Accepted(order("c")), 21 * S, "risk", asked)
    history.add(fill("c", 3, ts=22 * S), 22 * S)
    history.add(Replaced("c", "AAPL", 8, 1_000_100, False), 23 * S)
    history.add(Cancelled("c", "AAPL", 5, "requested"), 30 * S)
    return history


@pytest.mark.parametrize("clause", orders.CLAUSES, ids=lambda clause: clause.words)
def test_orders_that_hold(clause: orders.Clause) -> None:
    assert clause.check(whole().evidence()) == ()


def _undecided(history: History) -> None:
    history.add(order("z"), 40 * S, "strategy")


def _decided_twice(history: History) -> None:
    history.add(Accepted(order("a")), 12 * S, "risk")


def _never_asked(history: History) -> None:
    history.add(Accepted(order("y")), 12 * S, "risk")


def _venue_first(history: History) -> None:
    asked = history.add(order("z"), 40 * S, "strategy")
    history.add(Rejected("z", "AAPL", "", ""), 41 * S)
    history.add(Accepted(order("z")), 42 * S, "risk", asked)


def _another_order(history: History) -> None:
    history.add(order("z"), 40 * S, "strategy")
    history.add(Accepted(order("z", quantity=11)), 42 * S, "risk")
    history.add(Cancelled("z", "AAPL", 11, ""), 43 * S)


def _two_ends(history: History) -> None:
    history.add(Cancelled("a", "AAPL", 0, ""), 43 * S)


def _no_end(history: History) -> None:
    history.add(order("z"), 40 * S, "strategy")
    history.add(Accepted(order("z")), 42 * S, "risk")


def _told_twice(history: History) -> None:
    history.add(fill("c", 3, ts=22 * S), 31 * S)


def _too_much(history: History) -> None:
    history.add(fill("a", 1, n=3), 12 * S)


def _filled_short(history: History) -> None:
    history.add(order("z"), 40 * S, "strategy")
    history.add(Accepted(order("z")), 42 * S, "risk")
    history.add(fill("z", 9), 43 * S)
    history.add(Filled("z", "AAPL"), 43 * S)


def _remaining_wrong(history: History) -> None:
    history.add(order("z"), 40 * S, "strategy")
    history.add(Accepted(order("z")), 42 * S, "risk")
    history.add(fill("z", 3), 43 * S)
    history.add(Cancelled("z", "AAPL", 10, ""), 44 * S)


def _fill_of_a_denied(history: History) -> None:
    history.add(fill("b", 1), 43 * S)


def _changed_after(history: History) -> None:
    history.add(Replaced("a", "AAPL", 20, None, False), 43 * S)


Break = Callable[[History], None]


@pytest.mark.parametrize(
    ("check", "break_it", "entity"),
    [
        (orders.check_decision, _undecided, "z: risk never decided it"),
        (orders.check_decision, _decided_twice, "a: risk decided it 2 times"),
        (orders.check_decision, _never_asked, "y: it was never asked for"),
        (orders.check_decision, _venue_first, "z: it was at the venue before risk decided"),
        (orders.check_decision, _another_order, "z: risk let another order through than was asked"),
        (orders.check_one_end, _two_ends, "a: it ended 2 times: Filled, Cancelled"),
        (orders.check_one_end, _no_end, "z: its session is over and it never ended"),
        (orders.check_fills, _told_twice, "c: a fill was told twice"),
        (orders.check_fills, _too_much, "a: 11 of 10 were filled"),
        (orders.check_fills, _filled_short, "z: its end tells of 10 filled, its fills make 9"),
        (orders.check_fills, _remaining_wrong, "z: its end tells of 0 filled, its fills make 3"),
        (orders.check_fills, _fill_of_a_denied, "b: its end tells of 0 filled, its fills make 1"),
        (orders.check_silence, _too_much, "a: Fill after Filled"),
        (orders.check_silence, _fill_of_a_denied, ""),
        (orders.check_silence, _changed_after, "a: Replaced after Filled"),
    ],
)
def test_orders_that_must_fail(check: Check, break_it: Break, entity: str) -> None:
    history = whole()
    break_it(history)
    found = words(check, history.evidence())
    if entity:
        assert entity in found
    else:  # risk's denial and the venue's fill are of different senders: which was later is left open
        assert found == []


def test_an_open_order_of_a_running_session_need_not_end() -> None:
    assert orders.check_one_end(opened(False).evidence()) == ()
    later = opened(False)
    later.add(session(), producer="tape", trace="r2/before")
    assert words(orders.check_one_end, later.evidence()) == ["a: its session is over and it never ended"]


def test_orders_that_cannot_be_judged() -> None:
    with pytest.raises(NotJudged, match="no order"):
        orders.check_decision(History().evidence())
    evidence = whole().evidence()
    gone = msgspec.structs.replace(evidence, added={**evidence.added, "fills": 99})
    with pytest.raises(NotJudged, match="fills was trimmed"):
        orders.check_one_end(gone)


# ---------------------------------------------------------------------------------------------------- fills
def traded(*made: Fill, placed: tuple[Order, ...] = ()) -> History:
    history = opened(True, *placed)
    for each in made:
        history.add(each, each.ts_ns)
    return history


@pytest.mark.parametrize("clause", fills.CLAUSES, ids=lambda clause: clause.words)
def test_fills_that_hold(clause: fills.Clause) -> None:
    history = whole()
    assert clause.check(history.evidence(way_ns=(LATENCY, JITTER))) == ()


def test_a_fill_beyond_its_limit() -> None:
    assert words(fills.check_limit, traded(fill("a", price=1_000_100)).evidence()) == [
        "a: filled at 1000100, its limit was 1000000"
    ]
    sold = traded(fill("a", price=999_900, side=-1), placed=(order("a", -1),))
    assert words(fills.check_limit, sold.evidence()) == ["a: filled at 999900, its limit was 1000000"]


def test_a_changed_limit_holds_from_its_change_on() -> None:
    history = traded(fill("a", 1, price=1_000_000))
    history.add(Replaced("a", "AAPL", 10, 990_000, False), 20 * S)
    history.add(fill("a", 1, price=990_100, ts=21 * S, n=2), 21 * S)
    assert words(fills.check_limit, history.evidence()) == ["a: filled at 990100, its limit was 990000"]


def test_a_fill_off_the_tick() -> None:
    assert words(fills.check_tick, traded(fill("a", price=999_950)).evidence()) == [
        "a: filled at 999950, the tick is 100"
    ]
    untold = traded(fill("a"))
    bare = untold.evidence()
    without = msgspec.structs.replace(bare, topics={**bare.topics, "sessions": ()})
    with pytest.raises(NotJudged, match="tick of AAPL"):
        fills.check_tick(without)


def test_a_fill_before_its_order_could_be_there() -> None:
    early = traded(fill("a", ts=LATENCY - 1))
    assert words(fills.check_arrival, early.evidence(way_ns=(LATENCY, 0))) == [
        "a: filled 0.000 ms before it could be there"
    ]
    with pytest.raises(NotJudged, match="latency"):
        fills.check_arrival(early.evidence())
    assert words(fills.check_arrival, traded(fill("a", ts=-1)).evidence()) != []


def test_an_order_that_was_passed_over() -> None:
    placed = (order("a", limit=1_000_000), order("b", limit=999_900))
    history = traded(fill("b", ts=10 * S), placed=placed)
    history.add(Filled("b", "AAPL"), 10 * S)
    history.add(fill("a", ts=20 * S), 20 * S)
    evidence = history.evidence(way_ns=(LATENCY, JITTER))
    assert words(fills.check_priority, evidence) == ["a: b was filled at 999900 before it"]
    with pytest.raises(NotJudged, match="how long"):
        fills.check_priority(history.evidence())
    better = traded(fill("b", ts=10 * S), fill("a", ts=20 * S), placed=(placed[1], order("b", limit=1_000_100)))
    assert fills.check_priority(better.evidence(way_ns=(LATENCY, JITTER))) == ()


def test_a_self_trade() -> None:
    placed = (order("a"), order("b", -1, limit=999_900))
    both = traded(fill("a"), fill("b", side=-1), placed=placed)
    assert words(fills.check_self_trade, both.evidence()) == ["AAPL: bought and sold at 999900 in one instant"]
    both.add(Halt("pause", 0, "AAPL", 5 * S, 9 * S, "x"), 5 * S)
    with pytest.raises(NotJudged, match="counterparty"):
        fills.check_self_trade(both.evidence())
    both.add(Quotes(SYMBOLS, quote_rows((9 * S, "AAPL", 999_800, 999_900))), 9 * S)
    assert words(fills.check_self_trade, both.evidence()) != []  # the auction was before
