"""The root of an engine's trouble, over facts made up for each kind."""

from typing import Any

import pytest

from engines.fleet.why import Diagnosis, Facts, Unit, diagnose
from engines.wire.health import Check

STAND = {"feed": (), "risk": ("feed",), "plan": ("risk",), "lone": ()}
BUSES = ("bus-main", "bus-market")


def facts(ended: str = "", asked: str = "", **changed: dict[str, Any]) -> Facts:
    """A fleet in which all is well, but for what is changed; `bus_main` stands for bus-main."""
    units = {}
    for name in (*BUSES, *STAND):
        plain: dict[str, Any] = (
            {"state": "ready", "health": "healthy", "after": (*BUSES, *STAND[name]), "port": 8200}
            if (name in STAND)
            else {"state": "ready", "bus": True}
        )
        units[name] = Unit(**{"name": name, **plain, **changed.get(name.replace("-", "_"), {})})
    return Facts("default", units, ended, asked)


def why(engine: str, *args: str, **changed: Any) -> Diagnosis:
    return diagnose(facts(*args, **changed), engine)


def test_healthy() -> None:
    found = why("risk", risk={"uptime_s": 12.4, "lines": ("a",)})
    assert found.healthy and found.kind == "healthy" and found.what == "risk is healthy." and found.next == ""
    assert found.evidence == ("risk: ready for 12 s", "risk: GET /health says healthy")
    assert found.last_lines == ()


def test_the_walk_goes_down_to_the_first_cause() -> None:
    waiting = {"state": "starting", "health": ""}
    found = why(
        "plan",
        plan={**waiting, "waits_for": ("risk",)},
        risk={**waiting, "waits_for": ("feed",)},
        feed={
            "state": "failed",
            "cause": "5 crashes in 60 s, the last: exit code 3",
            "lines": tuple("abcdefgh"),
            "bundle": "/c",
        },
    )
    assert found.chain == ("plan", "risk", "feed") and found.root == "feed" and found.kind == "failed"
    assert found.what == "feed was given up." and found.why == "5 crashes in 60 s, the last: exit code 3."
    assert found.next == "nautilus logs feed, mend it, then: nautilus restart feed"
    assert found.last_lines == tuple("defgh") and found.bundle == "/c"
    assert (
        "plan: waits for risk" in found.evidence
        and "feed: last end: 5 crashes in 60 s, the last: exit code 3" in found.evidence
    )


def test_of_several_the_one_that_will_not_mend_itself() -> None:
    found = why(
        "plan",
        plan={
            "state": "starting",
            "health": "",
            "after": ("lone", "feed", "risk"),
            "waits_for": ("lone", "feed", "risk"),
        },
        lone={"state": "starting"},
        feed={"state": "backoff"},
        risk={"state": "failed", "cause": "exit code 78"},
    )
    assert found.root == "risk"


def test_a_lost_bus_is_the_root_of_a_crash() -> None:
    found = why(
        "risk", risk={"state": "backoff", "cause": "exit code 1"}, bus_main={"state": "starting", "uptime_s": 2.0}
    )
    assert (
        found.chain == ("risk", "bus-main") and found.kind == "starting" and found.what == "bus-main is still starting."
    )


def test_a_crash_of_its_own_is_not_blamed_on_an_engine_that_is_down() -> None:
    found = why("plan", plan={"state": "backoff", "cause": "exit code 1"}, risk={"state": "failed"})
    assert found.root == "plan" and found.kind == "restarting" and found.why == "exit code 1."


def test_a_held_port() -> None:
    found = why("risk", risk={"state": "backoff", "holder": "pid 5 (nc -l)", "cause": "exit code 1"})
    assert found.kind == "port" and found.what == "risk cannot listen on port 8200."
    assert found.why == "It is held by pid 5 (nc -l)." and "--port-offset" in found.next
    assert why("risk", risk={"state": "failed", "holder": "pid 5 (nc -l)"}).kind == "port"


