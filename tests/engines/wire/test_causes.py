"""What belongs to a request or a message: the closure on random forests, and on an order's way to its fill."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.wire.bus import Entry
from engines.wire.causes import Link, closure, link_of, of_message, of_request, read
from engines.wire.errors import MessageError
from engines.wire.messages import (
    Accepted,
    Body,
    Cancel,
    Envelope,
    Fill,
    Header,
    Order,
    Positions,
    Session,
    Trades,
    encode_body,
    encode_header,
)


def header(cause: str = "", trace: str = "r1/window", intended: int = 0, sent: int = 0) -> Header:
    return Header("e", 1, 1, cause, 0, trace, 0, intended, sent)


@st.composite
def forests(draw: st.DrawFn) -> list[Link]:
    """Links in any order; each is caused by an earlier one, by one that is gone, or by nothing."""
    links: list[Link] = []
    for number in range(draw(st.integers(0, 25))):
        causes = st.sampled_from(["", "gone/1", *(link.id for link in links)])
        kind = draw(st.sampled_from(["Order", "Fill", "Bars"]))
        order = "" if kind == "Bars" else draw(st.sampled_from(["", "a", "b", "c"]))
        links.append(Link(f"t/{number}", header(draw(causes)), kind, order))
    return draw(st.permutations(links))


@given(forests(), st.data())
def test_the_closure_is_complete_and_minimal(links: list[Link], data: st.DataObject) -> None:
    roots = {link.id for link in links if data.draw(st.booleans())}
    chosen = closure(links, roots)
    by_id = {link.id: link for link in links}

    def ordered(ids: set[str]) -> set[str]:
        return {by_id[each].order for each in ids if by_id[each].kind == "Order"} - {""}

    assert roots <= chosen
    for link in links:  # complete: what a chosen one leads to is chosen
        if link.header.cause in chosen or link.order in ordered(chosen):
            assert link.id in chosen
    reached = set(roots)  # minimal: every chosen one is led to, from the roots, step by step
    while True:
        more = {
            link.id for link in links if link.header.cause in reached or link.order in ordered(reached)
        } - reached  # fmt: skip
        if not more:
            break
        reached |= more
    assert chosen == reached


ORDER = Order("m-1", "momentum", "AAPL", -1, 100)
FILL = Fill("f", "m-1", "momentum", "AAPL", -1, 100, 10, 0, 1)


def path() -> list[Envelope]:
    """A kill switch that arrived at 1,000 withdraws one order and closes a position; a later tick fills that."""
    kill, window = "request/kill-1", "r1/window"
    told: list[tuple[str, str, Header, Body]] = [
        ("trades", "1-7", header("", window, 500, 600), Trades((), b"")),
        ("orders", "1-1", header("", kill, 1_000, 3_000), Cancel("m-0", "momentum")),
        ("orders", "1-2", header("", kill, 1_000, 3_100), ORDER),
        ("order-events", "1-1", header("orders/1-2", kill, 1_000, 4_000), Accepted(ORDER)),
        ("trades", "1-8", header("", window, 8_000, 8_100), Trades((), b"")),
        ("fills", "1-1", header("trades/1-8", window, 8_000, 9_000), FILL),
        ("positions", "1-1", header("fills/1-1", window, 8_000, 9_500), Positions((), 0, 0, 0)),
        ("fills", "1-2", header("trades/1-8", window, 8_000, 9_000), Fill("g", "x-9", "s", "AAPL", 1, 1, 1, 0, 1)),
    ]
    return [Envelope(*each) for each in told]


def test_a_request_is_followed_through_an_order_to_its_fill() -> None:
    found = of_request(map(link_of, path()), "kill-1")
    assert [(effect.link.id, effect.after_ns) for effect in found] == [
        ("orders/1-1", 2_000), ("orders/1-2", 2_100), ("order-events/1-1", 3_000), ("fills/1-1", 8_000),
        ("positions/1-1", 8_500),
    ]  # fmt: skip
    assert of_request(map(link_of, path()), "kill-2") == ()


def test_a_tick_is_followed_from_when_it_was_due_also_when_it_is_gone() -> None:
    links = [link_of(message) for message in path()]
    later = [("trades/1-8", 100), ("fills/1-1", 1_000), ("fills/1-2", 1_000), ("positions/1-1", 1_500)]
    assert [(effect.link.id, effect.after_ns) for effect in of_message(links, "trades/1-8")] == later
    without = [link for link in links if link.id != "trades/1-8"]
    assert [(effect.link.id, effect.after_ns) for effect in of_message(without, "trades/1-8")] == later[1:]
    assert of_message(links, "trades/9-9") == ()


def test_a_session_belongs_to_the_request_that_asked_for_it_and_its_ticks_do_not() -> None:
    session = Session("open", "s", "2010-05-06", (), (), 1, "", 1.0, request="op-1", requested_ns=50)
    opened = Envelope("sessions", "1-0", header("", "r1/before", 0, 90), session)
    caused = Envelope("positions", "1-0", header("sessions/1-0", "r1/before", 0, 95), Positions((), 0, 0, 0))
    found = of_request(map(link_of, [opened, caused, *path()]), "op-1")
    assert [(effect.link.id, effect.after_ns) for effect in found] == [("sessions/1-0", 40), ("positions/1-0", 45)]


def test_an_entry_gives_the_link_of_its_message() -> None:
    for message in path():
        stored = Entry(message.topic, message.entry_id, encode_header(message.header), encode_body(message.body))
        assert read(stored) == link_of(message)
    assert read(stored._replace(topic="trades", body=b"\xc1")).kind == "Trades", "a batch of ticks stays undecoded"
    for topic in ("orders", "no-topic"):
        with pytest.raises(MessageError):
            read(stored._replace(topic=topic, body=b"\xc1"))
