"""After a start the desk's open orders are compared with the venue's, over real HTTP."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engines.kit.runtime import Runtime
from engines.strategy.model import Desk
from engines.strategy.orders import Book, send
from engines.strategy.reconcile import VENUE, Difference, Reconciler, difference
from engines.wire.bus import MemoryBus
from engines.wire.health import Check
from engines.wire.manifest import discover, pick
from engines.wire.messages import Order, Session
from engines.wire.settings import Settings

OFFSET = 13_700
SESSION = Session("open", "s", "2010-05-06", ("SPX", "AAPL"), ("AAPL",), 1, "", 1.0)


def book(**orders: str) -> Book:
    """Order id -> its status."""
    found = Book()
    for order_id, status in orders.items():
        send(found, Order(order_id, "momentum", f"{order_id}-symbol", 1, 10, None), 0)
        found.open[order_id].status = status  # type: ignore[assignment]
    return found


@pytest.mark.parametrize(
    ("own", "venue", "said"),
    [
        ({"a": "accepted"}, ["a"], ((), ())),
        ({"a": "accepted"}, [], (("a",), ())),
        ({"a": "pending"}, [], ((), ())),
        ({}, ["b"], ((), ("b",))),
        ({"a": "partial"}, ["b"], (("a",), ("b",))),
    ],
)
def test_differences(own: dict[str, str], venue: list[str], said: tuple[tuple[str, ...], ...]) -> None:
    assert difference(book(**own), set(own), {"AAPL": venue}) == Difference(*said)


def test_an_order_that_left_after_the_start_is_not_compared() -> None:
    assert difference(book(new="accepted"), set(), {"AAPL": []}) == Difference((), ())


def test_an_order_whose_last_event_is_here_is_not_expected_there() -> None:
    ended = book(a="filled")
    ended.open["a"].owed = 10
    assert difference(ended, {"a"}, {"AAPL": []}) == Difference((), ())


class Holder:
    """The live state."""

    epoch = 1

    def __init__(self, desk: Desk) -> None:
        self.state = desk


async def reconcile(
    tmp_path: Path, desk: Desk, answers: list[bytes], until: Callable[[Reconciler], bool]
) -> Reconciler:
    """Against a venue that gives one answer after the other, the last one for ever."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answers.pop(0) if len(answers) > 1 else answers[0])
        await writer.drain()
        writer.close()

    manifests = discover()
    server = await asyncio.start_server(answer, "127.0.0.1", pick(manifests, VENUE).port + OFFSET)
    settings = Settings(state=tmp_path, port_offset=OFFSET)
    with ThreadPoolExecutor(1) as workers:
        runtime: Runtime[Desk] = Runtime(
            pick(manifests, "strategy"), settings, MemoryBus(), MemoryBus(), Holder(desk), workers, asyncio.Event(),
            asyncio.Event(),
        )  # fmt: skip
        found = Reconciler()
        task = asyncio.create_task(found.run(runtime))
        for _ in range(2_000):
            if until(found.check(desk.book)):
                break
            await asyncio.sleep(0.005)
        runtime.stop.set()
        await task
        server.close()
    return found.check(desk.book)


def said(ids: str, status: str = "200 OK") -> bytes:
    return f'HTTP/1.1 {status}\r\n\r\n{{"buys":[{ids}],"sells":[],"symbol":"AAPL"}}'.encode()


def test_it_asks_until_the_venue_agrees(tmp_path: Path) -> None:
    desk = Desk(session=SESSION, book=book(a="accepted"))
    answers = [said(""), b"HTTP/1.1 500 X\r\n\r\nbroken", said('{"order_id":"a","strategy":"momentum"}')]
    seen: list[str] = []

    def agreed(check: Check) -> bool:
        seen.append(check.detail)
        assert check.status == ("ok" if "as at the venue" in check.detail else "fail")
        return check.status == "ok"

    assert asyncio.run(reconcile(tmp_path, desk, answers, agreed)).detail == "1 were open at the start, as at the venue"
    assert any("not at the venue: ('a',)" in text for text in seen)
    assert any("does not tell its orders" in text for text in seen)


def test_a_desk_without_open_orders_asks_nobody(tmp_path: Path) -> None:
    found = asyncio.run(reconcile(tmp_path, Desk(session=SESSION), [b""], lambda check: check.status == "ok"))
    assert found == Check("orders-reconciled", "ok", "none is open")


def test_an_order_that_the_venue_does_not_know_fails_the_check(tmp_path: Path) -> None:
    desk = Desk(session=SESSION, book=book(a="accepted"))
    no_session = b"HTTP/1.1 404 Not Found\r\n\r\n{}"
    told: list[Check] = []

    def twice(check: Check) -> bool:
        told.append(check)
        return sum("not at the venue: ('a',)" in each.detail for each in told) > 40

    asyncio.run(reconcile(tmp_path, desk, [no_session], twice))
    assert {check.status for check in told} == {"fail"}
