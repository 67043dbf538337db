"""Data.gov: pages by `after`, the demonstration key, errors with codes."""

import pytest

from engines.data.simulators.data_gov import DataGov
from engines.data.simulators.http_server import Allowance, Fault, SimulatorServer, as_json
from engines.data.sources import data_gov, errors
from engines.data.sources.limiter import Limit
from engines.data.sources.source import Request
from tests.engines.data.sources.source_rig import Connect, alone, provider

SEARCH = Request(kind="search", key="treasury yield", limit=5)


def test_pages_are_followed(connect: Connect, http: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_gov, "_PAGE", 10)
    table = connect("data_gov").fetch(Request(kind="search", key="treasury", limit=1000))
    assert len(table) == 31
    assert len(set(table.columns["slug"])) == 31
    assert [ask.params.get("after") for ask in http.asked["data_gov"]] == [None, "10", "20", "30"]
    assert table.provenance.newest is None  # data sets have no date here


def test_one_publisher(connect: Connect) -> None:
    table = connect("data_gov").fetch(Request(kind="search", key="daily", extras={"organisation": "sim-prices"}))
    assert set(table.columns["publisher"]) == {"sim-prices"}


def test_the_key_travels_in_a_header(connect: Connect, http: SimulatorServer, env: dict[str, str]) -> None:
    connect("data_gov").fetch(SEARCH)
    assert http.asked["data_gov"][0].headers["x-api-key"] == env["DATA_GOV_API_KEY"]
    connect("data_gov", env_={}).fetch(SEARCH)
    assert http.asked["data_gov"][1].headers["x-api-key"] == "DEMO_KEY"


def test_the_demonstration_key_has_its_own_limits() -> None:
    limits = provider("data_gov").limits
    assert limits({}) == (Limit(30, 3600), Limit(50, 86_400))
    assert limits({"DATA_GOV_API_KEY": "x" * 40}) == (Limit(1000, 3600),)


def test_too_many_requests(env: dict[str, str], connect: Connect) -> None:
    with alone("data_gov", DataGov("x" * 40, demo=Allowance(1, 3600, clock=lambda: 0.0))) as server:
        source = connect("data_gov", server.endpoint("data_gov"), env_={})
        source.fetch(SEARCH)
        with pytest.raises(errors.RateLimited) as caught:
            source.fetch(SEARCH)
    assert caught.value.retry_after == 3601


def test_a_wrong_key(connect: Connect) -> None:
    with pytest.raises(errors.AuthError, match="API_KEY_INVALID"):
        connect("data_gov", env_={"DATA_GOV_API_KEY": "y" * 40}).fetch(SEARCH)


def problem(code: str) -> dict[str, object]:
    return {"error": {"code": code, "message": "so it is"}}


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (problem("API_KEY_MISSING"), 403, errors.AuthError),
        (problem("API_KEY_UNVERIFIED"), 403, errors.AuthError),
        (problem("SOMETHING_NEW"), 403, errors.BadReply),
        ({"message": "Validation error", "errors": {}}, 422, errors.BadRequest),
        ({"results": []}, 200, errors.NoData),
        ({"results": [{"identifier": "1"}]}, 200, errors.BadReply),
    ],
)
def test_other_bodies(
    http: SimulatorServer, connect: Connect, body: object, status: int, kind: type[errors.SourceError]
) -> None:
    http.fail("data_gov", Fault(answer=as_json(body, status)))
    with pytest.raises(kind):
        connect("data_gov").fetch(SEARCH)


def test_the_simulator_validates(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_gov, "_PAGE", 500)
    with pytest.raises(errors.BadRequest, match="Validation error"):
        connect("data_gov").fetch(Request(kind="search", key="daily", limit=500))
