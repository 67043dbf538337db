"""What can come true and what cannot, over statuses made up for each case."""

from typing import Any

import pytest

from engines.fleet.status import BusStatus, EngineStatus, FleetStatus, Paths, SupervisorStatus
from engines.fleet.waiting import Judgement, Target, judge
from engines.wire.errors import UnknownName


def engine(name: str, state: str, *, wanted: bool = True, waits: tuple[str, ...] = ()) -> EngineStatus:
    return EngineStatus(
        name=name, title=name, state=state, wanted=wanted, pid=None, uptime_s=None, restarts=0, rss_mb=None,
        cpu_percent=None, port=1, critical=False, boot_s=None, cause="", waits_for=waits,
    )  # fmt: skip


def fleet(*engines: EngineStatus, bus: str = "ready") -> FleetStatus:
    plain: Any = dict.fromkeys(("pid", "uptime_s", "rss_mb"))
    return FleetStatus(
        at="", fleet="default", host="", port_offset=0, engines=engines,
        paths=Paths(state="", logs="", store="", journal="", control=""),
        supervisor=SupervisorStatus(
            pid=1, started_at="", uptime_s=1, launch="spawn", protocol=1, rss_mb=None, cpu_percent=None
        ),
        buses=(BusStatus(name="main", state=bus, address="", external=False, restarts=0, cause="", **plain),),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "target", "expected"),
    [
        ("ready", "ready", Judgement()),
        ("degraded", "ready", Judgement()),
        ("degraded", "healthy", Judgement(("risk",))),
        ("ready", "healthy", Judgement()),
        ("starting", "healthy", Judgement(("risk",))),
        ("backoff", "ready", Judgement(("risk",))),
        ("failed", "ready", Judgement(("risk",), ("risk",))),
        ("stopped", "ready", Judgement(("risk",), ("risk",))),
        ("stopping", "stopped", Judgement(("risk",))),
        ("ready", "stopped", Judgement(("risk",))),
        ("backoff", "stopped", Judgement(("risk",))),
        ("failed", "stopped", Judgement()),
        ("stopped", "stopped", Judgement()),
    ],
)
def test_one_engine(state: str, target: Target, expected: Judgement) -> None:
    assert judge(fleet(engine("risk", state)), (), target) == expected
    assert judge(fleet(engine("risk", state), engine("lone", "failed")), ("risk",), target) == expected


def test_all_that_were_asked_for() -> None:
    now = fleet(engine("risk", "starting"), engine("plan", "ready"), engine("lone", "declared", wanted=False))
    assert judge(now, (), "ready") == Judgement(("risk",))
    assert judge(now, ("lone",), "ready") == Judgement(("lone",), ("lone",)), "nobody has asked for it"


def test_hopeless_is_what_waits_for_the_hopeless() -> None:
    now = fleet(
        engine("plan", "starting", waits=("risk",)),
        engine("risk", "starting", waits=("feed",)),
        engine("feed", "failed"),
    )
    assert judge(now, ("plan",), "ready").hopeless == ("plan",)
    now = fleet(engine("plan", "starting", waits=("risk",)), engine("risk", "starting"))
    assert judge(now, (), "ready").hopeless == ()
    now = fleet(engine("plan", "starting", waits=("risk",)), engine("risk", "starting", waits=("plan",)))
    assert judge(now, (), "ready").hopeless == (), "a circle is no verdict"


def test_a_restart_that_is_not_wanted_is_hopeless() -> None:
    assert judge(fleet(engine("risk", "stopping", wanted=False)), ("risk",), "ready").hopeless == ("risk",)


def test_without_a_bus_there_is_no_hope() -> None:
    assert judge(fleet(engine("risk", "starting"), bus="failed"), (), "ready").hopeless == ("risk",)


def test_unknown() -> None:
    with pytest.raises(UnknownName, match="no engine 'rsk'"):
        judge(fleet(engine("risk", "ready")), ("rsk",), "ready")
