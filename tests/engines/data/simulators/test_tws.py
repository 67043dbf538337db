"""The simulator against ib_async itself: what it streamed is what ib_async's books hold."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import ib_async
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engines.data.simulators import tws, tws_wire
from engines.data.simulators.tws import Behaviour, TwsSimulator
from engines.data.simulators.tws_book import Book, Dialect, Drop, Event, Level, Reset
from tests.engines.data.simulators.test_tws_book import books


class Desk:
    """One ib_async client of one simulator whose events leave one at a time."""

    def __init__(self, events: list[Event] | None = None, **changes: Any) -> None:
        self.gate = asyncio.Semaphore(0)
        if events is not None:
            changes |= {"events": lambda symbol, rows: iter(events), "gate": self.gate.acquire}
        self.tws = TwsSimulator(Behaviour(**changes))
        self.ib = ib_async.IB()
        self.ib.RaiseRequestErrors = True
        self.errors: list[tuple[int, int]] = []
        self.arrived = asyncio.Event()

    async def __aenter__(self) -> "Desk":
        await self.tws.start()
        self.ib.errorEvent += lambda request, code, text, contract: self.errors.append((request, code))
        self.ib.updateEvent += self.arrived.set
        await self.ib.client.connectAsync("127.0.0.1", self.tws.port, 5, 2)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.ib.client.disconnect()
        await self.tws.close()

    async def contract(self, symbol: str = "IBM") -> ib_async.Contract:
        found = await self.ib.reqContractDetailsAsync(ib_async.Stock(symbol, "SMART", "USD"))
        assert found[0].contract is not None
        return found[0].contract

    async def step(self, expects_data: bool = True) -> None:
        """Let one event go and wait until ib_async saw it."""
        self.arrived.clear()
        self.gate.release()
        if expects_data:
            await asyncio.wait_for(self.arrived.wait(), 5)
        else:
            await asyncio.sleep(0.01)


def dom(ticker: ib_async.Ticker) -> Book:
    """ib_async's book."""
    return Book(*(tuple(Level(row.price, int(row.size)) for row in side) for side in (ticker.domAsks, ticker.domBids)))


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await work()

    asyncio.run(main())


EVENTS = st.lists(st.one_of(books(), st.just(Reset())), min_size=1, max_size=8)


ONE = Book(asks=(Level(1.01, 1),), bids=(Level(1.0, 2),))


@given(EVENTS)
@example([ONE, Reset(), ONE])  # the same book after a reset is sent again, whole
@settings(max_examples=40, deadline=None)
def test_ib_async_holds_the_book_that_was_streamed(events: list[Event]) -> None:
    async def work() -> None:
        async with Desk(events) as desk:
            ticker = desk.ib.reqMktDepth(await desk.contract(), 6)
            model, resets = Book(), 0
            for event in events:
                after = event if isinstance(event, Book) else Book()
                await desk.step(expects_data=isinstance(event, Reset) or after != model)
                resets += isinstance(event, Reset)
                model = after
                assert dom(ticker) == model
            assert [code for _, code in desk.errors].count(317) == resets

    run(work)


def test_ib_async_goes_wrong_where_rows_move() -> None:
    """Why the connector keeps a ladder of its own: an insert in the middle overwrites a row of ib_async's book."""
    first = Book(asks=(Level(1.01, 1), Level(1.03, 3)))
    second = Book(asks=(Level(1.01, 1), Level(1.02, 2), Level(1.03, 3)))

    async def work() -> None:
        async with Desk([first, second], dialect=Dialect.SHIFTING) as desk:
            ticker = desk.ib.reqMktDepth(await desk.contract(), 6)
            await desk.step()
            assert dom(ticker) == first
            await desk.step()
            assert dom(ticker) == Book(asks=(Level(1.01, 1), Level(1.02, 2)))

    run(work)


