"""The connector against the TWS simulator: every kind of request, every refusal, both readings of depth."""

import asyncio
import datetime as dt
import itertools
import socket
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from engines.data.simulators import tws, tws_book, tws_wire
from engines.data.simulators.tws import Behaviour, TwsSimulator
from engines.data.simulators.tws_book import Book, Dialect, Drop, Event, Halted, Level, Reset
from engines.data.sources import errors
from engines.data.sources.endpoint import Endpoint
from engines.data.sources.errors import SourceError
from engines.data.sources.ibkr import IbkrSource, address, duration
from engines.data.sources.ibkr_errors import typed
from engines.data.sources.ibkr_link import Address, Link, Trade
from engines.data.sources.retry import Patience
from engines.data.sources.source import Request, Status, Table

DEPTH = Request(kind="depth", key="IBM", extras={"updates": "40", "seconds": "2"})


def source(port: int, **env: str) -> IbkrSource:
    return IbkrSource(Endpoint(source="ibkr", urls={"api": f"tcp://127.0.0.1:{port}"}, simulated=True), env)


def fetch(request: Request, behaviour: Behaviour | None = None) -> tuple[Table, TwsSimulator]:
    with tws.running(behaviour) as simulator:
        return source(simulator.port).fetch(request), simulator


def refused(request: Request, behaviour: Behaviour) -> SourceError:
    with tws.running(behaviour) as simulator, pytest.raises(SourceError) as caught:
        source(simulator.port).fetch(request)
    return caught.value


def books_of(table: Table) -> Book:
    sides: dict[str, list[Level]] = {"ask": [], "bid": []}
    for side, price, size in zip(table.columns["side"], table.columns["price"], table.columns["size"], strict=True):
        sides[side].append(Level(float(price), int(size)))
    return Book(tuple(sides["ask"]), tuple(sides["bid"]))


def scripted(events: list[Event]) -> Behaviour:
    return Behaviour(events=lambda symbol, rows: iter(events))


@pytest.mark.parametrize("dialect", Dialect)
def test_depth_is_a_book_that_was_streamed(dialect: Dialect) -> None:
    table, simulator = fetch(DEPTH, Behaviour(dialect=dialect, pace_s=0.0, reset_after=3))
    streamed = [event for event in simulator.sent["IBM"] if isinstance(event, Book)]
    assert books_of(table) in streamed
    assert set(table.columns["resets"]) == {1}
    assert table.provenance.simulated
    assert "account=paper" in table.provenance.url


def test_a_book_across_a_reset_holds_nothing_from_before() -> None:
    before = Book(asks=(Level(5.0, 1), Level(6.0, 1), Level(7.0, 1)), bids=(Level(4.0, 1),))
    after = Book(asks=(Level(9.0, 2),), bids=(Level(8.0, 2),))
    for dialect in Dialect:
        behaviour = Behaviour(events=lambda s, r: iter([before, Reset(), after]), dialect=dialect, pace_s=0.0)
        table, _ = fetch(Request(kind="depth", key="IBM", extras={"updates": "6", "seconds": "0.3"}), behaviour)
        assert books_of(table) == after


def test_a_halted_book_is_asked_for_again() -> None:
    rounds: Iterator[list[Event]] = iter(
        [[Book(asks=(Level(5.0, 1),)), Halted()], [Book(bids=(Level(4.0, 2),)), Book(bids=(Level(4.0, 3),))]]
    )
    table, simulator = fetch(
        Request(kind="depth", key="IBM", extras={"updates": "3", "seconds": "2"}),
        Behaviour(events=lambda symbol, rows: iter(next(rounds))),
    )
    assert books_of(table) == Book(bids=(Level(4.0, 3),))
    assert simulator.received[tws_wire.Incoming.DEPTH] == 2


def test_depth_that_is_halted_for_ever_is_given_up() -> None:
    error = refused(DEPTH, scripted([Halted()]))
    assert isinstance(error, errors.Unavailable)
    assert "316" in str(error)


