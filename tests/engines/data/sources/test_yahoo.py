"""Yahoo through yfinance: the simulator is reached like Yahoo, errors are typed, and yfinance is left as it was."""

import datetime as dt
import socket
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from engines.data.simulators.http_server import Allowance, Answer, Fault, SimulatorServer, as_json, as_page
from engines.data.simulators.yahoo import Yahoo
from engines.data.sources import errors, yahoo
from engines.data.sources.endpoint import PUBLISHED, Endpoint
from engines.data.sources.retry import Patience
from engines.data.sources.source import Request, Status
from engines.data.sources.yahoo import YahooSource
from engines.wire import bundle
from tests.engines.data.sources.source_rig import ONCE, alone

WEEK = Request(kind="bars", key="MSFT", start=dt.date(2008, 10, 6), end=dt.date(2008, 10, 10))
CHART = "/v8/finance/chart/MSFT"


@pytest.fixture(autouse=True)
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yahoo, "LIMITS", ())


@pytest.fixture
def source(http: SimulatorServer) -> Iterator[YahooSource]:
    found = YahooSource(http.endpoint("yahoo"), {}, ONCE)
    yield found
    found.close()


def charts(http: SimulatorServer) -> int:
    return sum(ask.path.startswith("/v8/finance/chart/") for ask in http.asked["yahoo"])


def test_bars_are_the_bundles(source: YahooSource) -> None:
    table = source.fetch(WEEK)
    ours = bundle.bars("MSFT", WEEK.start, WEEK.end)
    assert table.columns["date"].tolist() == ours.date.tolist()
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_allclose(table.columns[name], getattr(ours, name), rtol=1e-12)
    assert table.units["close"] == "USD"
    assert table.provenance.newest == "2008-10-10"
    assert table.provenance.url.endswith(CHART)  # without the crumb


def test_a_probe_says_simulated(source: YahooSource) -> None:
    state = source.probe()
    assert (state.status, state.evidence.rows, state.evidence.newest) == (Status.SIMULATED, 5, "2013-03-01")


def test_every_fetch_asks_again(source: YahooSource, http: SimulatorServer) -> None:
    """yfinance would answer the same question from its memory, whoever it had asked."""
    source.fetch(WEEK)
    first = charts(http)
    source.fetch(WEEK)
    assert charts(http) == 2 * first


def test_yfinance_is_left_as_it_was(source: YahooSource, http: SimulatorServer) -> None:
    import yfinance
    from yfinance import cache
    from yfinance.data import YfData

    def state() -> tuple[object, ...]:
        debug, network = yfinance.config.debug, yfinance.config.network
        known = type(YfData)._instances.get(YfData)
        return debug.hide_exceptions, network.retries, cache.get_tz_cache, cache.get_cookie_cache, known

    mine = YfData()
    try:
        before = state()
        assert before[0] is True
        source.fetch(WEEK)
        assert state() == before
        assert state()[-1] is mine
        http.fail("yahoo", *[Fault(answer=Answer(b"{}", 500))] * 9)
        with pytest.raises(errors.Unavailable):
            source.fetch(WEEK)
        assert state() == before
        assert YfData.cache_get.cache_info().currsize == 0
    finally:
        type(YfData)._instances.pop(YfData)


def test_two_connectors_at_once_do_not_mix(http: SimulatorServer) -> None:
    with alone("yahoo", Yahoo()) as other:
        sources = [YahooSource(server.endpoint("yahoo"), {}, ONCE) for server in (http, other)]
        tables: dict[int, list[str]] = {}
        for server in (http, other):
            server.fail("yahoo", *[Fault(delay_s=0.05)] * 8)  # so that the two would meet

        def work(number: int) -> None:
            tables[number] = [sources[number].fetch(WEEK).provenance.url for _ in range(3)]

        threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        for number, server in enumerate((http, other)):
            assert set(tables[number]) == {server.endpoint("yahoo").url(CHART)}
            sources[number].close()
        import yfinance

        assert yfinance.config.debug.hide_exceptions is True


NULLS = {"open": [None], "high": [None], "low": [None], "close": [None], "volume": [None]}


