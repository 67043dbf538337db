"""Missions: every mistake at once, names suggested, plans pure."""

from pathlib import Path

import msgspec
import pytest

from engines.wire.errors import UnknownName, UsageError
from stress import mission as missions
from stress.mission import FOLDER, MissionErrors, load, parse
from stress.options import Options
from stress.plan import plan
from stress.specs import varied
from stress.specs.calibrate import Calibrate
from stress.specs.idle import Idle
from stress.specs.storm import Storm

FLASH = (FOLDER / "flash-crash.toml").read_text()


def test_every_shipped_mission_loads() -> None:
    assert "flash-crash" in missions.names()
    for name in missions.names():
        assert load(name).name == name


def test_all_mistakes_at_once() -> None:
    broken = (
        FLASH.replace('title = "Flash crash of 2010-05-06"\n', "")
        .replace("share = 0.7", "share = 7")
        .replace("seconds = 5\n", "secnods = 5\n")
        .replace("seed = 20100506", 'seed = "x"')
        .replace("quick = { seconds = 3 }", "quick = { seconds = 0 }")
    )
    with pytest.raises(MissionErrors) as caught:
        parse(broken, "broken.toml")
    text = "\n".join(caught.value.mistakes)
    for part in (
        "title is missing",
        "phases[0].secnods: ",
        "Did you mean 'seconds'?",
        "phases[1].quick.seconds: Expected `float` > 0",
        "phases[2].share",
        "seed: Expected `int`",
    ):
        assert part in text
    assert len(caught.value.mistakes) == 5


def test_meaning_is_checked_too() -> None:
    with pytest.raises(MissionErrors) as caught:
        parse(FLASH.replace('"flash-crash-2010"', '"flash-crash-2011"'))
    assert [m.partition(":")[0] for m in caught.value.mistakes] == ["phases[2].scenario"]
    assert "Did you mean 'flash-crash-2010'?" in caught.value.mistakes[0]
    broken = FLASH.replace('id = "pss"', 'id = "ps"').replace('mixes = ["compute", "health"]', 'mixes = ["compute"]')
    with pytest.raises(MissionErrors) as caught:
        parse(broken)
    assert [m.partition(":")[0] for m in caught.value.mistakes] == ["criteria", "phases[2].mix"]


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        (('role = "idle"', 'role = "idel"'), "phases[0].role: There is no role 'idel'. Did you mean 'idle'?"),
        (("mixes = [", 'mixes = ["health", '), "phases[1].mixes: each mix once"),
        (("connections = 5000", "connections = 20"), "phases[2].connections: fewer than the calibration's concurrency"),
        (("share = 0.7", "share = 0.7\nprocesses = 2"), "phases[2].processes: 2, but 1 in its calibration"),
        (("concurrency = 64", "concurrency = 3\nprocesses = 4"), "phases[1].concurrency: fewer than the 4 processes"),
        (
            ("connections = 5000", "connections = 64\nprocesses = 5"),
            "phases[2].processes: 5, which needs 65 connections",
        ),
        (("[expect]", '[[phases]]\nrole = "idle"\n\n[expect]'), "phases: two are called 'idle'; give one a name"),
    ],
)
def test_phases_that_cannot_be_flown(change: tuple[str, str], mistake: str) -> None:
    assert change[0] in FLASH
    with pytest.raises(MissionErrors) as caught:
        parse(FLASH.replace(*change))
    assert mistake in "\n".join(caught.value.mistakes)


def test_a_mission_without_phases_does_nothing() -> None:
    head, tail = FLASH.split("[[phases]]", 1)[0], FLASH[FLASH.index("[expect]") :]
    with pytest.raises(MissionErrors, match="phases is missing"):
        parse(head + tail)
    with pytest.raises(MissionErrors, match="one phase at least"):
        parse(f"{head}phases = []\n{tail}")


def test_not_toml_and_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissionErrors, match="not TOML"):
        parse("name = ")
    with pytest.raises(UsageError, match="cannot be read"):
        load(str(tmp_path / "none.toml"))
    with pytest.raises(UnknownName, match="Did you mean 'flash-crash'"):
        load("flash-crahs")