def test_the_default_stream_resets_once_and_is_rebuilt() -> None:
    async def work() -> None:
        async with Desk(pace_s=0.001, reset_after=5) as desk:
            ticker = desk.ib.reqMktDepth(await desk.contract(), 5)
            while len(desk.tws.sent.get("IBM", ())) < 12:
                await asyncio.wait_for(desk.arrived.wait(), 5)
                desk.arrived.clear()
            assert [code for _, code in desk.errors if code == 317] == [317]
            assert ticker.domBids[0].price < ticker.domAsks[0].price
            desk.ib.cancelMktDepth(ticker.contract)

    run(work)


def test_refusals() -> None:
    async def work() -> None:
        async with Desk(refuse={"AAA": 354, "BBB": 10092, "CCC": 2152, "DDD": 162}, most_depth=2) as desk:
            for symbol in ("AAA", "BBB", "CCC"):
                desk.ib.reqMktDepth(await desk.contract(symbol), 5)
            contracts = [await desk.contract(symbol) for symbol in ("EEE", "FFF", "GGG")]
            for contract in contracts:
                desk.ib.reqMktDepth(contract, 5)
            await desk.ib.reqCurrentTimeAsync()
            assert [code for _, code in desk.errors] == [354, 10092, 2152, 309]
            with pytest.raises(ib_async.RequestError, match="200"):
                await desk.contract("X1")
            with pytest.raises(ib_async.RequestError, match="162"):
                await desk.ib.reqHistoricalDataAsync(
                    await desk.contract("DDD"), "", "5 D", "1 day", "TRADES", True, timeout=0
                )

    run(work)


def test_more_than_fifty_messages_a_second_are_refused() -> None:
    async def work() -> None:
        async with Desk() as desk:
            desk.ib.client.MaxRequests = 0  # ib_async would keep below the limit
            for _ in range(60):
                desk.ib.client.reqCurrentTime()
            while len(desk.errors) < 11:  # one message was the start of the API
                await asyncio.wait_for(desk.arrived.wait(), 5)
                desk.arrived.clear()
            assert {code for _, code in desk.errors} == {100}

    run(work)


def test_the_connection_breaks_in_mid_stream() -> None:
    async def work() -> None:
        book = Book(asks=(Level(2.0, 1),), bids=(Level(1.0, 1),))
        async with Desk([book, Drop()]) as desk:
            ended = asyncio.Event()
            desk.ib.disconnectedEvent += ended.set
            desk.ib.reqMktDepth(await desk.contract(), 5)
            await desk.step()
            desk.gate.release()
            await asyncio.wait_for(ended.wait(), 5)
            assert not desk.ib.client.isConnected()

    run(work)


def test_an_order_is_counted_and_refused() -> None:
    async def work() -> None:
        async with Desk() as desk:
            contract = await desk.contract()
            desk.ib.placeOrder(contract, ib_async.MarketOrder("BUY", 1))
            while not desk.errors:
                await asyncio.wait_for(desk.arrived.wait(), 5)
                desk.arrived.clear()
            assert desk.errors[0][1] == 321
            assert desk.tws.received[tws_wire.Incoming.PLACE_ORDER] == 1

    run(work)


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"API\0\xff\xff\xff\xff", b"API\0\x00\x00\x00\x03abc"])
def test_a_client_that_speaks_something_else_is_dropped(data: bytes) -> None:
    with tws.running() as simulator, socket.create_connection(("127.0.0.1", simulator.port), 5) as client:
        client.sendall(data)
        assert client.recv(100) == b""


def chunks(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    for size in sizes:
        yield data[:size]
        data = data[size:]
    yield data


@given(
    st.lists(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8")), min_size=1)),
    st.lists(st.integers(0, 9)),
)
def test_frames_survive_any_cut(messages: list[list[str]], sizes: list[int]) -> None:
    frames = tws_wire.Frames()
    data = b"API\0" + b"".join(tws_wire.frame(*fields) for fields in messages)
    assert [fields for part in chunks(data, sizes) for fields in frames.feed(part)] == messages


@pytest.mark.parametrize("offer", ["", "v1", "v177..178", "vx..y"])
def test_versions_that_do_not_meet_are_refused(offer: str) -> None:
    with pytest.raises(tws_wire.ProtocolError):
        tws_wire.agreed(offer)