def test_bars_and_trades_are_what_was_sent() -> None:
    table, _ = fetch(Request(kind="bars", key="IBM", limit=30))
    sent = tws_book.daily("IBM", 1, 30)
    assert [str(day).replace("-", "") for day in table.columns["date"]] == [row[0] for row in sent]
    for place, name in enumerate(("open", "high", "low", "close", "volume"), 1):
        assert table.columns[name].tolist() == [row[place] for row in sent]
    assert (table.provenance.newest, table.units["close"]) == ("2024-01-31", "USD")
    table, _ = fetch(Request(kind="trades", key="IBM", start=dt.date(2024, 1, 31), limit=50))
    wanted = list(itertools.islice(tws_book.trades("IBM", 1), 50))
    assert table.columns["time"].astype("datetime64[s]").astype(int).tolist() == [ts for ts, _, _ in wanted]
    assert table.columns["price"].tolist() == [price for _, price, _ in wanted]
    assert table.columns["size"].tolist() == [size for _, _, size in wanted]


def test_bars_stay_inside_their_dates() -> None:
    request = Request(kind="bars", key="IBM", start=dt.date(2024, 1, 10), end=dt.date(2024, 1, 20))
    days = fetch(request)[0].columns["date"]
    assert (days.min(), days.max()) == (np.datetime64("2024-01-10"), np.datetime64("2024-01-19"))
    assert duration(request) == "11 D"
    assert duration(Request(kind="bars", key="IBM", limit=400)) == "2 Y"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (354, errors.PremiumRequired),
        (10092, errors.BadRequest),
        (2152, errors.PremiumRequired),
        (309, errors.QuotaExhausted),
    ],
)
def test_refusals_of_depth(code: int, kind: type[SourceError]) -> None:
    behaviour = Behaviour(most_depth=0) if code == 309 else Behaviour(refuse={"IBM": code})
    error = refused(Request(kind="depth", key="IBM", extras={"seconds": "0.3"}), behaviour)
    assert type(error) is kind
    assert str(code) in str(error)


def test_other_refusals() -> None:
    bars = Request(kind="bars", key="IBM")
    assert type(refused(bars, Behaviour(refuse={"IBM": 162}))) is errors.NoData
    assert type(refused(Request(kind="bars", key="X1"), Behaviour())) is errors.NotFound
    assert type(refused(bars, Behaviour(most_rate=1))) is errors.RateLimited
    taken = refused(bars, Behaviour(taken_ids=frozenset({7310})))
    assert "IB_CLIENT_ID" in str(taken)
    assert "326" in str(taken)
    assert type(refused(Request(kind="news", key="IBM"), Behaviour())) is errors.Unsupported
    assert type(refused(Request(kind="depth", key="IBM", extras={"rows": "no"}), Behaviour())) is errors.BadRequest
    assert type(refused(DEPTH, scripted([Drop()]))) is errors.CutShort
    quiet = Request(kind="depth", key="IBM", extras={"seconds": "0.1"})
    assert type(refused(quiet, scripted([]))) is errors.NoData


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("HMDS query returned no data", errors.NoData),
        ("Historical data request pacing violation", errors.RateLimited),
        ("No market data permissions for NYSE", errors.PremiumRequired),
        ("service is down", errors.Unavailable),
    ],
)
def test_code_162_is_told_apart_by_its_text(text: str, kind: type[SourceError]) -> None:
    assert type(typed(162, text)) is kind


def test_a_silent_server_and_a_closed_port_are_unreachable() -> None:
    with tws.running(Behaviour(mute=True)) as simulator:

        async def connect() -> None:
            async with Link(Address("127.0.0.1", simulator.port, 1, connect_s=0.1)):
                pass

        with pytest.raises(errors.NoReply, match="handshake"):
            asyncio.run(connect())
        silent = IbkrSource(
            Endpoint(source="ibkr", urls={"api": f"tcp://127.0.0.1:{simulator.port}"}, simulated=True),
            {},
            Patience(connect_s=5, total_s=0.2),
        )
        with pytest.raises(errors.NoReply, match=r"0\.2 s"):
            silent.fetch(DEPTH)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    state = source(port).probe()
    assert state.status is Status.UNREACHABLE
    assert "IB Gateway" in state.evidence.detail


