"""Abort conditions: when one has held, what can never hold, and what a second of load shows."""

import asyncio

import pytest

from reports import records
from stress.abort import Aborts, conditions, mistakes, of_round, of_second
from stress.condition import read
from stress.guard import Guard
from stress.load.result import LoadSecond, TargetCounts
from stress.mission import FOLDER, Mission, MissionErrors, load, parse
from stress.progress import Light, Progress
from stress.specs.idle import Idle
from stress.specs.storm import Storm

FLASH = (FOLDER / "flash-crash.toml").read_text()
S = 1_000_000_000
STORM = Storm(scenario="flash-crash-2010", mix="health", connections=100)


def aborts(text: str, phase: str = "") -> Aborts:
    found = read(text)
    assert found is not None
    return Aborts([(phase, found)])


def test_a_condition_must_hold_for_as_long_as_it_says() -> None:
    watch = aborts("errors_share > 0.5 for 3 s")
    seen = [watch.saw(n * S, "window", {"errors_share": share}) for n, share in enumerate([0.6, 0.9, 0.4, 0.6, 1, 1])]
    assert seen == [None] * 6  # the third second interrupted it
    held = watch.saw(6 * S, "window", {"errors_share": 0.7})
    assert held is not None and (held.value, held.since_ns, held.at_ns) == (0.7, 3 * S, 6 * S)


def test_without_a_time_one_look_is_enough_and_other_metrics_change_nothing() -> None:
    watch = aborts("memory_mb > 1500")
    assert watch.saw(S, "window", {"rps": 0.0, "errors": 9.0}) is None
    held = watch.saw(2 * S, "window", {"memory_mb": 1500.5})
    assert held is not None and held.phase == "window"
    patient = aborts("rps < 1 for 2 s")
    assert patient.saw(0, "a", {"rps": 0.0}) is None
    assert patient.saw(1 * S, "a", {"engines_down": 1.0}) is None  # says nothing of the rate
    assert patient.saw(2 * S, "a", {"rps": 0.0}) is not None


def test_a_phase_has_its_own() -> None:
    watch = aborts("rps < 1 for 2 s", "window")
    assert [watch.saw(n * S, "idle", {"rps": 0.0}) for n in range(5)] == [None] * 5
    assert watch.saw(5 * S, "window", {"rps": 0.0}) is None
    assert watch.saw(6 * S, "other", {"rps": 0.0}) is None  # its time begins anew
    assert watch.saw(7 * S, "window", {"rps": 0.0}) is None
    assert watch.saw(9 * S, "window", {"rps": 0.0}) is not None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("errors_share > 1 for 5 s", "it never holds: errors_share is at most 1"),
        ("errors_share >= 1.01", "it never holds"),
        ("engines_down > 13", "it never holds: engines_down is at most 13"),
        ("rps < 0", "it never holds"),
        ("memory_mb <= -1", "it never holds"),
        ("rps >= 0", "it always holds"),
        ("errors_share <= 1 for 2 s", "it always holds"),
        ("engines_down >= 1 for 100 s", "it never holds so long: the longest phase that it is of takes 60 s"),
        ("eror_share > 0.1", "There is no metric 'eror_share'. Did you mean 'errors_share'?"),
        ("errors_share", "expected a metric, a sign and a number"),
        ("errors_share > 0.5 for long", "expected a metric, a sign and a number"),
    ],
)
def test_what_can_never_hold_is_a_mistake(text: str, words: str) -> None:
    (found,) = mistakes([text], [STORM])
    assert found.startswith(f"abort: {text!r}: {words}")


@pytest.mark.parametrize(
    "text",
    ["errors_share > 0.5 for 5 s", "engines_down >= 13", "memory_mb > 1500", "rps < 1", "rps == 0", "unsent >= 0.5"],
)
def test_what_may_hold_is_none(text: str) -> None:
    assert not list(mistakes([text], [STORM]))


def test_a_phase_without_load_has_no_errors_to_watch() -> None:
    assert "no phase that it is of measures rps" in next(mistakes(["rps < 1"], [Idle()]))
    with pytest.raises(MissionErrors) as caught:
        parse(FLASH.replace("seed =", 'abort = ["rps < 0", "no_metric > 1"]\nseed =', 1).replace(
            "secs", "secs").replace("quick = { seconds = 2 }", 'abort = ["rps < 5"]', 1))  # fmt: skip
    assert [words.split(":")[0] for words in caught.value.mistakes] == ["phases[0].abort"]
    with pytest.raises(MissionErrors) as caught:
        parse(FLASH.replace("seed =", 'abort = ["rps < 0", "no_metric > 1"]\nseed =', 1))
    assert len(caught.value.mistakes) == 2


