"""What an order can be and become: time in force, changes, refusals, self-trades, faults, an owner that goes."""

import math

import msgspec
import pytest

from engines.marketdata.venue import CONFIG, Venue
from engines.wire.errors import MessageError
from engines.wire.messages import (
    Accepted,
    Body,
    Cancelled,
    CancelRequested,
    Envelope,
    Fault,
    Fill,
    Filled,
    Halt,
    Order,
    Rejected,
    Replaced,
    ReplaceRejected,
    ReplaceRequested,
    decode,
    encode_header,
)
from tests.engines.marketdata.venue_rig import (
    LATE,
    LATENCY,
    Row,
    accept,
    depth,
    envelope,
    fills,
    fleet,
    live,
    order,
    play,
    quotes,
    session,
)


def codes(bodies: list[Body]) -> list[tuple[str, str]]:
    """(order, code) of rejections and cancellations."""
    return [(b.order_id, b.code) for b in bodies if isinstance(b, Rejected | Cancelled | ReplaceRejected)]


def replace(name: str, quantity: int, limit: int | None, ts: int = LATE) -> Envelope:
    return envelope(ReplaceRequested(name, quantity, limit), ts)


# ------------------------------------------------------------------------------------------ time in force
def test_what_an_ioc_order_cannot_trade_at_once_is_cancelled() -> None:
    out = play(
        session(), accept(order("a", 1, 150, 1_000, tif="ioc")), accept(order("b", -1, 10, 1_000, tif="ioc")),
        accept(order("c", -1, 130, tif="ioc")), quotes(Row(LATENCY - 1, "AAPL", 900, 1_000)),
        quotes(Row(LATE + 1, "AAPL", 990, 1_000)),
    )  # fmt: skip
    assert sorted(fills(out)) == [("a", 100, 1_000, live("a")), ("c", 100, 900, live("c"))]
    assert sorted((b.order_id, b.remaining, b.code) for b in out if isinstance(b, Cancelled)) == [
        ("a", 50, "IOC"), ("b", 10, "IOC"), ("c", 30, "IOC")
    ]  # fmt: skip


def test_an_ioc_order_that_comes_in_a_halt_is_cancelled_and_a_day_order_waits() -> None:
    halt = envelope(Halt("pause", 0, "AAPL", 0, 10 * LATE, "test"), 0)
    out = play(
        session(), halt, accept(order("now", 1, 10, tif="ioc")), accept(order("day", 1, 10)),
        quotes(Row(11 * LATE, "AAPL", 900, 1_000)),
    )  # fmt: skip
    assert codes(out) == [("now", "HALTED")]
    assert fills(out) == [("day", 10, 1_000, 11 * LATE)]


# ---------------------------------------------------------------------------------------- displayed book
def test_an_order_sweeps_the_displayed_levels_and_each_is_offered_once() -> None:
    shown = depth(LATE - 9, "AAPL", [(900, 10), (800, 5)], [(1_000, 10), (1_100, 20), (1_200, 30)])
    later = depth(LATE + 9, "AAPL", [], [(1_000, 10), (1_100, 500)])
    first, second = sorted(("a", "b"), key=live)
    out = play(
        session(), shown, later, accept(order(first, 1, 45, 1_200)), accept(order(second, 1, 40, 1_200)),
        quotes(Row(LATE, "AAPL", 900, 1_000, ask_size=7)), quotes(Row(LATE + 1, "AAPL", 900, 1_000, ask_size=4)),
        quotes(Row(LATE + 9, "AAPL", 900, 1_150, ask_size=100)),
    )  # fmt: skip
    assert fills(out) == [
        (first, 7, 1_000, LATE), (first, 20, 1_100, LATE), (first, 18, 1_200, LATE), (second, 12, 1_200, LATE),
        (second, 4, 1_200, LATE + 1),  # it rests at its limit; behind the touch nothing is left
        (second, 24, 1_200, LATE + 9),
    ]  # fmt: skip