def test_a_file_is_a_mission(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(FLASH.replace('name = "flash-crash"', 'name = "mine"'))
    assert load(str(path)).name == "mine"


def test_the_plan_says_what_will_happen() -> None:
    mission = load("flash-crash")
    whole, quick = (plan(mission, Options(quick=quick)) for quick in (False, True))
    assert [p.name for p in whole.phases] == ["boot", "idle", "calibrate", "before", "window", "after", "close"]
    assert next(p.seconds for p in whole.phases if p.name == "window") == 60.0
    assert next(p.seconds for p in quick.phases if p.name == "window") == 15.0
    assert whole.seconds == pytest.approx(sum(p.seconds for p in whole.phases), abs=0.1)
    assert whole.expected_halts == ("pause ESX",)
    (tape,) = whole.tapes
    assert [pin.symbol for pin in tape.scenario.pins] == ["SPX", "ESX", "AAPL", "GOOG", "IBM", "MSFT"]
    spx = tape.scenario.pins[0]
    assert (spx.high, spx.low, spx.prior_close) == (1167.58, 1065.79, 1165.87)  # the published index values
    assert plan(mission, Options(seed=5)).seed == 5
    assert msgspec.json.decode(msgspec.json.encode(whole))["schema"] == "nautilus.plan/1"


def test_quick_changes_what_it_names_and_nothing_else() -> None:
    mission = load("flash-crash")
    quick = mission.varied(quick=True)
    assert [phase.quick for phase in mission.phases] == [{"seconds": 2}, {"seconds": 3}, {"window_s": 15}]
    assert quick.of(Idle)[0].seconds == 2.0
    assert quick.of(Calibrate)[0].seconds == 3.0
    assert quick.of(Calibrate)[0].concurrency == mission.of(Calibrate)[0].concurrency
    assert mission.varied() == msgspec.structs.replace(mission, phases=tuple(varied(p, {}) for p in mission.phases))


def test_quick_keeps_the_low_inside_the_window() -> None:
    scenario = load("flash-crash").varied(quick=True).of(Storm)[0].tape()
    assert scenario.window.start < scenario.leg.low_at < scenario.window.end
    assert scenario.window.speed == 40


BREAKER = (FOLDER / "circuit-breaker.toml").read_text()
ESX = '{ kind = "pause", symbol = "ESX" }'


@pytest.mark.parametrize(
    ("text", "change", "mistakes"),
    [
        (FLASH, (f"[{ESX}]", "[]"), ["the rulebook gives pause halt of ESX"]),
        (
            FLASH,
            (ESX, '{ kind = "market-wide", symbol = "*", level = 1 }'),
            ["the rulebook gives no market-wide halt of * at level 1", "the rulebook gives pause halt of ESX"],
        ),
        (FLASH, (ESX, f"{ESX}, {ESX}"), ["the rulebook gives no pause halt of ESX"]),
        (
            BREAKER,
            ("day = 2020-03-18", "day = 2020-03-16"),
            [
                "the rulebook gives no market-wide halt of * at level 1 on 2020-03-16",
                "the rulebook gives market-wide halt of * at level 1 on 2020-03-18",
            ],
        ),
        (BREAKER, (", day = 2020-03-18", ""), ["several storms; say the day of each halt"]),
        (BREAKER, ('scenario = "2020-03-18"', 'scenario = "2008-10-15"'), ["the rulebook gives no market-wide halt"]),
    ],
)
def test_declared_halts_are_those_of_the_rulebook(text: str, change: tuple[str, str], mistakes: list[str]) -> None:
    assert change[0] in text
    with pytest.raises(MissionErrors) as caught:
        parse(text.replace(*change))
    assert len(caught.value.mistakes) == len(mistakes)
    for found, words in zip(caught.value.mistakes, mistakes, strict=True):
        assert found.startswith(f"expect.halts: {words}")


def test_halts_that_nobody_asks_about_need_not_be_declared() -> None:
    bare = FLASH.replace(f"halts = [{ESX}]", "halts = []").replace('id = "expected-halts"', 'id = "expected-alerts"')
    assert parse(bare).expect.halts == ()


def test_everything_comes_in_the_documented_order_and_in_four_minutes() -> None:
    mission = load("comprehensive")
    roles = [phase.role for phase in mission.phases]
    order = ("idle", "data", "storm", "search", "inflight", "backtests", "faults")
    places = [roles.index(role) for role in order]
    assert places == sorted(places)
    assert roles[-1] == "faults"  # engines die in it
    assert plan(mission, Options(quick=True)).seconds <= 240


def test_a_storm_needs_a_calibration_before_it_a_flight_does_not() -> None:
    assert load("hft").of(Calibrate) == ()
    assert [storm.title for storm in load("circuit-breaker").of(Storm)] == [
        "2020-03-09", "2020-03-12", "2020-03-16", "2020-03-18"
    ]  # fmt: skip


def test_a_headline_is_read_without_the_rest() -> None:
    assert missions.headline("flash-crash") == (load("flash-crash").title, load("flash-crash").summary)


@pytest.mark.parametrize("kind", ["stall", "half-open", "partition"])
def test_a_seed_is_refused_where_nothing_is_drawn(kind: str) -> None:
    strike = f'{{ kind = "{kind}", target = "bus-main", at_s = 2, for_s = 2, parameters = {{ seed = 3 }} }}'
    with pytest.raises(MissionErrors, match=f"{kind} draws nothing at random"):
        parse(FLASH.replace("share = 0.7", f"share = 0.7\nfaults = [{strike}]"))
    parse(FLASH.replace("share = 0.7", f"share = 0.7\nfaults = [{strike.replace('seed = 3', '')}]"))
    drawn = strike.replace(kind, "latency")
    parse(FLASH.replace("share = 0.7", f"share = 0.7\nfaults = [{drawn}]"))


def test_outcomes_that_no_engine_has_are_told_at_once_with_those_there_are() -> None:
    text = FLASH.replace(
        'alerts = ["breaker-near"]', 'alerts = ["breaker-near", "breaker-nere"]\ndenials = ["HALTED", "no"]'
    )
    with pytest.raises(MissionErrors) as caught:
        parse(text)
    assert [words.split(":")[0] for words in caught.value.mistakes] == ["expect.alerts[1]", "expect.denials[1]"]
    alerts, denials = caught.value.mistakes
    assert "Did you mean 'breaker-near'?" in alerts and "margin-call" in alerts
    assert "ORDER_NOTIONAL" in denials
