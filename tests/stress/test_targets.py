"""From manifests and tape to load."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.fleet.status import EngineStatus, FleetStatus, Paths, SupervisorStatus
from engines.wire import scenario_file
from engines.wire.manifest import FieldCheck, LoadRequest, Manifest
from reports import records
from stress.load.plan import LoadPlan, OpenPhase, mistakes
from stress.load.result import Percentiles, PhaseResult, ProcessResult, Sighting, TargetCounts, TargetResult
from stress.targets import phase_records, rate_curve, stress_curve, targets


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
    load = (
        LoadRequest("health", "/health", 9),
        LoadRequest("health", "/x"),
        LoadRequest("compute", "/x", check=check, fields={"value": "object"}),
    )
    return [Manifest(name=name, title="", port=2000 + n, load=load) for n, name in enumerate(names)]


def measured(*processes: ProcessResult) -> PhaseResult:
    counts = TargetCounts(10, 10, 9, {"bad_body": 1}, 0, 4, 0)
    whole = Percentiles(10, 1000, 2000, 3000, 4000, 5000)
    slow = Sighting("r-00-00000007", "risk", "/var", "done", 77, 5000)
    bad = Sighting("r-00-00000003", "risk", "/var", "bad_body", 33, 1000, "es is missing")
    return PhaseResult(
        "p", 0, 2.0, False, {"risk": TargetResult(counts, whole)}, whole, whole, 0.5, 900, 8, 2, 4,
        slowest=(slow, bad), first_failed=(bad,), processes=processes,
    )  # fmt: skip


def test_a_phase_keeps_what_to_look_for_and_each_process_of_the_generator() -> None:
    lags = [Percentiles(5, us, us, us, us, us) for us in (100, 9000)]
    made = phase_records(measured(*(ProcessResult(n, lag, 0.25, 900) for n, lag in enumerate(lags))), "compute", 4)
    generators = [record for record in made if isinstance(record, records.Generator)]
    assert [(one.process, one.processes, one.lag_p99_ms, one.lag_hlog) for one in generators] == [
        (0, 2, 0.1, "latency/p.generator-lag-0.hlog"),
        (1, 2, 9.0, "latency/p.generator-lag-1.hlog"),
    ]
    assert {(one.bodies_checked, one.bodies_unchecked) for one in generators} == {(8, 2)}
    slowest, failed = [record for record in made if isinstance(record, records.Exemplar)]
    assert (slowest.which, slowest.request, slowest.latency_ms) == ("slowest", "r-00-00000007", 5.0)
    assert (failed.which, failed.outcome, failed.reason) == ("first-failed", "bad_body", "es is missing")
    (summary,) = [record for record in made if isinstance(record, records.LoadSummary)]
    assert summary.service_hlog == "latency/p.risk.service-time.hlog"
    alone = phase_records(measured(ProcessResult(0, lags[0], 0.5, 900)), "compute", 4)
    assert [one.lag_hlog for one in alone if isinstance(one, records.Generator)] == ["latency/p.generator-lag.hlog"]


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
    assert request.check is not None and request.fields == {"value": "object"}
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
