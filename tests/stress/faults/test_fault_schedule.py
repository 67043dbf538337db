"""Lists and schedules of faults as a mission's file gives them: all that is wrong is told at once."""

import pytest

from engines.wire import scenario_file
from stress.faults.fault import Fault
from stress.faults.kinds import KINDS
from stress.mission import MissionErrors, load, parse
from stress.options import Options
from stress.plan import plan
from stress.specs.faults import Faults
from stress.specs.storm import Storm

HEAD = 'name = "m"\ntitle = "M"\nsummary = "s"\nseed = 1\n'
TAIL = '[[criteria]]\nid = "faults-proven"\n'
CALIBRATE = '[[phases]]\nrole = "calibrate"\nmixes = ["health"]\nconcurrency = 16\nseconds = 1\ntimeout_s = 5\n'


def faults(*entries: str, more: str = "") -> str:
    """A mission with one phase of faults."""
    return f'{HEAD}[[phases]]\nrole = "faults"\n{more}\nfaults = [{", ".join(entries)}]\n{TAIL}'


def storm(entries: str = "", overlays: str = "", scenario: str = "flash-crash-2010") -> str:
    """A mission with a storm of 20 s."""
    return (
        f'{HEAD}{CALIBRATE}[[phases]]\nrole = "storm"\nscenario = "{scenario}"\nmix = "health"\nconnections = 26\n'
        f"window_s = 20\nfaults = [{entries}]\noverlays = [{overlays}]\n{TAIL}"
    )


def mistakes(text: str) -> list[str]:
    """What is said of a mission's text; empty when nothing is wrong."""
    try:
        parse(text)
    except MissionErrors as error:
        return list(error.mistakes)
    return []


KILL = '{ kind = "kill", target = "risk" }'
CLOCK = '{ kind = "clock-step", target = "risk", for_s = 2, parameters = { step_s = -60 } }'


def test_a_list_is_injected_after_the_matrix_in_its_order() -> None:
    mission = parse(faults(KILL, CLOCK, more='kinds = ["term"]\ntargets = ["vpin"]'))
    (spec,) = mission.of(Faults)
    assert spec.all() == (
        Fault("faults-000-term-vpin", "term", "vpin"),
        Fault("faults-001-kill-risk", "kill", "risk"),
        Fault("faults-002-clock-step-risk", "clock-step", "risk", 2.0, {"step_s": -60}),
    )
    assert not spec.scheduled


@pytest.mark.parametrize(
    ("entry", "mistake"),
    [
        ('{ kind = "kil", target = "risk" }', "There is no kind of fault 'kil'. Did you mean 'kill'?"),
        ('{ kind = "kill", target = "rsik" }', "There is no target 'rsik'. Did you mean 'risk'?"),
        ('{ kind = "kill", target = "host" }', "kill: the host is no process"),
        ('{ kind = "pause", target = "supervisor", for_s = 1 }', "a paused supervisor is not noticed by anyone"),
        ('{ kind = "pause", target = "risk" }', "faults[0].for_s is missing: pause lasts until it is healed"),
        ('{ kind = "kill", target = "risk", for_s = 1 }', "faults[0].for_s: kill is over at once"),
        ('{ kind = "kill", target = "risk", parameters = { deep = 1 } }', "deep: it takes no parameters"),
        ('{ kind = "clock-step", target = "bus-main", for_s = 1 }', "it cannot be at 'bus-main', only at: "),
        (
            '{ kind = "clock-step", target = "risk", for_s = 1, parameters = { stp_s = 1 } }',
            "There is no parameter 'stp_s'. Did you mean 'step_s'?",
        ),
        (
            '{ kind = "busy-loop", target = "risk", for_s = 1, parameters = { busy_ms = 100 } }',
            "busy_ms = 100: a number from 1 to 95",
        ),
        (
            '{ kind = "memory-pressure", target = "host", for_s = 1, parameters = { share = 0.6 } }',
            "share = 0.6: a number from 0.001 to 0.5",
        ),
        ('{ kind = "disk-full", target = "risk", for_s = 1 }', "it cannot be at 'risk', only at: backend"),
        ('{ kind = "corrupt-store", target = "risk" }', "it cannot be at 'risk', only at: backend"),
        ('{ kind = "cpu-pressure", target = "risk", for_s = 1 }', "it cannot be at 'risk', only at: host"),
        ('{ kind = "kill", target = "risk", when = 3 }', "unknown field `when`"),
    ],
)
def test_a_fault_that_cannot_be_is_told(entry: str, mistake: str) -> None:
    assert mistakes(faults(KILL)) == []
    assert mistake in "\n".join(mistakes(faults(entry)))


def test_everything_wrong_is_told_at_once() -> None:
    found = mistakes(faults('{ kind = "kil", target = "rsik" }', '{ kind = "pause", target = "risk" }'))
    assert len(found) == 3, found


