"""Hops: what is recorded from messages' own stamps."""

from hdrh.histogram import HdrHistogram

from engines.kit.hops import Hops
from engines.wire.messages import Envelope, Fleet, Header

MS = 1_000_000


def message(topic: str, intended: int, sent: int, cause: str = "", trace: str = "r1/window") -> Envelope:
    return Envelope(topic, "1-0", Header("p", 1, 1, cause, 0, trace, 0, intended, sent), Fleet(()))


def times(hops: Hops) -> dict[str, tuple[int, float]]:
    found = {name: HdrHistogram.decode(text) for name, text in hops.encoded().items()}
    return {name: (each.get_total_count(), round(each.get_max_value() / 1000, 1)) for name, each in found.items()}


def test_a_root_message_counts_from_its_due_time_and_from_its_sending() -> None:
    hops = Hops()
    hops.record([message("trades", 10 * MS, 14 * MS), message("bars", 10 * MS, 18 * MS, "trades/1-0")], 20 * MS)
    assert times(hops) == {"r1/window trades": (1, 10.0), "r1/window trades bus": (1, 6.0), "r1/window bars": (1, 10.0)}
    assert hops.last_message_ns == 20 * MS


def test_what_has_no_due_time_is_left_out() -> None:
    hops = Hops()
    hops.record([message("fleet", 0, 5 * MS)], 20 * MS)
    assert times(hops) == {}


def test_the_oldest_traces_make_room() -> None:
    hops = Hops()
    for number in range(200):
        hops.record([message("trades", 1, 2, trace=f"r{number}/window")], 20 * MS)
    kept = times(hops)
    assert len(kept) <= 96
    assert "r199/window trades bus" in kept and "r0/window trades" not in kept


def test_requests_make_room_before_replays() -> None:
    hops = Hops()
    hops.record([message("trades", 1, 2)], 20 * MS)
    for number in range(200):
        hops.record([message("orders", 1, 2, trace=f"request/kill-{number}")], 20 * MS)
    kept = times(hops)
    assert len(kept) <= 96
    assert {"r1/window trades", "r1/window trades bus", "request/kill-199 orders bus"} <= kept.keys()
    assert "request/kill-0 orders" not in kept
