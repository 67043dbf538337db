"""What breaks, and what the supervisor makes of it: real kills, real stalls."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from toyfleet import ToyFleet

from engines.fleet import api, buses, process, resp
from engines.fleet.policy import Rules

QUICK = Rules(stall_s=0.5, grace_s=0.6, window_s=30.0, base_s=0.02)


FORKED = pytest.mark.parametrize(
    "launch", [pytest.param("zygote", marks=pytest.mark.skipif(not process.LINUX, reason="Linux only"))]
)


@pytest.fixture
def launch() -> str:
    """Spawned toys start faster; tests that depend on the zygote say so."""
    return "spawn"


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, launch: str) -> Iterator[ToyFleet]:
    monkeypatch.setenv("PYTHONPATH", "")
    toys = ToyFleet(tmp_path, launch)
    toys.spec = replace(toys.spec, rules=QUICK)
    yield toys
    toys.close()


def test_a_killed_engine_comes_back_alone(fleet: ToyFleet) -> None:
    before = {e.name: e.pid for e in fleet.up().engines}
    fleet.kill(before["feed"])
    fleet.until(lambda: fleet.engine("feed").restarts == 1 and fleet.engine("feed").state == "ready", "feed is back")
    now = fleet.status()
    after = {e.name: e.pid for e in now.engines}
    assert after.pop("feed") != before.pop("feed") and after == before
    assert fleet.engine("feed").cause == "killed by SIGKILL"


def test_a_crash_loop_is_given_up_with_its_last_words(fleet: ToyFleet) -> None:
    fleet.habit("risk", "crash")
    now = fleet.up()
    states = {e.name: e.state for e in now.engines}
    assert states == {
        "feed": "ready",
        "lone": "ready",
        "risk": "failed",
        "plan": "declared",
    }
    risk = fleet.engine("risk")
    assert risk.restarts == QUICK.crashes - 1 and "5 crashes in 30 s" in risk.cause and "exit code 3" in risk.cause
    assert risk.last_lines[-1] == "toy crashes: the reason is in its last line"
    assert fleet.engine("plan").waits_for == ("risk",)
    fleet.habit("risk")
    assert {e.state for e in api.restart("toy", "risk", home=fleet.home).engines if e.name == "risk"} == {"ready"}
    fleet.until(lambda: fleet.engine("plan").state == "ready", "what waited for it starts")


def test_a_permanent_failure_is_not_tried_again(fleet: ToyFleet) -> None:
    fleet.habit("lone", "permanent")
    fleet.up()
    lone = fleet.engine("lone")
    assert (lone.state, lone.restarts) == ("failed", 0) and "cannot succeed" in lone.cause
    assert len(fleet.diary("lone")) == 1


def test_one_that_never_becomes_ready(fleet: ToyFleet) -> None:
    manifest = fleet.root / "lone/engine.toml"
    manifest.write_text(manifest.read_text().replace("boot_s = 5.0", "boot_s = 0.2"))
    fleet.habit("lone", "never-ready")
    fleet.spec = replace(fleet.spec, rules=replace(QUICK, crashes=2))
    fleet.up()
    assert fleet.engine("lone").state == "failed" and "not ready within 0.2 s" in fleet.engine("lone").cause


def test_a_stalled_engine_leaves_its_stack_and_comes_back(fleet: ToyFleet) -> None:
    fleet.habit("risk", "stall")
    pid = next(e.pid for e in fleet.up().engines if e.name == "risk")
    fleet.until(lambda: "stalled: " in fleet.engine("risk").cause, "the stall is seen")
    fleet.habit("risk")
    assert "Current thread" in fleet.log("risk") and "loop" in fleet.log("risk")
    fleet.until(lambda: fleet.engine("risk").state == "ready" and fleet.engine("risk").pid != pid, "risk is back")


def test_one_that_is_stopped_by_a_signal_stalls_as_well(fleet: ToyFleet) -> None:
    pid = next(e.pid for e in fleet.up().engines if e.name == "lone")
    fleet.kill(pid, signal.SIGSTOP)
    fleet.until(lambda: fleet.engine("lone").restarts == 1 and fleet.engine("lone").state == "ready", "lone is back")


def test_an_announced_end_is_not_a_crash(fleet: ToyFleet) -> None:
    fleet.up()
    for number in range(1, QUICK.crashes + 2):
        api.announce("toy", "lone", reason="exercise", home=fleet.home)
        fleet.kill(fleet.engine("lone").pid)
        fleet.until(
            lambda n=number: fleet.engine("lone").restarts == n and fleet.engine("lone").state == "ready", "lone"
        )


def test_one_that_ignores_sigterm_and_one_with_children_end_with_the_fleet(fleet: ToyFleet) -> None:
    fleet.habit("plan", "deaf")
    fleet.habit("lone", "children")
    fleet.up()
    fleet.until(lambda: len(fleet.members()) == 8, "four toys, a child, a grandchild, two buses")
    api.down("toy", home=fleet.home)
    assert fleet.members() == []


def test_children_end_with_their_engine(fleet: ToyFleet) -> None:
    fleet.habit("lone", "children")
    fleet.up()
    lone = fleet.engine("lone").pid
    group = [m for m in fleet.members() if _group(m.pid) == lone and m.pid != lone]
    assert len(group) == 1
    fleet.habit("lone")
    fleet.kill(lone)
    assert process.wait_gone(group, 5.0) == []


def test_a_flood_of_output_is_bounded(fleet: ToyFleet) -> None:
    fleet.habit("lone", "flood")
    fleet.up()
    fleet.until(lambda: fleet.where.log("lone").with_name("lone.log.1").exists(), "rotation")
    assert fleet.engine("lone").state == "ready"


def test_a_degraded_engine_is_up_but_not_healthy(fleet: ToyFleet) -> None:
    fleet.habit("feed", "degraded")
    now = fleet.up()
    assert fleet.engine("feed").state == "degraded" and fleet.engine("risk").state == "ready" and not now.healthy


@FORKED
def test_the_supervisors_death_halts_engines_and_keeps_the_streams(fleet: ToyFleet) -> None:
    now = fleet.up()
    bus = buses.declare(fleet.where, buses.load_secrets(fleet.where.secrets), {})
    for each in bus:
        with resp.Connection(each.address, 2.0) as link:
            link.ask("XADD", "orders", "*", "n", 1)
    engines = [process.identify(e.pid or 0) for e in now.engines]
    fleet.kill(now.supervisor.pid)
    assert process.wait_gone([e for e in engines if e], 2.0) == []
    for each in bus:
        assert buses.working(each), "the buses outlive it"

    again = fleet.up()
    assert again.healthy and not again.already
    assert [b.pid for b in again.buses] == [b.pid for b in now.buses], "adopted"
    for each in bus:
        with resp.Connection(each.address, 2.0) as link:
            assert link.ask("XLEN", "orders") == 1
    api.down("toy", home=fleet.home)
    assert fleet.members() == []


def test_a_supervisor_that_was_suspended_blames_nobody(fleet: ToyFleet) -> None:
    """Nothing that it missed meanwhile is held against its engines."""
    fleet.spec = replace(fleet.spec, rules=replace(QUICK, stall_s=0.8))
    supervisor = fleet.up().supervisor.pid
    pids = {m.pid for m in fleet.members()}
    everyone = [supervisor, *(e.pid or 0 for e in fleet.status().engines)]
    for pid in everyone:
        fleet.kill(pid, signal.SIGSTOP)
    time.sleep(1.6)
    for pid in everyone:  # the supervisor first: it looks before they can beat again
        fleet.kill(pid, signal.SIGCONT)
        time.sleep(0.02)
    time.sleep(0.3)
    assert {m.pid for m in fleet.members()} == pids
    assert [e.restarts for e in fleet.status().engines] == [0, 0, 0, 0]


def test_down_clears_what_a_killed_supervisor_left(fleet: ToyFleet) -> None:
    now = fleet.up()
    fleet.kill(now.supervisor.pid)
    fleet.until(lambda: process.identify(now.supervisor.pid) is None, "the supervisor is gone")
    assert len(fleet.members()) >= 2, "the buses"
    api.down("toy", home=fleet.home)
    assert fleet.members() == []
    fleet.where.control.unlink(missing_ok=True)


@FORKED
def test_engines_outlive_the_zygote_and_are_forked_by_its_successor(fleet: ToyFleet) -> None:
    now = fleet.up()
    pids = {e.pid for e in now.engines} | {b.pid for b in now.buses}
    (zygote,) = [m for m in fleet.members() if m.pid not in pids]
    assert len(list(Path(f"/proc/{zygote.pid}/task").iterdir())) == 1, "a fork copies one thread and every lock"
    fleet.kill(zygote.pid, signal.SIGSTOP)
    fleet.kill(fleet.engine("lone").pid)
    fleet.until(lambda: fleet.engine("lone").state == "starting", "lone is ordered from a zygote that does not move")
    fleet.kill(zygote.pid)
    fleet.until(lambda: process.identify(zygote.pid) is None, "the zygote is gone")
    assert {e.pid for e in fleet.status().engines if e.name != "lone"} <= pids
    fleet.until(lambda: fleet.engine("lone").restarts == 1 and fleet.engine("lone").state == "ready", "lone is back")
    assert len(fleet.members()) == 7


def test_a_killed_bus_comes_back_with_its_streams(fleet: ToyFleet) -> None:
    now = fleet.up()
    main = buses.declare(fleet.where, buses.load_secrets(fleet.where.secrets), {})[0]
    with resp.Connection(main.address, 2.0) as link:
        link.ask("XADD", "orders", "*", "n", 1)
    fleet.kill(now.buses[0].pid)
    fleet.until(
        lambda: fleet.status().buses[0].restarts == 1 and fleet.status().buses[0].state == "ready", "main is back"
    )
    with resp.Connection(main.address, 2.0) as link:
        assert link.ask("XLEN", "orders") == 1


def test_a_hung_bus_is_replaced_and_keeps_its_streams(fleet: ToyFleet) -> None:
    now = fleet.up()
    market = buses.declare(fleet.where, buses.load_secrets(fleet.where.secrets), {})[1]
    with resp.Connection(market.address, 2.0) as link:
        link.ask("XADD", "trades", "*", "n", 1)
    hung = now.buses[1].pid
    assert hung is not None
    os.kill(hung, signal.SIGSTOP)
    fleet.until(
        lambda: fleet.status().buses[1].restarts == 1 and fleet.status().buses[1].state == "ready", "market is back"
    )
    assert "silent" in fleet.status().buses[1].cause
    with resp.Connection(market.address, 2.0) as link:
        assert link.ask("XLEN", "trades") == 1


def test_a_bus_that_cannot_start_ends_the_fleet_and_says_why(fleet: ToyFleet) -> None:
    fleet.state.mkdir(parents=True)
    fleet.state.chmod(0o700)
    folder = fleet.state / "bus"
    (folder / "main" / "appendonlydir").mkdir(parents=True)
    (folder / "main" / "appendonlydir" / "appendonly.aof.manifest").write_text("broken\n")
    with pytest.raises(Exception, match="bus-main cannot be started") as caught:
        fleet.up()
    assert "bus-main.log" in str(caught.value)
    fleet.until(lambda: fleet.members() == [], "nothing is left")


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0