@pytest.mark.parametrize(
    ("entries", "mistake"),
    [
        ('{ kind = "kill", target = "risk" }', "faults[0].at_s is missing"),
        ('{ kind = "kill", target = "risk", at_s = 21 }', "it ends at 21 s, after the window's end at 20 s"),
        (
            '{ kind = "pause", target = "risk", at_s = 18, for_s = 3 }',
            "faults[0]: it ends at 21 s, after the window's end at 20 s",
        ),
        (
            '{ kind = "pause", target = "risk", at_s = 2, for_s = 3 }, { kind = "kill", target = "risk", at_s = 4 }',
            "faults[1] strikes risk while faults[0] is in force there",
        ),
        (
            '{ kind = "kill", target = "risk", at_s = 4 }, { kind = "pause", target = "risk", at_s = 2, for_s = 3 }',
            "faults[0] strikes risk while faults[1] is in force there",
        ),
        ('{ kind = "kill", target = "risk", at_s = -1 }', "Expected `float` >= 0.0"),
    ],
)
def test_an_impossible_schedule_is_told(entries: str, mistake: str) -> None:
    assert mistake in "\n".join(mistakes(storm(entries)))


def test_two_targets_may_be_harmed_at_once_and_one_target_twice_in_turn() -> None:
    entries = (
        '{ kind = "pause", target = "risk", at_s = 2, for_s = 3 }, { kind = "kill", target = "vpin", at_s = 3 }, '
        '{ kind = "kill", target = "risk", at_s = 6 }'
    )
    assert mistakes(storm(entries)) == []


def test_a_schedule_of_the_faults_role_has_no_matrix_and_a_window_of_its_own() -> None:
    timed = '{ kind = "kill", target = "risk", at_s = 3 }'
    assert mistakes(faults(timed)) == []
    assert "a schedule (at_s) is a phase of its own" in "\n".join(
        mistakes(faults(timed, more='kinds = ["kill"]\ntargets = ["vpin"]'))
    )
    assert "it ends at 3 s, after the window's end at 2 s" in "\n".join(mistakes(faults(timed, more="window_s = 2")))
    assert "window_s: only a schedule" in "\n".join(mistakes(faults(KILL, more="window_s = 2")))
    assert "faults[1].at_s is missing" in "\n".join(mistakes(faults(timed, KILL)))


def test_rights_that_the_user_lacks_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = KINDS["cpu-pressure"]
    monkeypatch.setattr("engines.fleet.process.LINUX", False)
    assert any("needs Linux" in words for words in kind.mistakes("host", {}))
    assert "needs Linux" in "\n".join(mistakes(faults('{ kind = "cpu-pressure", target = "host", for_s = 1 }')))


def test_the_dry_run_shows_the_schedule() -> None:
    mission = parse(
        storm(
            '{ kind = "kill", target = "risk", at_s = 8 }, '
            '{ kind = "busy-loop", target = "vpin", at_s = 3, for_s = 2, parameters = { busy_ms = 60 } }',
            '{ kind = "feed-gap", at_s = 5, for_s = 1 }',
        )
    )
    rows = [step for step in plan(mission, Options()).phases if "fault" in step.name or "overlay" in step.name]
    assert [(step.what, step.seconds) for step in rows] == [
        ("+3 s: busy-loop vpin for 2 s (busy_ms 60)", 0.0),
        ("+8 s: kill risk", 0.0),
        ("+5 s: overlay feed-gap of every symbol for 1 s", 0.0),
    ]


@pytest.mark.parametrize(
    ("overlay", "mistake"),
    [
        ('{ kind = "feed-gap", at_s = 19.5, for_s = 1 }', "overlays[0]: it ends at 20.5 s, after the window's end"),
        ('{ kind = "feed-gab", at_s = 1, for_s = 1 }', "Invalid enum value 'feed-gab'"),
        ('{ kind = "feed-gap", at_s = 1, for_s = 1, symbol = "NONE" }', "'NONE' is no instrument of this scenario"),
    ],
)
def test_an_overlay_that_cannot_be_is_told(overlay: str, mistake: str) -> None:
    assert mistake in "\n".join(mistakes(storm(overlays=overlay)))


def test_the_replay_is_told_of_overlays_by_a_file_that_gives_the_same_tape() -> None:
    mission = parse(storm(overlays='{ kind = "feed-stale", at_s = 4, for_s = 2 }'))
    (spec,) = mission.of(Storm)
    told = scenario_file.parse(spec.text())
    (laid,) = told.overlays
    assert told.overlays == spec.tape().overlays
    window = spec.tape().window
    seconds = [each.hour * 3600 + each.minute * 60 + each.second + each.microsecond / 1e6 for each in
               (window.start, laid.start, laid.end)]  # fmt: skip
    assert [pytest.approx((at - seconds[0]) / window.speed) for at in seconds[1:]] == [4.0, 6.0]
    assert told.name == spec.scenario


def test_every_kind_is_flown_once_in_turn() -> None:
    flown = [fault.kind for name in ("chaos", "store-damage") for spec in load(name).of(Faults) for fault in spec.all()]
    assert set(flown) == set(KINDS)
    (storm_,) = load("chaos").of(Storm)
    assert storm_.faults and storm_.overlays
