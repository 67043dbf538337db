"""SEC EDGAR: an identity is required, older pages are followed, throttle pages are no JSON."""

import datetime as dt

import pytest

from engines.data.simulators.edgar import Edgar
from engines.data.simulators.http_server import Allowance, Answer, Fault, SimulatorServer, as_json, as_page
from engines.data.sources import errors
from engines.data.sources.source import Request, Status
from engines.wire import bundle
from tests.engines.data.sources.source_rig import Connect, alone

FILINGS = Request(kind="filings", key="320193", limit=5)


def paths(http: SimulatorServer) -> list[str]:
    return [ask.path for ask in http.asked["edgar"]]


def test_the_identity_is_sent(connect: Connect, http: SimulatorServer, env: dict[str, str]) -> None:
    table = connect("edgar").fetch(FILINGS)
    assert len(table) == 5
    assert http.asked["edgar"][0].headers["user-agent"] == env["EDGAR_IDENTITY"]
    assert paths(http) == ["/submissions/CIK0000320193.json"]


@pytest.mark.parametrize("identity", ["", "nobody", "Name without-address", "mail@example.invalid"])
def test_without_an_identity_nothing_is_sent(
    connect: Connect, http: SimulatorServer, env: dict[str, str], identity: str
) -> None:
    source = connect("edgar", env_={**env, "EDGAR_IDENTITY": identity})
    assert source.probe().status is Status.NOT_CONFIGURED
    with pytest.raises(errors.NotConfigured):
        source.fetch(FILINGS)
    assert not http.asked["edgar"]


def test_older_pages_are_read_while_they_are_needed(connect: Connect, http: SimulatorServer) -> None:
    table = connect("edgar").fetch(Request(kind="filings", key="AAPL", limit=30))
    assert len(table) == 30
    assert paths(http) == [
        "/files/company_tickers.json",
        "/submissions/CIK0000320193.json",
        "/submissions/CIK0000320193-submissions-001.json",
    ]
    filed = table.columns["filed"]
    assert (filed[1:] >= filed[:-1]).all()
    old = Request(kind="filings", key="320193", start=dt.date(2003, 1, 1), end=dt.date(2003, 12, 31))
    assert {str(day)[:4] for day in connect("edgar").fetch(old).columns["filed"]} == {"2003"}


def test_facts_are_values_with_units(connect: Connect) -> None:
    extras = {"concept": "Assets", "unit": "USD"}
    table = connect("edgar").fetch(Request(kind="facts", key="MSFT", limit=1, extras=extras))
    assert str(table.columns["end"][0]) == "2012-12-31"
    assert table.columns["value"][0] == round(bundle.bar("MSFT", dt.date(2012, 12, 31)).close * 1e9)
    assert table.columns["period"][0] == "FY 2012"


def test_full_text_search_pages(connect: Connect, http: SimulatorServer) -> None:
    dates = {"start": dt.date(2005, 1, 1), "end": dt.date(2012, 12, 31)}
    table = connect("edgar").fetch(Request(kind="search", key="IBM", limit=25, extras={"forms": "10-Q"}, **dates))
    assert [ask.params["from"] for ask in http.asked["edgar"]] == ["0", "10", "20"]
    assert len(table) == 24  # three a year
    with pytest.raises(errors.BadRequest):
        connect("edgar").fetch(Request(kind="search", key="IBM", start=dt.date(2005, 1, 1)))


def test_too_fast(connect: Connect) -> None:
    with alone("edgar", Edgar(Allowance(1, 1.0, clock=lambda: 0.0))) as server:
        source = connect("edgar", server.endpoint("edgar"))
        source.fetch(FILINGS)
        with pytest.raises(errors.RateLimited) as caught:
            source.fetch(FILINGS)
    assert caught.value.retry_after == 600


@pytest.mark.parametrize("cik", ["1", "9999999999"])
def test_an_unknown_company(connect: Connect, cik: str) -> None:
    with pytest.raises(errors.NotFound):
        connect("edgar").fetch(Request(kind="filings", key=cik))


def test_an_unknown_ticker(connect: Connect) -> None:
    with pytest.raises(errors.NotFound, match="NOSUCH"):
        connect("edgar").fetch(Request(kind="filings", key="NOSUCH"))


UNEVEN = {"accessionNumber": ["1"], "form": [], "filingDate": ["2020-01-01"]}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (as_page("SEC.gov", "Your Request Originates from an Undeclared Automated Tool", 403), errors.AuthError),
        (as_page("SEC.gov", "Request Rate Threshold Exceeded", 200), errors.RateLimited),
        (as_page("SEC.gov", "Request Rate Threshold Exceeded", 403), errors.RateLimited),
        (as_page("SEC.gov", "Slow down", 429, {"Retry-After": "5"}), errors.RateLimited),
        (as_page("SEC.gov", "Forbidden", 403), errors.AuthError),
        (as_page("SEC.gov", "Maintenance", 503), errors.Unavailable),
        (as_page("SEC.gov", "Welcome", 200), errors.BadReply),
        (Answer(b"<!DOCTYPE html><p>no type", 200), errors.BadReply),
        (as_json({"name": "X", "filings": {"recent": UNEVEN}}), errors.BadReply),
    ],
)
def test_pages_instead_of_json(
    http: SimulatorServer, connect: Connect, answer: Answer, kind: type[errors.SourceError]
) -> None:
    http.fail("edgar", Fault(answer=answer))
    with pytest.raises(kind):
        connect("edgar").fetch(FILINGS)
