"""Halt, drain, stop: when a drain is over, judged by heartbeat slots."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engines.fleet.drain import CALM_S, Drain, look, remaining
from engines.wire.beat import Pulse
from engines.wire.state import EngineState as S

DRAIN = Drain(order=("strategy", "venue"), told=2, watched=("strategy", "venue", "backend"), until=10.0)


def pulse(state: S = S.READY, orders: int = 0, lag: int = 0) -> Pulse:
    return Pulse(7, state, 1, 1, 0, orders, lag)


def all_calm() -> dict[str, Pulse]:
    return {"strategy": pulse(S.HALTED), "venue": pulse(S.HALTED), "backend": pulse()}


def test_it_is_over_once_it_was_calm_for_a_moment() -> None:
    first = look(DRAIN, all_calm(), 5.0)
    assert not first.over and first.left == ""
    assert not look(first.drain, all_calm(), 5.0 + CALM_S / 2).over
    assert look(first.drain, all_calm(), 5.0 + CALM_S + 1e-9).over


def test_the_venue_goes_on_until_the_orders_have_ended() -> None:
    first = replace(DRAIN, told=1)
    open_yet = {**all_calm(), "strategy": pulse(S.HALTED, orders=1), "venue": pulse(orders=1), "backend": pulse(lag=9)}
    assert look(first, open_yet, 1.0) == (first, False, "strategy has 1 open order", "")
    ended = {**open_yet, "strategy": pulse(S.HALTED)}
    second = look(first, ended, 1.0)
    assert second.tell == "venue" and not second.over and second.drain.told == 2
    assert look(second.drain, ended, 1.0).left == "venue has not halted; backend has messages to consume"


def test_what_is_handed_on_begins_the_moment_again() -> None:
    calm = look(DRAIN, all_calm(), 5.0).drain
    busy = look(calm, {**all_calm(), "backend": pulse(lag=1)}, 5.01)
    assert busy.left == "backend has messages to consume" and busy.drain.calm_at is None
    assert not look(busy.drain, all_calm(), 5.02).over


def test_what_is_left_is_said_and_ends_at_the_deadline() -> None:
    seen = {"strategy": pulse(S.HALTED, orders=2), "venue": pulse(), "backend": pulse(lag=3)}
    left = "strategy has 2 open orders; venue has not halted; backend has messages to consume"
    assert remaining(DRAIN, seen) == left
    assert not look(DRAIN, seen, 9.99).over
    over = look(DRAIN, seen, 10.0)
    assert over.over and over.left == left


def test_one_that_died_is_not_waited_for() -> None:
    assert remaining(DRAIN, {"venue": pulse(S.HALTED)}) == ""


@given(st.integers(0, 3), st.integers(0, 3), st.sampled_from(S), st.floats(0, 20))
def test_a_drain_never_ends_well_with_something_left(orders: int, lag: int, state: S, now: float) -> None:
    seen = {**all_calm(), "strategy": pulse(state, orders, lag)}
    found = look(replace(DRAIN, calm_at=0.0), seen, now)
    if orders or lag or state is not S.HALTED:
        assert found.left and found.over == (now >= 10.0)
    else:
        assert not found.left
