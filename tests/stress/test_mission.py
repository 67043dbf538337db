"""Missions: every mistake at once, names suggested, plans pure."""

from pathlib import Path

import msgspec
import pytest

from engines.wire.errors import UnknownName, UsageError
from stress import mission as missions
from stress.mission import FOLDER, MissionErrors, load, parse
from stress.options import Options
from stress.plan import phases, plan, scenario_of

FLASH = (FOLDER / "flash-crash.toml").read_text()


def test_every_shipped_mission_loads() -> None:
    assert "flash-crash" in missions.names()
    for name in missions.names():
        assert load(name).name == name


def test_all_mistakes_at_once() -> None:
    broken = (
        FLASH.replace('title = "Flash crash of 2010-05-06"\n', "")
        .replace("share = 0.7", "share = 7")
        .replace("idle_s = 5\n", "idel_s = 5\n")
        .replace("seed = 20100506", 'seed = "x"')
    )
    with pytest.raises(MissionErrors) as caught:
        parse(broken, "broken.toml")
    text = "\n".join(caught.value.mistakes)
    for part in ("title is missing", "load.share", "times.idel_s", "Did you mean 'idle_s'?", "seed: Expected `int`"):
        assert part in text
    assert len(caught.value.mistakes) == 4


def test_meaning_is_checked_too() -> None:
    broken = (
        FLASH.replace('"flash-crash-2010"', '"flash-crash-2011"')
        .replace('id = "pss"', 'id = "ps"')
        .replace('calibrate_mixes = ["compute", "health"]', 'calibrate_mixes = ["compute"]')
    )
    with pytest.raises(MissionErrors) as caught:
        parse(broken)
    assert [m.partition(":")[0] for m in caught.value.mistakes] == ["scenario", "criteria", "load.calibrate_mixes"]
    assert "Did you mean 'flash-crash-2010'?" in caught.value.mistakes[0]


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
    assert whole.seconds == pytest.approx(sum(p.seconds for p in phases(mission, Options())), abs=0.1)
    assert whole.expected_halts == ("pause ESX",)
    assert [pin.symbol for pin in whole.pins] == ["SPX", "ESX", "AAPL", "GOOG", "IBM", "MSFT"]
    spx = whole.pins[0]
    assert (spx.high, spx.low, spx.prior_close) == (1167.58, 1065.79, 1165.87)  # the published index values
    assert plan(mission, Options(seed=5)).seed == 5
    assert msgspec.json.decode(msgspec.json.encode(whole))["schema"] == "nautilus.plan/1"


def test_quick_keeps_the_low_inside_the_window() -> None:
    scenario = scenario_of(load("flash-crash"), Options(quick=True))
    assert scenario.window.start < scenario.leg.low_at < scenario.window.end
    assert scenario.window.speed == 40
