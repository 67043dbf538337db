"""Halts: at their real seconds for any seed, silent, and the same whoever computes them."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from engines.marketdata.day import evidence
from engines.marketdata.tape.tape import Tape, make
from engines.risk import breakers as risk
from engines.wire.messages import Halt
from engines.wire.outlook import expected
from engines.wire.rulebook import rules
from engines.wire.scenario import Scenario
from engines.wire.scenario_file import load, names
from engines.wire.session import NS, epoch_ns, open_ns
from engines.wire.ticks import Rows

REAL = {  # first index value at or below 93 % of the prior close, and the end of the halt
    "2020-03-09": (dt.time(9, 34, 13), dt.time(9, 49, 13), 29_723_700),
    "2020-03-12": (dt.time(9, 35), dt.time(9, 50), 27_413_800),
    "2020-03-16": (dt.time(9, 30, 1), dt.time(9, 45, 1), 27_110_200),
    "2020-03-18": (dt.time(12, 56, 17), dt.time(13, 11, 17), 25_291_900),
}
WHAT_IFS = [("2010-05-06", "2013-04-08"), ("1987-10-19", "2013-04-08"), ("2020-03-18", "2010-05-06")]
WHAT_IFS += [("2008-10-15", "2013-04-08"), ("2020-03-09", "1997-10-27"), ("1987-10-19", "2010-05-06")]


def smaller(name: str, asof: str = "") -> Scenario:
    found = load(name)
    return replace(found, ticks=20_000, rules_asof=dt.date.fromisoformat(asof) if asof else None)


def feed(tape: Tape) -> set[tuple[int, str, int, int]]:
    """What the risk engine's breakers call on the tape's own levels and trades."""
    state, _ = risk.open_day(tape.scenario.date, tape.scenario.rules_asof)
    called = risk.on_levels(state, tape.levels, 90) + risk.on_trades(state, tape.scenario.symbols, tape.trades)
    return {(body.level, body.symbol, body.start_ns, body.end_ns) for body in called if isinstance(body, Halt)}


def by_the_inequality(levels: Rows, prior: int, day: dt.date) -> int | None:
    """The first second after the open with 100 P <= 93 C, in integer arithmetic of its own."""
    for ts, level in zip(levels["ts"].tolist(), levels["level"].tolist(), strict=True):
        if ts > open_ns(day) and 100 * level <= 93 * prior:
            return int(ts)
    return None


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("seed", range(4))
def test_march_2020_halts_at_its_real_second(name: str, seed: int) -> None:
    start, end, prior = REAL[name]
    tape = make(smaller(name), seed)
    day = tape.scenario.date
    begin, until = epoch_ns(day, start), epoch_ns(day, end)
    assert tape.pins[0].prior_close == prior
    assert by_the_inequality(tape.levels, prior, day) == begin
    assert [(halt.level, halt.symbol, halt.start_ns, halt.end_ns) for halt in tape.outlook.halts] == [
        (1, "*", begin, until)
    ]
    assert not tape.outlook.counterfactual
    for rows in (tape.trades, tape.quotes, tape.depths):
        assert not ((rows["ts"] > begin) & (rows["ts"] < until)).any()
        assert (rows["ts"] >= until).any()
    stood = tape.levels["level"][(tape.levels["ts"] >= begin) & (tape.levels["ts"] < until)]
    assert np.ptp(stood) == 0
    reopened = tape.trades["ts"][tape.trades["ts"] >= until]
    assert reopened[0] - until < 60 * NS


@pytest.mark.parametrize("name", ["flash-crash-2010", "2010-05-05", "2020-02-28", "2008-10-15", "1987-10-19"])
def test_other_days_have_no_market_wide_halt(name: str) -> None:
    halts = expected(smaller(name)).halts
    assert [halt for halt in halts if halt.kind == "market-wide"] == []


def test_6_may_2010_has_the_pause_of_the_future_alone() -> None:
    day = dt.date(2010, 5, 6)
    span = epoch_ns(day, dt.time(14, 45, 28)), epoch_ns(day, dt.time(14, 45, 33))
    assert expected(load("2010-05-06")).halts == (Halt("pause", 0, "ESX", *span, "CME stop logic"),)


@pytest.mark.parametrize(("name", "asof"), [*((name, "") for name in names()), *WHAT_IFS])
@pytest.mark.parametrize("seed", [1, 2])
def test_risk_calls_exactly_the_halts_that_were_expected(name: str, asof: str, seed: int) -> None:
    scenario = smaller(name, asof)
    wanted = {(halt.level, halt.symbol, halt.start_ns, halt.end_ns) for halt in expected(scenario).halts}
    assert feed(make(scenario, seed)) == wanted


@pytest.mark.parametrize("name", names())
def test_every_pin_that_is_not_released_holds(name: str) -> None:
    made = evidence(make(smaller(name), 5))
    assert len(made.pins) + len(made.released) == 5 * len(smaller(name).symbols) - 1
    assert [pin for pin in made.pins if pin.target != pin.got] == []


def test_a_halt_the_day_did_not_have_is_counterfactual_and_cut_out() -> None:
    scenario = smaller("2010-05-06", "2013-04-08")
    tape, real = make(scenario, 3), make(smaller("2010-05-06"), 3)
    (trip,) = tape.outlook.added
    assert tape.outlook.counterfactual
    assert (trip.level, trip.end_ns - trip.start_ns) == (1, 900 * NS)
    for rows in (tape.trades, tape.quotes, tape.depths):
        assert not ((rows["ts"] > trip.start_ns) & (rows["ts"] < trip.end_ns)).any()
    assert tape.trades.size < real.trades.size
    released = {(each.symbol, each.pin) for each in tape.released}
    assert {("SPX", "low"), ("ESX", "low"), ("AAPL", "volume"), ("MSFT", "close")} <= released
    assert not released & {("SPX", "open"), ("SPX", "high"), ("ESX", "open"), ("AAPL", "high")}
    made = evidence(tape)
    assert made.counterfactual
    assert all(pin.target == pin.got for pin in made.pins)
    assert {(pin.symbol, pin.name) for pin in made.pins} >= {("SPX", "high"), ("AAPL", "open")}


def test_a_real_halt_that_the_rules_do_not_make_is_counterfactual_too() -> None:
    outlook = expected(smaller("2020-03-18", "2010-05-06"))
    assert outlook.counterfactual
    assert [trip.level for trip in outlook.missing] == [1]
    assert outlook.added == ()


def test_black_monday_under_the_rules_of_2013_halts_three_times() -> None:
    tape = make(smaller("1987-10-19", "2013-04-08"), 1)
    assert [trip.level for trip in tape.outlook.added] == [1, 2, 3]
    assert tape.outlook.added[2].end_ns == epoch_ns(tape.scenario.date, dt.time(16))
    assert rules(tape.scenario.date).market_wide is None


def test_a_stale_open_is_published_and_not_traded_at() -> None:
    tape = make(smaller("1987-10-19"), 2)
    assert tape.levels["level"][0] == tape.pins[0].open == tape.pins[0].prior_close
    assert {(each.symbol, each.pin) for each in tape.released} == {("ESX", "open"), ("ESX", "high")}
    assert (tape.trades["price"] < tape.pins[1].open).all()
