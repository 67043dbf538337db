"""Scenarios: what a file may say, all mistakes at once, and how a spec is changed."""

import datetime as dt
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace

import pytest

from engines.wire.errors import UnknownName
from engines.wire.scenario import Scenario, Window
from engines.wire.scenario_file import FOLDER, ScenarioErrors, load, names, parse
from engines.wire.scenario_rules import problems
from engines.wire.session import session_s

TEXT = (FOLDER / "flash-crash-2010.toml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def crash() -> Scenario:
    return load("flash-crash-2010")


def edited(*changes: tuple[str, str]) -> str:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def test_shipped_scenarios_load_and_have_no_mistake() -> None:
    assert "flash-crash-2010" in names()
    for name in names():
        assert problems(load(name)) == ()


def test_symbols_begin_with_the_index(crash: Scenario) -> None:
    assert crash.symbols == ("SPX", "ESX", "AAPL", "GOOG", "IBM", "MSFT")
    assert crash.t_low == session_s(dt.time(14, 45, 28)) == 18_928


def test_a_scenario_is_frozen(crash: Scenario) -> None:
    with pytest.raises(FrozenInstanceError):
        crash.ticks = 1  # type: ignore[misc]


def test_the_window_measures_one_minute_of_wall_time(crash: Scenario) -> None:
    assert crash.window.wall_s == 60


def test_quick_shrinks_the_window_around_the_low_and_nothing_else(crash: Scenario) -> None:
    quick = crash.quick(15)
    assert quick.window.wall_s == pytest.approx(15)
    assert quick.window.start < crash.leg.low_at < quick.window.end
    assert problems(quick) == ()
    assert replace(quick, window=crash.window) == crash
    assert crash.quick(1e9).window == Window(dt.time(9, 30), dt.time(16), 40)


def test_every_mistake_of_form_is_reported_at_once() -> None:
    with pytest.raises(ScenarioErrors) as caught:
        parse(edited(("drop = 0.06", "drp = 0.06"), ("beta = 1.0", 'beta = "x"'), ("tick = 0.25", "")))
    begins = [mistake.split(":")[0] for mistake in caught.value.mistakes]
    assert begins == ["leg.drp", "leg.drop", "hawkes.beta", "instruments[0].tick"]


def test_every_mistake_of_content_is_reported_at_once() -> None:
    with pytest.raises(ScenarioErrors) as caught:
        parse(
            edited(
                ("drop = 0.06", "drop = 1.06"),
                ("n = 0.7", "n = 0.97"),
                ("tick = 0.25", "tick = 0.00025"),
                ("end = 15:10:00", "end = 14:10:00"),
                ("peak = 100", "peak = 1"),
                (
                    '[[pauses]] # the exchange\'s stop-logic pause in the E-mini\nsymbol = "ESX"',
                    '[[pauses]]\nsymbol = "X"',
                ),
            )
        )
    begins = {mistake.split(":")[0] for mistake in caught.value.mistakes}
    assert begins == {
        "leg.drop",
        "activity.narrow_down_s",
        "instruments[0].tick",
        "window",
        "activity.peak",
        "pauses[0].symbol",
    }


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (("low_at = 14:45:28", "low_at = 14:45:28.5"), "leg.low_at"),
        (("low_at = 14:45:28", "low_at = 09:35:00"), "leg.low_at"),
        (("low_at = 14:45:28", "low_at = 15:59:00"), "leg.low_at"),
        (("lag_min_s = 0", "lag_min_s = 91"), "leg.lag_max_s"),
        (("depth_floor = 0.008", "depth_floor = 0"), "book.depth_floor"),
        (("volume_share = 0.103", "volume_share = 1"), "activity.volume_share"),
        (("rho = 0.60", "rho = 1.60"), "instruments[2].rho"),
        (("ticks = 200_000", "ticks = 10"), "ticks"),
        (("inherit = 0.8", "inherit = nan"), "hawkes.inherit"),
        (('symbol = "GOOG"', 'symbol = "SPX"'), "instruments"),
        (("mean_to = 2010-05-05", "mean_to = 2010-05-02"), "instruments[0].volume.mean_to"),
    ],
)
def test_each_rule_names_its_field(change: tuple[str, str], field: str) -> None:
    with pytest.raises(ScenarioErrors) as caught:
        parse(edited(change))
    assert [mistake.split(":")[0] for mistake in caught.value.mistakes] == [field]


def test_text_that_is_no_toml_and_names_that_are_not_known_say_so() -> None:
    with pytest.raises(ScenarioErrors, match="not TOML"):
        parse("a = = 1")
    with pytest.raises(UnknownName, match="flash-crash-2010"):
        load("flash-crash-2011")


def test_wire_does_not_import_numba_or_duckdb_until_asked() -> None:
    code = (
        "import sys, engines.wire.scenario_file, engines.wire.intensity, engines.wire.pins, engines.wire.ticks;"
        "print([name for name in ('numba', 'pandas', 'duckdb') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_overlays_and_passages_come_from_the_file() -> None:
    text = (
        TEXT
        + """
[[overlays]]
kind = "feed-gap"
start = 14:00:00
end = 14:00:05
symbol = "IBM"

[[overlays]]
kind = "late-fills"
start = 14:46:00
end = 14:47:00
amount = 2.5
"""
    )
    gap, late = parse(text).overlays
    assert (gap.kind, gap.symbol, gap.end, gap.amount) == ("feed-gap", "IBM", dt.time(14, 0, 5), 0.0)
    assert (late.symbol, late.amount) == ("*", 2.5)
    with pytest.raises(ScenarioErrors) as caught:
        parse(text.replace('"feed-gap"', '"feed-gape"').replace("amount = 2.5", 'amount = "x"'))
    assert [mistake.split(":")[0] for mistake in caught.value.mistakes] == ["overlays[0].kind", "overlays[1].amount"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (("mean = 2.5", "mean = 0.5"), "sweeps.mean"),
        (("mean_peak = 1.3", "mean_peak = 90"), "sweeps.mean_peak"),
        (("most = 400", "most = 1"), "sweeps.most"),
        (("most_peak = 20", "most_peak = 500"), "sweeps.most_peak"),
        (("step = 0.05", "step = 0"), "sweeps.step"),
        (("fast = 0.3", "fast = 1.3"), "hawkes.fast"),
        (("fast_beta = 50", "fast_beta = -1"), "hawkes.fast_beta"),
    ],
)
def test_sweeps_and_the_fast_kernel_are_checked(change: tuple[str, str], field: str) -> None:
    with pytest.raises(ScenarioErrors) as caught:
        parse(edited(change))
    assert field in [mistake.split(":")[0] for mistake in caught.value.mistakes]
