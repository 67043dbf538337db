"""Briefs: what is known of a scenario before it is replayed."""

import datetime as dt
from dataclasses import replace

import pytest

from engines.wire.bundle import MissingBarError
from engines.wire.scenario import Overlay
from engines.wire.scenario_brief import FINDS, brief
from engines.wire.scenario_file import ScenarioErrors, aliases, load, names


@pytest.mark.parametrize("name", names())
def test_every_preset_has_a_brief_without_mistakes(name: str) -> None:
    found = brief(load(name))
    assert not found.counterfactual
    assert not found.missing_halts
    assert [pin.symbol for pin in found.pins] == list(found.symbols)
    assert found.megabytes > 5
    assert found.window_ticks_s >= 40 * found.ticks / 23_400 * 0.2
    assert [each for each in found.conflicts if not each.startswith("date")] == []


def test_the_presets_of_march_2020_are_in_the_days_own_shares() -> None:
    """AAPL traded at 263.75 on 2020-03-09 before its split of four for one; AMZN at 1,773.86 before twenty for one."""
    by = {pin.symbol: pin for pin in brief(load("2020-03-09")).pins}
    assert tuple(by) == ("SPX", "ESX", "AAPL", "AMZN", "GOOG", "META", "NFLX", "NVDA")
    assert by["AAPL"].open == 263.75
    assert by["AMZN"].open == 1773.86
    assert by["AMZN"].volume == 7_813_200
    assert by["SPX"].prior_close == 2972.37
    assert [rule.kind for rule in brief(load("2020-03-09")).rulebook] == ["MarketWide", "Luld", "ShortSale"]


def test_a_what_if_says_so_and_which_pins_it_releases() -> None:
    real, other = brief(load("2010-05-06")), brief(load("2010-05-06"), dt.date(2013, 4, 8))
    assert not real.released
    assert [(halt.kind, halt.symbol, halt.added) for halt in real.halts] == [("pause", "ESX", False)]
    assert other.counterfactual
    assert [(halt.kind, halt.level, halt.added) for halt in other.halts] == [("market-wide", 1, True)]
    assert (other.date, other.rules_asof) == (dt.date(2010, 5, 6), dt.date(2013, 4, 8))
    assert {text.split(" ")[0] for text in other.released} == set(other.symbols)
    assert "low" in next(pin.released for pin in other.pins if pin.symbol == "SPX")


def test_overlays_say_what_is_to_be_found() -> None:
    crash = load("2010-05-06")
    fault = Overlay("feed-gap", dt.time(14, 0), dt.time(14, 1), "IBM")
    (shown,) = brief(replace(crash, overlays=(fault,))).overlays
    assert (shown.kind, shown.symbol, shown.finds) == ("feed-gap", "IBM", FINDS["feed-gap"])
    with pytest.raises(ScenarioErrors, match="overlays"):
        brief(replace(crash, overlays=(replace(fault, symbol="GE"), replace(fault, end=dt.time(13, 0)))))


def test_a_day_without_bars_is_refused() -> None:
    with pytest.raises(MissingBarError):
        brief(replace(load("2010-05-06"), date=dt.date(2010, 5, 8)))


def test_aliases_name_presets_and_clash_with_none() -> None:
    assert load("2010-05-06") == load("flash-crash-2010")
    assert not set(aliases()) & set(names())
    assert set(aliases().values()) <= set(names())
    wanted = {"2010-05-06", "2020-03-09", "2020-03-12", "2020-03-16", "2020-03-18", "1987-10-19", "2008-10-15"}
    assert wanted <= {*aliases(), *names()}