# -------------------------------------------------------------------------------------------- self-trades
def test_an_order_that_would_meet_one_of_ours_is_cancelled_there() -> None:
    met = live("hit", LATE)
    out = play(
        session(), accept(order("rest", -1, 10, 1_000)), quotes(Row(LATE, "AAPL", 700, 1_100)),
        accept(order("hit", 1, 500, 1_200), LATE), quotes(Row(met, "AAPL", 700, 900, ask_size=30)),
        accept(order("market", 1, 5), 3 * LATE), quotes(Row(6 * LATE, "AAPL", 700, 1_100)),
    )  # fmt: skip
    assert fills(out) == [("hit", 30, 900, met)]
    assert codes(out) == [("hit", "SELF_TRADE"), ("market", "SELF_TRADE")]


# ------------------------------------------------------------------------------------------------ changes
def test_less_keeps_its_place_more_loses_it() -> None:
    names = ["a", "b", "c"]
    start = [session(), *(accept(order(n, 1, 10, 1_000)) for n in names), quotes(Row(LATE, "AAPL", 900, 1_100))]
    out = play(
        *start, replace("a", 20, 1_000), replace("b", 5, 1_000), quotes(Row(4 * LATE, "AAPL", 900, 1_050)),
        quotes(Row(4 * LATE + 1, "AAPL", 900, 1_000, ask_size=25)),
    )  # fmt: skip
    assert [(b.order_id, b.kept_place) for b in out if isinstance(b, Replaced)] == [("a", False), ("b", True)]
    assert [f[:2] for f in fills(out)] == [("b", 5), ("c", 10), ("a", 10)]


def test_a_change_of_price_takes_what_is_displayed_and_one_that_is_wrong_changes_nothing() -> None:
    out = play(
        session(), accept(order("a", 1, 10, 1_000)), quotes(Row(LATE, "AAPL", 900, 1_100)),
        replace("a", 10, 1_050), replace("a", 0, 1_100), replace("x", 1, 1), replace("a", 30, 1_200),
        quotes(Row(4 * LATE, "AAPL", 900, 1_100, ask_size=30)), replace("a", 40, 1_200),
    )  # fmt: skip
    assert codes(out) == [("a", "OFF_TICK"), ("a", "INVALID_QUANTITY"), ("x", "TOO_LATE"), ("a", "TOO_LATE")]
    assert fills(out) == [("a", 30, 1_100, live("a", LATE))]


def test_a_change_to_no_more_than_has_filled_ends_the_order() -> None:
    out = play(
        session(), accept(order("a", 1, 50, 1_000)), quotes(Row(LATE, "AAPL", 900, 1_000, ask_size=20)),
        replace("a", 20, 1_000),
    )  # fmt: skip
    assert out[-1] == Cancelled("a", "AAPL", 30, "20 had filled when it was replaced by 20", "REPLACED")


# --------------------------------------------------------------------------------------------- refusals
@pytest.mark.parametrize(
    ("made", "code"),
    [
        (order("a", 1, 0), "INVALID_QUANTITY"),
        (order("a", 1, -5), "INVALID_QUANTITY"),
        (order("a", 1, 2**70), "INVALID_QUANTITY"),
        (order("a", 1, 5, 0), "INVALID_PRICE"),
        (order("a", 1, 5, -100), "INVALID_PRICE"),
        (order("a", 1, 5, 2**70), "INVALID_PRICE"),
        (order("a", 1, 5, 1_050), "OFF_TICK"),
        (order("a", 1, 5, symbol="SPX"), "UNKNOWN_SYMBOL"),
        (order("a", 1, 5, symbol="XYZ"), "UNKNOWN_SYMBOL"),
    ],
)
def test_what_cannot_be_traded_is_rejected_with_a_code(made: Order, code: str) -> None:
    assert codes(play(session(), accept(made))) == [("a", code)]


