"""A start as it is shown: trouble, warming, the critical chain."""

import msgspec
import pytest

from engines.fleet.boot import Step
from engines.fleet.status import BusStatus, EngineStatus, Event, FleetStatus, Paths, SupervisorStatus
from nautilus_cli import start_view
from nautilus_cli.console import Console
from nautilus_cli.start_view import Follower
from nautilus_cli.table import layout

READY = EngineStatus(
    name="risk", title="Risk", state="ready", wanted=True, pid=1, uptime_s=1.0, restarts=0, rss_mb=None,
    cpu_percent=None, port=8200, critical=True, boot_s=0.4, cause="", waits_for=(),
)  # fmt: skip


def fleet(*steps: Step, engine: EngineStatus = READY) -> FleetStatus:
    """A fleet with this boot."""
    supervisor = SupervisorStatus(
        pid=7, started_at="", uptime_s=3.5, launch="zygote", protocol=1, rss_mb=None, cpu_percent=None
    )
    bus = BusStatus(
        name="main", state="ready", address="", external=False, pid=1, uptime_s=1.0, restarts=0, rss_mb=None, cause=""
    )
    paths = Paths(state="", logs="", store="", journal="", control="")
    return FleetStatus(
        at="", fleet="default", host="", port_offset=0, supervisor=supervisor, buses=(bus,), engines=(engine,),
        paths=paths, boot=steps,
    )  # fmt: skip


BOOT = (
    Step(name="bus-main", launched_s=0.02, released_s=0.02, ready_s=0.1),
    Step(name="zygote", launched_s=0.0, released_s=0.0, ready_s=4.5),
    Step(name="feed", launched_s=0.1, released_s=4.5, ready_s=5.0, budget_s=0.25, after=("bus-main", "zygote")),
    Step(name="risk", launched_s=0.1, released_s=5.0, ready_s=5.3, budget_s=2.0, after=("bus-main", "zygote", "feed")),
    Step(name="lone", launched_s=0.1, released_s=4.5, ready_s=4.75, after=("bus-main", "zygote")),
)


def text(now: FleetStatus) -> list[str]:
    blocks = start_view.explanation(now)
    return "\n".join(block if isinstance(block, str) else layout(block) for block in blocks).splitlines()


def test_the_critical_chain_is_explained() -> None:
    assert text(fleet(*BOOT)) == [
        "The boot took 5.30 s; it ended with risk.  Each of these released the next.",
        "",
        "UNIT    READY AT  OWN TIME  WAITED  BUDGET  NOTE",
        "zygote   @4.50 s   +4.50 s  0.00 s       -",
        "feed     @5.00 s   +0.50 s  4.40 s  0.25 s  over its budget",
        "risk     @5.30 s   +0.30 s  4.90 s  2.00 s",
        "",
        "Not on the chain, 2 units:",
        "",
        "UNIT      READY AT  OWN TIME  WAITED  BUDGET  NOTE",
        "lone       @4.75 s   +0.25 s  4.40 s       -",
        "bus-main   @0.10 s   +0.08 s  0.00 s       -",
    ]


def test_what_is_not_ready_is_named_beside_it() -> None:
    assert text(fleet()) == ["No unit has become ready yet: there is no boot to explain."]
    failed = msgspec.structs.replace(READY, state="failed")
    assert text(fleet(*BOOT, engine=failed))[-1] == "Not ready, and so not in it: risk.  Next: nautilus why risk"


def test_a_first_start_says_what_it_spent_on_warming() -> None:
    assert start_view.warmed(fleet(*BOOT)).startswith("Loading and warming took 4.50 s")
    quick = msgspec.structs.replace(BOOT[1], ready_s=0.9)
    assert start_view.warmed(fleet(quick)) == "" and start_view.warmed(fleet()) == ""


def test_warming_is_shown_and_what_took_long_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    shown: list[tuple[str, float, float]] = []

    class Seen:
        def update(self, text: str, done: float, total: float, note: str = "") -> None:
            shown.append((text, done, total))

    follower = Follower(Console(), Seen())
    for number, (at, kind, name, state, detail, done) in enumerate(
        [
            (0.1, "unit", "risk", "starting", "", 0),
            (0.2, "phase", "zygote", "", "numpy", 0),
            (0.5, "phase", "zygote", "", "engines.ml.model", 1),
            (0.6, "unit", "bus-main", "ready", "", 0),
            (9.5, "phase", "zygote", "", "engines.vpin.model", 2),
            (9.9, "unit", "risk", "ready", "", 0),
        ]
    ):
        event = {"seq": number, "elapsed_s": at, "kind": kind, "name": name, "state": state, "detail": detail}
        follower(msgspec.convert({**event, "done": done, "of": 3 * (kind == "phase"), "ready": 0, "total": 1}, Event))
    assert shown == [
        ("waiting for: risk", 0, 1),
        ("warming: numpy", 0, 3),
        ("warming: engines.ml.model", 1, 3),
        ("warming: engines.ml.model", 1, 3),
        ("warming: engines.vpin.model", 2, 3),
        ("", 0, 1),
    ]
    assert capsys.readouterr().err == "Warmed engines.ml.model in 9.00 s.\n"


def test_trouble_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    class Silent:
        def update(self, text: str, done: float, total: float, note: str = "") -> None: ...

    follower = Follower(Console(), Silent())
    for number in range(3):
        follower(Event(seq=number, elapsed_s=0.1, kind="unit", name="risk", state="crashed", detail="exit code 1"))
    follower(Event(seq=4, elapsed_s=0.2, kind="warning", name="risk", detail="over its boot budget"))
    assert capsys.readouterr().err == "risk crashed: exit code 1\nrisk: over its boot budget\n"
