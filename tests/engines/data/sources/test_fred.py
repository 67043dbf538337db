"""FRED: missing values, pages and its two kinds of refusals."""

import datetime as dt
import math

import pytest

from engines.data.simulators.fred import Fred
from engines.data.simulators.http_server import Allowance, Fault, SimulatorServer, as_json
from engines.data.sources import errors, fred
from engines.data.sources.source import Request
from engines.wire import bundle
from tests.engines.data.sources.source_rig import Connect, alone

WEEK = Request(kind="series", key="SP500", start=dt.date(2020, 2, 14), end=dt.date(2020, 2, 18))


def test_a_holiday_is_missing(connect: Connect) -> None:
    table = connect("fred").fetch(WEEK)
    assert [str(day) for day in table.columns["date"]] == ["2020-02-14", "2020-02-17", "2020-02-18"]
    values = table.columns["value"]
    assert math.isnan(values[1])  # Presidents' Day: "."
    assert values[0] == pytest.approx(bundle.bar("SPX", dt.date(2020, 2, 14)).close, abs=0.005)


def test_pages_add_up(connect: Connect, http: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = connect("fred").fetch(Request(kind="series", key="SP500", limit=25))
    monkeypatch.setattr(fred, "_PAGE", 10)
    http.asked["fred"].clear()
    paged = connect("fred").fetch(Request(kind="series", key="SP500", limit=25))
    assert [ask.params["offset"] for ask in http.asked["fred"]] == ["0", "10", "20"]
    assert paged.columns["date"].tolist() == whole.columns["date"].tolist()
    assert paged.provenance.sha256 != whole.provenance.sha256


@pytest.mark.parametrize(
    ("key", "words"), [("0" * 32, "not registered"), ("A" * 32, "lower-case"), ("12345678", "32 character")]
)
def test_wrong_keys(connect: Connect, env: dict[str, str], key: str, words: str) -> None:
    with pytest.raises(errors.AuthError) as caught:
        connect("fred", env_={**env, "FRED_API_KEY": key}).fetch(WEEK)
    assert words in caught.value.why


def test_an_unknown_series(connect: Connect) -> None:
    with pytest.raises(errors.NotFound):
        connect("fred").fetch(Request(kind="series", key="NOSUCH"))


def test_too_many_requests(env: dict[str, str], connect: Connect) -> None:
    with alone("fred", Fred(env["FRED_API_KEY"], Allowance(1, 60.0, clock=lambda: 0.0))) as server:
        source = connect("fred", server.endpoint("fred"))
        source.fetch(WEEK)
        with pytest.raises(errors.RateLimited) as caught:
            source.fetch(WEEK)
    assert caught.value.retry_after == 61


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"error_code": 400, "error_message": "Bad Request.  Variable limit is wrong."}, 400, errors.BadRequest),
        ({"count": 0, "observations": []}, 200, errors.NoData),
        ({"count": 1, "observations": [{"date": "2020-1-1", "value": "1"}]}, 200, errors.BadReply),
        ({"count": 1, "observations": [{"date": "2020-01-01", "value": ""}]}, 200, errors.BadReply),
        ({"count": 1, "observations": [{"date": "2020-01-01", "value": 1}]}, 200, errors.BadReply),
        ({"observations": []}, 200, errors.BadReply),
    ],
)
def test_other_bodies(
    http: SimulatorServer, connect: Connect, body: object, status: int, kind: type[errors.SourceError]
) -> None:
    http.fail("fred", Fault(answer=as_json(body, status)))
    with pytest.raises(kind):
        connect("fred").fetch(WEEK)
