"""What speaks against flying a mission on a running fleet: each reason by itself, and all of them at once."""

from collections.abc import Iterator

import msgspec
import pytest

from engines.fleet.status import BusStatus, EngineHealth, EngineStatus, FleetStatus, Paths, SupervisorStatus
from stress import mission as missions
from stress.attach import Facts, refusals
from stress.attached import unsuitable

STEP = 'kind = "clock-step", target = "risk", for_s = 1, parameters = { step_s = 5 }'
GOOD = Facts(
    owner=1000, user=1000, here=frozenset({"10.0.0.5", "127.0.0.1"}), links={"risk": (("127.0.0.1", 6379),)},
    broker_ports={}, replay="finished", feeds="idle",
)  # fmt: skip


def engine(name: str, state: str = "ready", wanted: bool = True) -> EngineStatus:
    return EngineStatus(
        name=name, title=name, state=state, wanted=wanted, pid=1, uptime_s=1.0, restarts=0, rss_mb=1.0, cpu_percent=0.0,
        port=8100, critical=False, boot_s=1.0, cause="", waits_for=(),
    )  # fmt: skip


def bus(address: str, external: bool) -> BusStatus:
    return BusStatus(
        name="main", state="ready", address=address, external=external, pid=None, uptime_s=None, restarts=0,
        rss_mb=None, cause="",
    )  # fmt: skip


def status(**changes: object) -> FleetStatus:
    told = FleetStatus(
        at="", fleet="default", host="127.0.0.1", port_offset=0,
        supervisor=SupervisorStatus(
            pid=77, started_at="", uptime_s=1.0, launch="zygote", protocol=1, rss_mb=None, cpu_percent=None
        ),
        buses=(bus("unix:///run/main.sock", False),), engines=(engine("marketdata"), engine("risk")),
        paths=Paths(state="", logs="", store="", journal="", control=""),
    )  # fmt: skip
    return msgspec.structs.replace(told, **changes)


def health(*down: str) -> list[EngineHealth]:
    return [
        EngineHealth(
            name=name, title=name, port=1, status="down" if name in down else "healthy", response_ms=1.0, uptime_s=1.0,
            pid=1, restarts=0, error="connection refused" if name in down else "",
        )
        for name in ("marketdata", "risk")
    ]  # fmt: skip


def facts(**changes: object) -> Facts:
    return msgspec.structs.replace(GOOD, **changes)


def test_a_fleet_of_ones_own_at_rest_is_taken() -> None:
    assert refusals(status(), health(), GOOD) == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"owner": 0}, "User 0 started it, and you are user 1000"),
        ({"owner": None}, "process 77"),
        ({"links": {"strategy": (("203.0.113.9", 7496),)}}, "strategy is connected to 203.0.113.9:7496 (TWS, live"),
        ({"links": {"own-engine": (("127.0.0.1", 4001),)}}, "own-engine is connected to 127.0.0.1:4001 (IB Gateway"),
        ({"broker_ports": {"marketdata": 7496, "risk": 7496}}, "IB_PORT sends marketdata, risk to port 7496"),
        ({"broker_ports": {"marketdata": 4001}}, "port 4001 (IB Gateway, live account)"),
        ({"sources": ("ibkr",), "broker_ports": {"marketdata": 9999}}, "port 9999, which is not known to be a paper"),
        ({"replay": "running"}, "A replay is running"),
        ({"replay": "building"}, "A replay is building"),
        ({"feeds": "running"}, "Feeds are running"),
        ({"replay": None}, "does not say"),
        ({"feeds": None}, "does not say"),
    ],
)
def test_each_fact_that_speaks_against_it(changes: dict[str, object], word: str) -> None:
    (reason,) = refusals(status(), health(), facts(**changes))
    assert word in reason


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"host": "192.0.2.7"}, "listen on 192.0.2.7, which is not this machine"),
        ({"host": "fleet.example.com"}, "fleet.example.com"),
        ({"buses": (bus("redis://192.0.2.7:6379", True),)}, "main bus is at redis://192.0.2.7:6379"),
        (
            {"engines": (engine("marketdata"), engine("risk", "degraded"))},
            "risk is degraded; see why: nautilus why risk",
        ),
        ({"engines": (engine("marketdata"), engine("risk", "declared", False))}, "missing that a mission needs: risk"),
    ],
)
def test_each_part_of_the_status_that_speaks_against_it(changes: dict[str, object], word: str) -> None:
    (reason,) = refusals(status(**changes), health(), GOOD)
    assert word in reason


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "0.0.0.0", "10.0.0.5", "127.8.8.8"])
def test_this_machine_has_many_names(host: str) -> None:
    own = bus(f"redis://{host}:6379", True)
    assert refusals(status(host=host, buses=(own,)), health(), GOOD) == []


def test_paper_accounts_are_taken() -> None:
    links = {"marketdata": (("127.0.0.1", 7497), ("127.0.0.1", 4002))}
    assert refusals(status(), health(), facts(sources=("ibkr", "ibkr-simulated"), links=links)) == []
    assert refusals(status(), health(), facts(sources=("ibkr",), broker_ports={"marketdata": 4002})) == []


def test_an_engine_that_does_not_answer() -> None:
    (reason,) = refusals(status(), health("risk"), GOOD)
    assert "risk does not answer" in reason and "connection refused" in reason


def test_all_reasons_are_told_at_once() -> None:
    wrong = facts(owner=0, broker_ports={"risk": 7496}, replay="running")
    found = refusals(status(host="192.0.2.7"), health("risk"), wrong)
    assert len(found) == 5


def test_a_mission_that_ends_the_supervisor_needs_its_own_fleet() -> None:
    def titles(name: str) -> Iterator[str]:
        yield from unsuitable(missions.load(name))

    assert list(titles("health")) == []
    assert any("supervisor" in words for words in titles("failover"))


def test_a_mission_whose_engines_play_faults_on_themselves_needs_its_own_fleet() -> None:
    storm = """
name = "mine"
title = "Mine"
summary = "A clock that steps."
seed = 1
[[phases]]
role = "faults"
faults = [{ kind = "clock-step", target = "risk", for_s = 1, parameters = { step_s = 5 } }]
[[criteria]]
id = "engines-alive"
"""
    (reason,) = unsuitable(missions.parse(storm))
    assert "clock-step" in reason
    assert unsuitable(missions.parse(storm.replace(STEP, 'kind = "kill", target = "risk"'))) == []
