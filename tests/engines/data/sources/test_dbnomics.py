"""DBnomics: "NA", pages of series, errors inside a good status."""

import math

import pytest

from engines.data.simulators.dbnomics import DBnomics
from engines.data.simulators.http_server import Allowance, Fault, SimulatorServer, as_json
from engines.data.sources import errors
from engines.data.sources.source import Request
from engines.wire import bundle
from tests.engines.data.sources.source_rig import Connect, alone

SPX = Request(kind="series", key="SIM/CLOSE/SPX")


def test_na_is_missing(connect: Connect) -> None:
    table = connect("dbnomics").fetch(SPX)
    assert (table.columns["period"][0], math.isnan(table.columns["value"][0])) == ("1949", True)
    ours = bundle.bars("SPX").close[bundle.bars("SPX").date.astype("datetime64[Y]").astype(str) == "2008"].mean()
    assert table.columns["value"][list(table.columns["period"]).index("2008")] == pytest.approx(ours, abs=5e-5)


def test_pages_of_series(connect: Connect) -> None:
    keys = [f"SIM/CLOSE/{symbol}" for symbol in ("SPX", "IBM", "AAPL")]
    with alone("dbnomics", DBnomics(most=2)) as server:
        table = connect("dbnomics", server.endpoint("dbnomics")).fetch(Request(kind="series", key=",".join(keys)))
        assert [ask.params["offset"] for ask in server.asked["dbnomics"]] == ["0", "2"]
    assert set(table.columns["series"]) == set(keys)


@pytest.mark.parametrize("key", ["SIM/CLOSE/NOSUCH", "SIM/CLOSE/SPX,SIM/CLOSE/NOSUCH"])
def test_unknown_series(connect: Connect, key: str) -> None:
    with pytest.raises(errors.NotFound, match="series"):
        connect("dbnomics").fetch(Request(kind="series", key=key))


@pytest.mark.parametrize("key", ["SPX", "SIM//SPX", "a/b/c/d", ""])
def test_no_series_key(connect: Connect, http: SimulatorServer, key: str) -> None:
    with pytest.raises(errors.BadRequest):
        connect("dbnomics").fetch(Request(kind="series", key=key))
    assert not http.asked["dbnomics"]


def test_too_many_requests(connect: Connect) -> None:
    with alone("dbnomics", DBnomics(second=Allowance(1, 1.0, clock=lambda: 0.0))) as server:
        source = connect("dbnomics", server.endpoint("dbnomics"))
        source.fetch(SPX)
        with pytest.raises(errors.RateLimited) as caught:
            source.fetch(SPX)
    assert caught.value.retry_after == 1


def found(values: list[object], days: list[str]) -> dict[str, object]:
    doc = {"provider_code": "P", "dataset_code": "D", "series_code": "S"}
    docs = [{**doc, "period": ["2020"], "period_start_day": days, "value": values}]
    return {"series": {"num_found": 1, "docs": docs}}


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"errors": [{"message": "internal trouble"}]}, 200, errors.BadReply),
        ({"errors": [{"message": "bad limit"}]}, 400, errors.BadRequest),
        ({"errors": [{"message": "down"}]}, 502, errors.Unavailable),
        (found(["n.a."], ["2020-01-01"]), 200, errors.BadReply),
        (found([1.0, 2.0], ["2020-01-01"]), 200, errors.BadReply),
        (found([1.0], ["2020"]), 200, errors.BadReply),
        ({"series": {"num_found": 0, "docs": []}}, 200, errors.NoData),
    ],
)
def test_other_bodies(
    http: SimulatorServer, connect: Connect, body: object, status: int, kind: type[errors.SourceError]
) -> None:
    http.fail("dbnomics", Fault(answer=as_json(body, status)))
    with pytest.raises(kind):
        connect("dbnomics").fetch(SPX)