def test_a_frame_without_one_row_is_an_error(source: YahooSource, http: SimulatorServer) -> None:
    meta = {"exchangeTimezoneName": "America/New_York", "instrumentType": "EQUITY", "currency": "USD"}
    result = {
        "meta": meta,
        "timestamp": [1223303400],
        "indicators": {"quote": [NULLS], "adjclose": [{"adjclose": [None]}]},
    }
    answer = as_json({"chart": {"result": [result], "error": None}})
    http.fail("yahoo", Fault(), Fault(), *[Fault(answer=answer)] * 9)
    with pytest.raises(errors.NoData, match="frame is empty"):
        source.fetch(WEEK)


def test_unknown_symbols_and_empty_frames(source: YahooSource) -> None:
    with pytest.raises(errors.NotFound):
        source.fetch(Request(kind="bars", key="NOSUCH"))
    with pytest.raises(errors.NoData):
        source.fetch(Request(kind="bars", key="MSFT", start=dt.date(1990, 1, 1), end=dt.date(1990, 1, 31)))


def test_too_many_requests() -> None:
    with alone("yahoo", Yahoo(Allowance(1, 1.0, clock=lambda: 0.0))) as server:
        source = YahooSource(server.endpoint("yahoo"), {}, ONCE)
        with pytest.raises(errors.RateLimited) as caught:
            source.fetch(WEEK)
        assert caught.value.retry_after == 1.0
        source.close()


ZONE = {"exchangeTimezoneName": "America/New_York"}
EMPTY = {"chart": {"result": [{"meta": ZONE, "indicators": {"quote": [{}]}}], "error": None}}


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(answer=as_page("Yahoo", "Will be right back", 200)), errors.Unavailable),
        (Fault(answer=Answer(b"{}", 503)), errors.Unavailable),
        (Fault(answer=Answer(b"no", 401)), errors.AuthError),
        (Fault(answer=as_json({"chart": {"result": None, "error": {"description": "gone"}}})), errors.NoData),
        (Fault(answer=as_json(EMPTY)), errors.NoData),
        (Fault(answer=Answer(b"[]")), errors.BadReply),
        (Fault(garble=True), errors.BadReply),
        (Fault(cut=True), errors.CutShort),
        (Fault(delay_s=5), errors.NoReply),
    ],
)
def test_faults_are_typed(http: SimulatorServer, fault: Fault, kind: type[errors.SourceError]) -> None:
    source = YahooSource(http.endpoint("yahoo"), {}, Patience(connect_s=0.1, read_s=0.3, total_s=9, attempts=1))
    http.fail("yahoo", Fault(), Fault(), *[fault] * 20)  # the cookie and the crumb are had
    with pytest.raises(kind) as caught:
        source.fetch(WEEK)
    assert caught.value.source == "yahoo"
    source.close()


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    endpoint = Endpoint(source="yahoo", urls=dict.fromkeys(PUBLISHED["yahoo"], url), simulated=True)
    source = YahooSource(endpoint, {}, ONCE)
    assert source.probe().status is Status.UNREACHABLE
    source.close()


def test_a_redirect_to_another_host_is_refused(http: SimulatorServer, source: YahooSource) -> None:
    with alone("yahoo", Yahoo()) as other:
        there = Answer(b"", 302, headers={"Location": other.endpoint("yahoo").url("/v8/finance/chart/MSFT?range=1d")})
        http.fail("yahoo", Fault(), Fault(), *[Fault(answer=there)] * 9)
        with pytest.raises(errors.BadReply, match="another host"):
            source.fetch(WEEK)


@pytest.mark.parametrize(
    "request_",
    [
        Request(kind="depth", key="MSFT"),
        Request(kind="bars", key="MSFT", extras={"interval": "1s"}),
        Request(kind="bars", key="MSFT", start=dt.date(2020, 1, 2), end=dt.date(2020, 1, 1)),
    ],
)
def test_what_cannot_be_is_not_sent(source: YahooSource, http: SimulatorServer, request_: Request) -> None:
    with pytest.raises((errors.Unsupported, errors.BadRequest)):
        source.fetch(request_)
    assert not http.asked["yahoo"]
