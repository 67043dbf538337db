"""From manifests and tape to load."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.fleet.status import EngineStatus, FleetStatus, Paths, SupervisorStatus
from engines.wire import scenario_file
from engines.wire.manifest import FieldCheck, LoadRequest, Manifest
from stress.load.plan import LoadPlan, OpenPhase, mistakes
from stress.targets import rate_curve, stress_curve, targets


def fleet(*names: str) -> FleetStatus:
    supervisor = SupervisorStatus(
        pid=1, started_at="", uptime_s=0, launch="spawn", protocol=1, rss_mb=None, cpu_percent=None
    )
    engines = tuple(
        EngineStatus(
            name=name, title="", state="ready", pid=1, uptime_s=0, restarts=0, rss_mb=None, cpu_percent=None,
            port=20_000 + n, critical=False, boot_s=None, cause="", waits_for=(), wanted=True,
        )
        for n, name in enumerate(names)
    )  # fmt: skip
    paths = Paths(state="", logs="", store="", journal="", control="")
    return FleetStatus(
        at="", fleet="f", host="127.0.0.1", port_offset=0, supervisor=supervisor, buses=(), engines=engines, paths=paths
    )


def manifests(*names: str) -> list[Manifest]:
    check = FieldCheck("value.var", 0.02, 0.04)
    load = (LoadRequest("health", "/health", 9), LoadRequest("health", "/x"), LoadRequest("compute", "/x", check=check))
    return [Manifest(name=name, title="", port=2000 + n, load=load) for n, name in enumerate(names)]


@given(st.integers(13, 6000))
def test_connections_are_shared_exactly(connections: int) -> None:
    names = [f"e{n}" for n in range(13)]
    made = targets(manifests(*names), fleet(*names), "health", connections)
    assert sum(t.connections for t in made) == connections
    assert max(t.connections for t in made) - min(t.connections for t in made) <= 1
    assert mistakes(LoadPlan(made, (OpenPhase("p", (1.0,)),))) == []


def test_only_running_engines_and_the_chosen_mix() -> None:
    (made,) = targets(manifests("a", "b"), fleet("b"), "compute", 13)
    assert (made.name, made.port) == ("b", 20_000)
    (request,) = made.requests
    assert request.check is not None
    assert (request.check.field, request.check.equals) == ("value.var", pytest.approx(0.03))
    assert request.check.tolerance == pytest.approx(0.01)


def test_the_rate_follows_the_stress() -> None:
    scenario = scenario_file.load("flash-crash-2010")
    stress = stress_curve(scenario, 1.0)
    rate = rate_curve(stress, 7000.0, 0.2)
    assert len(stress) == 60
    assert min(stress) >= 0 and max(stress) == pytest.approx(1.0, abs=0.15)
    assert int(np.argmax(stress)) == 23  # 14:45:28 is 23.2 s after 14:30 at 40x
    assert max(rate) <= 7000 and min(rate) >= 1400
    assert rate[0] == pytest.approx(7000 * (0.2 + 0.8 * stress[0]))
