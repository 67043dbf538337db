"""`nautilus data scenario`: lists presets, shows one, tells a what-if, refuses what is not there."""

import json
from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

from engines.wire.scenario_file import FOLDER, names

Type = Callable[..., Result]


def test_without_a_name_it_lists_what_ships(nautilus: Type) -> None:
    listed = json.loads(nautilus("data", "scenario", "--json").stdout)
    assert listed["schema"] == "nautilus.scenarios/1"
    assert [each["name"] for each in listed["scenarios"]] == list(names())
    shown = nautilus("data", "scenario").stdout
    assert "2010-05-06" in shown
    assert "Black Monday" in shown


def test_it_shows_pins_rules_and_expected_halts(nautilus: Type) -> None:
    done = nautilus("data", "scenario", "2020-03-18")
    assert done.exit_code == 0
    for text in ("2,529.19", "12:56:17", "13:11:17", "Rule 80B of 2013", "verified", "partly", "Note:"):
        assert text in done.stdout
    assert "COUNTERFACTUAL" not in done.stderr


def test_a_what_if_is_marked_and_says_which_pins_it_releases(nautilus: Type) -> None:
    done = nautilus("data", "scenario", "2010-05-06", "--rules", "2013-04-08")
    assert "COUNTERFACTUAL" in done.stderr
    assert "not on the real day" in done.stdout
    assert "high low close volume" not in done.stdout
    assert "low close volume" in done.stdout
    document = json.loads(nautilus("data", "scenario", "2010-05-06", "--rules", "2013-04-08", "--json").stdout)
    assert (document["schema"], document["counterfactual"]) == ("nautilus.scenario/1", True)
    assert document["halts"][0]["added"] is True


def test_a_file_of_the_users_own_is_taken_and_its_mistakes_are_told(nautilus: Type, tmp_path: Path) -> None:
    text = (FOLDER / "custom.toml").read_text("utf-8")
    own = tmp_path / "own.toml"
    own.write_text(text + '\n[[overlays]]\nkind = "crossed"\nstart = 14:00:00\nend = 14:00:09\n', "utf-8")
    assert "crossed" in nautilus("data", "scenario", str(own)).stdout
    own.write_text(text.replace("drop = 0.04", "drop = 4").replace("peak = 20", "peak = 0"), "utf-8")
    failed = nautilus("data", "scenario", str(own))
    assert failed.exit_code == 2
    assert "leg.drop" in failed.stderr
    assert "activity.peak" in failed.stderr


def test_an_unknown_name_is_answered_with_the_nearest(nautilus: Type) -> None:
    failed = nautilus("data", "scenario", "2020-03-19")
    assert failed.exit_code == 2
    assert "2020-03-1" in failed.stderr
    assert nautilus("data", "scenario", "--rules", "2013-04-08").exit_code == 2
    assert nautilus("data", "scenario", "custom", "--rules", "yesterday").exit_code == 2
