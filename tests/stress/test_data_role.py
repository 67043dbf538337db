"""The sources of data as records: real ones by the registry's word, simulated ones never live."""

import pytest

from engines.data.sources import registry
from engines.data.sources.errors import SourceError
from engines.data.sources.source import Evidence, SourceState, Status, failed, utc_now
from stress.roles import data
from stress.specs.data import Data


@pytest.mark.parametrize("status", list(Status))
def test_every_state_is_a_record(status: Status) -> None:
    seen = Evidence(checked_at=utc_now(), round_trip_ms=1.5, rows=3, newest="2020-01-02", detail="as it was")
    state = SourceState(source="fred", title="FRED", status=status, evidence=seen)
    made = data.record("data", state, simulated=False)
    assert (made.name, made.title, made.status, made.simulated) == ("fred", "FRED", status.value, False)
    assert (made.round_trip_ms, made.rows, made.newest, made.detail) == (1.5, 3, "2020-01-02", "as it was")


def test_what_did_not_come_to_an_answer_has_none() -> None:
    made = data.record("data", failed("FRED", SourceError("fred", "It broke.")), simulated=False)
    assert (made.status, made.rows, made.round_trip_ms) == ("ERROR", None, None)


def test_each_connector_is_asked_against_its_simulator() -> None:
    states = data._asked(Data(simulate=True, timeout_s=20.0))
    made = [data.record("connectors", state, simulated=True) for state in states]
    assert [record.name for record in made] == list(registry.NAMES)
    assert {record.status for record in made} == {"SIMULATED"}
    assert all(record.rows for record in made)


def test_real_sources_are_asked_with_the_users_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent here: the registry is asked for, not answered."""
    asked = []

    def probe_all(found: object, timeout: float, env: object) -> tuple[SourceState, ...]:
        asked.append((found, timeout, env))
        return ()

    monkeypatch.setenv("FRED_API_KEY", "k" * 32)
    monkeypatch.setattr(registry, "probe_all", probe_all)
    assert data._asked(Data(timeout_s=3.0)) == ()
    ((found, timeout, env),) = asked
    assert set(found) == set(registry.NAMES)
    assert (timeout, env["FRED_API_KEY"]) == (3.0, "k" * 32)
    assert not any(endpoint.simulated for endpoint in found.values())