def test_starting_within_its_budget() -> None:
    found = why(
        "risk", risk={"state": "starting", "uptime_s": 3.21, "boot_s": 20.0, "health": "", "cause": "exit code 1"}
    )
    assert found.kind == "starting"
    assert found.why == "It has taken 3.2 s of the 20 s that its manifest gives it.  Its last end: exit code 1."


def test_waiting_for_what_is_not_known() -> None:
    found = why("risk", risk={"state": "starting", "waits_for": ("gone",), "after": ("gone",), "health": ""})
    assert found.kind == "waiting" and found.what == "risk waits for gone."


def test_degraded_names_its_checks() -> None:
    checks = (Check("store", "fail", "locked by pid 5"), Check("replay", "warn", "slow"))
    found = why("risk", risk={"state": "degraded", "health": "degraded", "checks": checks})
    assert found.kind == "degraded" and found.what == "risk is degraded: store fails."
    assert found.why == "store: locked by pid 5; replay: slow."
    assert "risk: check store fail: locked by pid 5" in found.evidence


def test_degraded_because_what_it_stands_on_is_down() -> None:
    found = why(
        "risk",
        risk={"state": "degraded", "health": "degraded"},
        feed={"state": "crashed", "cause": "killed by SIGKILL"},
    )
    assert found.chain == ("risk", "feed") and found.kind == "restarting" and found.why == "killed by SIGKILL."


def test_halted() -> None:
    found = why("risk", risk={"state": "halted", "health": "halted", "checks": (Check("kill-switch", "warn", "on"),)})
    assert (
        found.kind == "halted"
        and found.what == "risk is halted: no order leaves it."
        and found.why == "kill-switch: on."
    )


def test_silent() -> None:
    found = why("risk", risk={"health": "", "silence": "no answer within 2 s (ready)"})
    assert found.kind == "silent" and "no answer within 2 s" in found.why and "nautilus restart risk" in found.next


def test_not_asked_for_and_stopped() -> None:
    assert why("lone", lone={"state": "declared", "wanted": False}).kind == "not-asked"
    found = why("lone", "", "Asked for by uid 0.", lone={"state": "stopped", "wanted": False})
    assert (found.kind, found.why, found.next) == ("stopped", "Asked for by uid 0.", "nautilus up lone")
    found = why("lone", lone={"state": "stopped", "cause": "exit code 0"})
    assert found.kind == "stopped" and "exit code 0" in found.why
    assert why("lone", lone={"state": "stopping", "wanted": False}).kind == "stopping"


def test_an_engine_that_nobody_wants_has_no_cause_below_it() -> None:
    assert why("risk", risk={"state": "stopped", "wanted": False}, feed={"state": "failed"}).root == "risk"


def test_the_fleet_is_down() -> None:
    idle = {name.replace("-", "_"): {"state": "stopped", "health": ""} for name in (*BUSES, *STAND)}
    found = why("risk", "closed", "Asked for by uid 0 pid 1 at noon: stop.", **idle)
    assert found.kind == "down" and found.root == "risk" and found.why == "Asked for by uid 0 pid 1 at noon: stop."
    assert found.next == "nautilus up risk"
    found = why("risk", "killed", **idle)
    assert found.kind == "killed" and "killed" in found.why


def test_what_failed_before_the_fleet_went_down_is_still_the_root() -> None:
    idle: dict[str, Any] = {
        name: {"state": "stopped", "health": ""} for name in ("risk", "plan", "bus_main", "bus_market")
    }
    found = why("plan", "closed", **idle, feed={"state": "failed", "cause": "exit code 78"})
    assert found.chain == ("plan", "risk", "feed") and found.kind == "failed"


def test_manifests_that_wait_for_each_other_end_the_walk() -> None:
    round_ = {"state": "starting", "health": ""}
    found = why(
        "feed", feed={**round_, "after": ("risk",), "waits_for": ("risk",)}, risk={**round_, "waits_for": ("feed",)}
    )
    assert found.chain == ("feed", "risk") and found.kind == "waiting"


@pytest.mark.parametrize("state", ["ready", "external"])
def test_a_bus_that_works(state: str) -> None:
    assert why("bus-main", bus_main={"state": state}).healthy
