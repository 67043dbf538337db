"""Market data as a readiness check: first tick, idle, stale."""

from typing import Any

import pytest

from engines.kit.feed import Feed
from engines.wire.bus import Entry
from engines.wire.messages import Body, Header, Session, Trades, encode_body, encode_header

S = 1_000_000_000


def entry(body: Body) -> Entry:
    return Entry(body.TOPIC, "1-1", encode_header(Header("t", 1, 1, "", 0, "", 0, 0, 0)), encode_body(body))


def session(event: Any) -> Entry:
    return entry(Session(event, "flash-crash-2010", "2010-05-06", ("SPX",), (), 1, "", 1.0))


TICK = entry(Trades(("SPX",), b""))


@pytest.fixture
def feed() -> Feed:
    return Feed(("sessions", "trades", "orders"), 30.0)


def verdict(feed: Feed, at_s: float) -> tuple[str, str]:
    check = feed.check(round(at_s * S))
    assert check is not None
    return check.status, check.detail


def test_idle_is_well(feed: Feed) -> None:
    assert verdict(feed, 1e6) == ("ok", "no tick yet; no session is open")


def test_an_open_session_needs_ticks(feed: Feed) -> None:
    feed.saw([session("open")], 100 * S)
    assert verdict(feed, 129.9)[0] == "ok"
    status, detail = verdict(feed, 130.1)
    assert status == "fail" and "no tick yet, in the open session of flash-crash-2010" in detail
    feed.saw([TICK], 140 * S)
    assert verdict(feed, 141.0) == ("ok", "last tick 1.0 s ago; flash-crash-2010 is open")
    assert verdict(feed, 170.5)[0] == "fail"
    feed.saw([session("close")], 171 * S)
    assert verdict(feed, 1e6)[0] == "ok"


def test_ticks_without_a_session_are_never_stale(feed: Feed) -> None:
    feed.saw([TICK], 5 * S)
    assert verdict(feed, 9_999.0)[0] == "ok"


def test_what_cannot_be_decoded_changes_nothing(feed: Feed) -> None:
    feed.saw([session("open")], 1 * S)
    feed.saw([Entry("sessions", "1-2", b"\xff", b"\xff")], 2 * S)
    assert verdict(feed, 3.0)[1].endswith("flash-crash-2010 is open")


def test_one_that_consumes_no_ticks_has_no_check() -> None:
    assert Feed(("orders", "sessions"), 30.0).check(0) is None
