"""A run on an attached fleet: nothing boots, and counters count since the mission began."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engines.fleet.status import EngineHealth, EngineStatus, Event, FleetStatus, Paths, SupervisorStatus
from reports import records
from stress import baseline
from stress import mission as missions
from stress.fleet import MissionFleet
from stress.history.stamp import stamp
from stress.options import Options
from stress.progress import Progress
from stress.run import Run


class Kept:
    """A history in memory."""

    def __init__(self) -> None:
        self.records: list[records.AnyRecord] = []

    def append(self, record: records.AnyRecord) -> None:
        self.records.append(record)


class Running(MissionFleet):
    """A fleet of one engine that has been restarted twice before."""

    attached = True

    def up(self, on_event: Callable[[Event], None]) -> FleetStatus:
        risk = EngineStatus(
            name="risk", title="Risk", state="ready", wanted=True, pid=7, uptime_s=1.0, restarts=2, rss_mb=None,
            cpu_percent=None, port=8200, critical=False, boot_s=1.5, cause="", waits_for=(),
        )  # fmt: skip
        supervisor = SupervisorStatus(
            pid=1, started_at="", uptime_s=0, launch="spawn", protocol=1, rss_mb=None, cpu_percent=None
        )
        paths = Paths(state="", logs="", store="", journal="", control="")
        return FleetStatus(
            at="", fleet="f", host="127.0.0.1", port_offset=0, supervisor=supervisor, buses=(), engines=(risk,),
            paths=paths,
        )  # fmt: skip


def row(published: int, redeliveries: int) -> records.Ledger:
    return records.Ledger(
        **stamp(), bus="market", topic="trades", consumer="risk", seconds=1.0, published=published,
        processed_unique=published, dead_lettered=0, pending=0, lost=0, deliveries=published + redeliveries,
        redeliveries=redeliveries, reordered=0,
    )  # fmt: skip


@pytest.fixture
def attached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Run, Kept, list[Progress]]:
    async def begin(*_: Any) -> dict[baseline.Key, records.Ledger]:
        return {("risk", "trades"): row(100, 3)}

    monkeypatch.setattr(baseline, "begin", begin)
    kept, said = Kept(), list[Progress]()
    history: Any = kept
    run = Run(missions.load("health"), Options(), tmp_path, Running(tmp_path), history, said.append)
    asyncio.run(run.boot())
    return run, kept, said


def test_boots_are_the_fleets_own_and_none_is_the_missions(attached: tuple[Run, Kept, list[Progress]]) -> None:
    _, kept, _ = attached
    (boot,) = kept.records
    assert isinstance(boot, records.Boot) and (boot.engine, boot.pid, boot.ready_s) == ("risk", 7, 1.5)


def test_the_ledger_counts_since_the_mission_began(attached: tuple[Run, Kept, list[Progress]]) -> None:
    run, kept, _ = attached
    run.add(row(160, 3))
    found = kept.records[-1]
    assert isinstance(found, records.Ledger)
    assert (found.published, found.processed_unique, found.redeliveries, found.lost) == (60, 60, 0, 0)


def test_so_do_restarts(attached: tuple[Run, Kept, list[Progress]]) -> None:
    run, kept, _ = attached
    for restarts in (2, 3):
        run.keep(
            [
                EngineHealth(
                    name="risk", title="Risk", port=1, status="healthy", response_ms=1.0, uptime_s=1.0, pid=7,
                    restarts=restarts,
                )
            ],
            "idle",
        )  # fmt: skip
    assert [each.restarts for each in kept.records if isinstance(each, records.Health)] == [0, 1]


def test_a_fault_is_told_to_who_looks(attached: tuple[Run, Kept, list[Progress]]) -> None:
    run, _, said = attached
    run.phase("storm", "start", measured=True)
    run.add(records.Fault(**stamp(), id="1", kind="kill", target="risk", event="inject", proven=True, proof="p"))
    assert said[-1].fault is not None and said[-1].phase == "storm"
    assert (said[-1].fault.words, said[-1].fault.event) == ("kill risk", "inject")


def test_a_phases_edges_are_told_to_the_sampler(attached: tuple[Run, Kept, list[Progress]]) -> None:
    run, _, _ = attached
    edges: list[int] = []
    run.on_edge = lambda: edges.append(1)
    run.phase("idle", "start", measured=False)
    run.phase("idle", "end", measured=False)
    assert len(edges) == 2