def second(done: int, failed: int, unsent: int, n: int = 0) -> LoadSecond:
    counts = TargetCounts(
        scheduled=done + failed + unsent, sent=done + failed, done=done, failed={"reset": failed}, unsent=unsent,
        open=50, broken=0,
    )  # fmt: skip
    return LoadSecond(phase="window", second=n, at_ns=n * S, targets={"risk": counts, "vpin": counts})


def test_what_a_second_of_load_shows() -> None:
    assert of_second(second(6, 3, 1)) == {
        "errors": 6, "unsent": 2, "rps": 12, "connections": 100, "errors_share": 0.4,
    }  # fmt: skip
    assert "errors_share" not in of_second(second(0, 0, 0))  # nothing ended, nothing is known


def test_a_round_of_health_leaves_out_whom_a_fault_touches() -> None:
    lights = {"risk": Light("down", None, True), "vpin": Light("healthy", 3.0), "ml": Light("degraded", 9.0)}
    assert of_round(lights) == {"engines_down": 0, "engines_unhealthy": 1, "response_ms": 9.0}
    alone = {name: light._replace(excused=True) for name, light in lights.items()}
    assert of_round(alone) == {"engines_down": 0, "engines_unhealthy": 0, "response_ms": None}


def test_what_is_not_known_begins_a_time_anew() -> None:
    watch = aborts("response_ms > 5 for 2 s")
    seen = [watch.saw(n * S, "chaos", {"response_ms": each}) for n, each in enumerate([9.0, 9.0, None, 9.0, 9.0])]
    assert seen == [None] * 5
    assert watch.saw(5 * S, "chaos", {"response_ms": 9.0}) is not None


def guarded(*texts: str) -> tuple[Guard, list[records.Abort], list[Progress]]:
    flash = load("flash-crash")
    mission = Mission(
        name="m", title="M", summary="", seed=1, phases=flash.phases, criteria=flash.criteria, abort=texts
    )
    shown: list[Progress] = []
    found: list[records.Abort] = []
    guard = Guard(mission, dict, shown.append)
    guard.on_abort = found.append
    return guard, found, shown


def test_the_guard_tells_once_and_hands_everything_on() -> None:
    guard, found, shown = guarded("errors_share > 0.5 for 1 s")
    for n in range(5):
        guard(Progress("window", "", n, 9, load=second(1, 5, 0, n)))
    assert len(shown) == 5
    (held,) = found
    assert (held.phase, held.since_ns, held.at_ns, held.value) == ("window", 0, S, 10 / 12)
    assert guard.words.startswith("errors_share > 0.5 for 1 s (phase window: last 0.8")


def test_the_guard_counts_engines_and_weighs_the_fleet() -> None:
    guard, found, _ = guarded("engines_down >= 2", "engines_unhealthy >= 4")
    lights = {"risk": Light("down", None), "vpin": Light("healthy", 3.0), "ml": Light("degraded", 9.0)}
    guard(Progress("window", "", 1, 9, engines=lights))
    assert found == []
    guard(Progress("window", "", 1, 9, engines={**lights, "data": Light("down", None)}))
    assert [each.condition for each in found] == ["engines_down >= 2"]


def test_the_fleets_memory_is_read_when_it_is_asked_for() -> None:
    import os

    async def fly() -> list[records.Abort]:
        guard, found, _ = guarded("memory_mb > 1")
        guard._pids = lambda: {"me": os.getpid()}
        guard(Progress("window", "", 1, 9, engines={"risk": Light("healthy", 3.0)}))
        for _ in range(200):
            if found:
                break
            await asyncio.sleep(0.01)
        return found

    (held,) = asyncio.run(fly())
    assert held.value > 10  # this process alone


def test_conditions_of_mission_and_phases() -> None:
    own = Storm(scenario="flash-crash-2010", mix="health", connections=100, name="w", abort=("rps < 1",))
    assert [(phase, each.text) for phase, each in conditions(["unsent > 3"], [own, Idle()])] == [
        ("", "unsent > 3"), ("w", "rps < 1")
    ]  # fmt: skip