def test_a_probe_says_simulated_and_paper() -> None:
    with tws.running() as simulator:
        state = source(simulator.port).probe()
        assert (state.status, state.evidence.rows, state.evidence.newest) == (Status.SIMULATED, 5, "2024-01-31")
        assert state.evidence.detail == "paper account"
    with tws.running(Behaviour(account="U1234567")) as simulator:
        state = source(simulator.port).probe()
        assert state.evidence.detail == "live account"
        assert "U1234567" not in str(state)


def test_no_request_of_the_connector_is_about_orders_or_the_account() -> None:
    with tws.running() as simulator:
        for kind in IbkrSource.kinds:
            source(simulator.port).fetch(Request(kind=kind, key="IBM", start=dt.date(2024, 1, 31)))
    asked = {int(number) for number in simulator.received}
    allowed = {"START", "CONTRACT_DETAILS", "DEPTH", "CANCEL_DEPTH", "BARS", "TICKS"}
    assert asked == {int(tws_wire.Incoming[name]) for name in allowed}


def test_a_host_beyond_loopback_must_be_asked_for() -> None:
    endpoint = Endpoint(source="ibkr", urls={"api": "tcp://192.0.2.1:7497"}, simulated=False)
    with pytest.raises(errors.NotConfigured, match="IB_ALLOW_REMOTE"):
        address(endpoint, {})
    assert address(endpoint, {"IB_ALLOW_REMOTE": "1", "IB_CLIENT_ID": "9"}).client_id == 9
    with pytest.raises(errors.NotConfigured, match="IB_CLIENT_ID"):
        source(7497, IB_CLIENT_ID="one").fetch(DEPTH)


def test_a_fetch_works_in_a_thread() -> None:
    found: list[int] = []
    with tws.running() as simulator:
        thread = threading.Thread(target=lambda: found.append(len(source(simulator.port).fetch(DEPTH))))
        thread.start()
        thread.join(10)
    assert found
    assert found[0] > 0


def test_streams_hand_over_what_comes() -> None:
    async def work() -> tuple[list[Trade], list[Book], SourceError]:
        simulator = TwsSimulator(Behaviour(pace_s=0.001, refuse={"NONE": 354}))
        await simulator.start()
        trades: list[Trade] = []
        books: list[Book] = []
        enough = asyncio.Event()
        async with Link(Address("127.0.0.1", simulator.port, 3)) as link:
            contract = await link.contract("IBM", "SMART", "USD")
            with pytest.raises(SourceError) as caught:
                await link.stream_trades(await link.contract("NONE", "SMART", "USD"), trades.extend)
            tasks = [
                asyncio.create_task(link.stream_trades(contract, trades.extend)),
                asyncio.create_task(
                    link.stream_depth(
                        contract,
                        5,
                        lambda ladder: books.append(
                            Book(tuple(Level(*r) for r in ladder.asks), tuple(Level(*r) for r in ladder.bids))  # type: ignore[arg-type] # sizes come as floats
                        ),
                    )
                ),
            ]
            for _ in range(500):
                if len(trades) > 20 and len(books) > 20:
                    enough.set()
                    break
                await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert enough.is_set()
        assert books[0] in simulator.sent["IBM"]
        await simulator.close()
        return trades, books, caught.value

    trades, _, error = asyncio.run(work())
    wanted = list(itertools.islice(tws_book.trades("IBM", 1), len(trades)))
    assert [(trade.price, trade.size) for trade in trades] == [(price, size) for _, price, size in wanted]
    assert isinstance(error, errors.PremiumRequired)