def test_a_quantity_that_is_no_number_never_becomes_a_message() -> None:
    made = msgspec.to_builtins(order("a", 1, 1)) | {"quantity": math.nan}
    body = msgspec.msgpack.encode({"type": "Accepted", "order": made})
    with pytest.raises(MessageError):
        decode(Accepted.TOPIC, "1-1", encode_header(session().header), body)


# ------------------------------------------------------------------------------------------ owner and faults
def test_an_owner_that_goes_takes_its_orders_along_with_the_next_message_of_the_market() -> None:
    venue = Venue(replay=1)
    assert play(session(), accept(order("a", 1, 10, 100)), fleet("ready"), fleet("crashed"), venue=venue) == []
    out = play(quotes(Row(LATE, "AAPL", 900, 1_000)), accept(order("b", 1, 1)), venue=venue)
    assert codes(out) == [("a", "OWNER_GONE"), ("b", "OWNER_GONE")]
    assert isinstance(out[0], Cancelled)
    assert isinstance(out[1], Rejected)
    out = play(
        fleet("backoff"), fleet("starting", 1), fleet("ready", 1), accept(order("c", 1, 1)),
        quotes(Row(LATE + 1, "AAPL", 900, 1_000)), venue=venue,
    )  # fmt: skip
    assert fills(out) == [("c", 1, 1_000, LATE)]


def test_an_owner_that_came_back_before_its_end_was_told_has_lost_its_orders_too() -> None:
    out = play(session(), fleet("ready"), accept(order("a", 1, 1, 100)), fleet("ready", 1), accept(order("b", 1, 1)))
    assert codes(out) == [("a", "OWNER_GONE")]


def test_storms_reject_and_a_broken_connection_cancels() -> None:
    faults = (
        Fault("reject-storm", "AAPL", LATE, 2 * LATE),
        Fault("disconnect", "*", 3 * LATE, 4 * LATE),
    )
    out = play(
        session(faults=faults), accept(order("a", 1, 1, 100), LATE), accept(order("e", 1, 1, 2_500, "ESX"), LATE),
        quotes(Row(3 * LATE, "AAPL", 900, 1_000)), accept(order("b", 1, 1), 3 * LATE),
        accept(order("c", 1, 1), 4 * LATE),
        quotes(Row(6 * LATE, "AAPL", 900, 1_000)),
    )  # fmt: skip
    assert codes(out) == [("a", "REJECT_STORM"), ("e", "DISCONNECTED"), ("b", "DISCONNECTED")]
    assert fills(out) == [("c", 1, 1_000, live("c", 4 * LATE))]


def test_late_fills_come_late_and_nothing_overtakes_them() -> None:
    faults = (Fault("late-fills", "*", 0, 2 * LATE, 1.0),)
    first, second = sorted(("a", "b"), key=live)
    start = [
        session(faults=faults), accept(order(first, 1, 30, 1_000)), accept(order(second, 1, 30, 1_000)),
        quotes(Row(LATE, "AAPL", 900, 1_000, ask_size=40)), envelope(CancelRequested(second), LATE),
        quotes(Row(LATE + 10**9 - 1, "AAPL", 900, 1_100)),
    ]  # fmt: skip
    told = [(Fill, first), (Filled, first), (Fill, second), (Cancelled, second)]
    venue = Venue(replay=1)
    assert play(*start, venue=venue) == []
    late = play(quotes(Row(LATE + 10**9, "AAPL", 900, 1_100)), venue=venue)
    assert [(type(b), b.order_id) for b in late if isinstance(b, Fill | Filled | Cancelled)] == told
    closed = play(*start, session("close"))
    assert [(type(b), b.order_id) for b in closed if isinstance(b, Fill | Filled | Cancelled)] == told


def test_the_fee_of_a_share_and_a_contract() -> None:
    assert (CONFIG.fee_per_share, CONFIG.fee_per_contract) == (35, 8_500)
