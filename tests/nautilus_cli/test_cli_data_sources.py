"""`nautilus data sources`: eight rows, honest states, exit codes of the gate."""

import json
from collections.abc import Callable

import pytest
from typer.testing import Result

from engines.data.simulators import suite
from engines.data.sources import registry
from engines.data.sources.endpoint import Endpoint
from engines.data.sources.source import Evidence, SourceState, Status, utc_now
from nautilus_cli.commands import data_sources

Type = Callable[..., Result]


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real sources' endpoints are taken apart before anything is sent: no test leaves this machine."""

    def probe_all(found: dict[str, Endpoint], timeout: float, env: object) -> tuple[SourceState, ...]:
        assert not any(endpoint.simulated for endpoint in found.values())
        evidence = Evidence(checked_at=utc_now(), detail="not asked")
        return tuple(
            SourceState(source=name, title=registry.TITLES[name], status=Status.UNREACHABLE, evidence=evidence)
            for name in found
        )

    monkeypatch.setattr(registry, "probe_all", probe_all)


def test_simulated_says_simulated(nautilus: Type) -> None:
    done = nautilus("data", "sources", "--simulate", "--timeout", "40", "--json", "--require", "simulated")
    assert done.exit_code == 0
    document = json.loads(done.stdout)
    assert (document["schema"], document["simulated"]) == ("nautilus.sources/1", True)
    assert [each["source"] for each in document["sources"]] == list(registry.NAMES)
    for each in document["sources"]:
        assert each["status"] == "SIMULATED"
        assert each["evidence"]["rows"] > 0
        assert each["evidence"]["round_trip_ms"] > 0


def test_real_sources_that_do_not_answer(nautilus: Type, offline: None) -> None:
    done = nautilus("data", "sources")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0].split()[:2] == ["SOURCE", "STATE"]
    assert [line.split("  ")[0] for line in lines[1:]] == list(registry.TITLES.values())
    assert "8 UNREACHABLE" in done.stderr
    assert "--simulate" in done.stderr


@pytest.mark.parametrize(("required", "code"), [("live", 1), ("simulated", 1), ("configured", 0)])
def test_the_gate(nautilus: Type, offline: None, required: str, code: int) -> None:
    assert nautilus("data", "sources", "-q", "--require", required).exit_code == code


def test_the_simulators_keys_are_not_the_users(nautilus: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's key is not sent to a simulator, nor shown."""
    for variable in suite.fresh_keys():
        monkeypatch.setenv(variable, "users-own-key@example.invalid here")
    done = nautilus("data", "sources", "--simulate", "--timeout", "40", "--json")
    assert {each["status"] for each in json.loads(done.stdout)["sources"]} == {"SIMULATED"}
    assert "users-own-key" not in done.output


def test_meets() -> None:
    evidence = Evidence(checked_at=utc_now())
    state = SourceState(source="fred", title="FRED", status=Status.NOT_CONFIGURED, evidence=evidence)
    assert not data_sources._meets((state,), data_sources.Required.CONFIGURED)
    assert data_sources._meets((state,), None)
