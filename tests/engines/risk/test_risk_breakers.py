"""Halts: the recorded pause and the market-wide breaker, on the tape of 6 May 2010 and on made-up levels."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from desk_rig import SYMBOLS, Desk, levels, order, session, trades

from engines.marketdata.tape.tape import Tape, make
from engines.risk.breakers import prior_close
from engines.wire.errors import DataError
from engines.wire.messages import Accepted, Body, Denied, Halt, Levels, RiskAlert, Trades
from engines.wire.rulebook import rules
from engines.wire.scenario_file import load
from engines.wire.session import NS, epoch_ns


@pytest.fixture(scope="module")
def tape() -> Tape:
    return make(load("flash-crash-2010"), 3)


def play(tape: Tape, desk: Desk, batch: int, *, levels_first: bool) -> list[Body]:
    """Feed the tape in batches of `batch` trades, the levels before or after the trades of the same time."""
    out = desk.send(session())
    done = 0
    for start in range(0, len(tape.trades), batch):
        part = tape.trades[start : start + batch]
        until = int(np.searchsorted(tape.levels["ts"], part["ts"][-1], side="right"))
        messages: list[Body] = [Trades(SYMBOLS, part.tobytes()), Levels(SYMBOLS, tape.levels[done:until].tobytes())]
        done = until
        for body in reversed(messages) if levels_first else messages:
            out += desk.send(body)
    return out


@pytest.mark.parametrize("batch", [997, 20_000])
@pytest.mark.parametrize("levels_first", [False, True])
def test_6_may_2010_has_one_pause_and_no_market_wide_halt(tape: Tape, batch: int, levels_first: bool) -> None:
    day = dt.date(2010, 5, 6)
    out = play(tape, Desk(), batch, levels_first=levels_first)
    halts = [body for body in out if isinstance(body, Halt)]
    span = (epoch_ns(day, dt.time(14, 45, 28)), epoch_ns(day, dt.time(14, 45, 33)))
    assert halts == [Halt("pause", 0, "ESX", *span, "CME stop logic")]
    (near,) = (body for body in out if isinstance(body, RiskAlert))
    assert near.kind == "breaker-near"
    assert 0.0766 < near.value < 0.0858
    assert near.limit == pytest.approx(0.0966, abs=1e-4)


def test_a_tape_that_does_not_fall_is_not_paused(tape: Tape) -> None:
    rows = tape.trades.copy()
    future = rows["symbol"] == 1
    rows["price"][np.flatnonzero(future)[100]] = 9_000_000  # an earlier, deeper low
    changed = replace(tape, trades=rows)
    out = play(changed, Desk(), 5_000, levels_first=False)
    assert not [body for body in out if isinstance(body, Halt)]
    assert "pause-not-confirmed" in {body.kind for body in out if isinstance(body, RiskAlert)}


def test_the_pause_waits_for_a_trade_after_its_time() -> None:
    desk = Desk().begin()
    start = desk.at("14:45:28")
    assert desk.send(trades([(start - 5, "ESX", 1065.75)])) == []
    assert desk.send(trades([(start, "AAPL", 200.0)])) == []
    (halt,) = desk.send(trades([(start + 1, "AAPL", 200.0)]))
    assert isinstance(halt, Halt)
    assert desk.send(trades([(start + 2, "AAPL", 200.0)])) == []


DAY = "2015-08-24"  # under the rule of 2013; the bundle's prior close is 1970.89


def crash(desk: Desk, *points: tuple[str, float]) -> list[Halt]:
    out: list[Body] = []
    for clock, level in points:
        out += desk.send(levels([(desk.at(clock), level)]))
    return [body for body in out if isinstance(body, Halt)]


def test_the_prior_close_is_the_trading_day_befores() -> None:
    assert prior_close(dt.date(2015, 8, 24)) == 19_708_900
    with pytest.raises(DataError, match="no close"):
        prior_close(dt.date(2021, 3, 9))


def test_levels_halt_once_each_and_the_third_closes_the_day() -> None:
    desk = Desk(DAY).begin()
    first, second, third = rules(dt.date(2015, 8, 24)).market_wide.thresholds(19_708_900)  # type: ignore[union-attr]
    at = [value / 10_000 for value in (first, second, third)]
    assert crash(desk, ("09:40:00", at[0] + 0.01)) == []
    (one,) = crash(desk, ("09:41:00", at[0]), ("09:50:00", at[0] - 1), ("10:00:00", at[0] - 2))
    assert (one.level, one.start_ns, one.end_ns - one.start_ns) == (1, desk.at("09:41:00"), 15 * 60 * NS)
    (two,) = crash(desk, ("10:10:00", at[1]), ("10:40:00", at[1] - 1))
    assert (two.level, two.symbol, two.kind) == (2, "*", "market-wide")
    (three,) = crash(desk, ("15:40:00", at[2]), ("15:50:00", at[2] - 5))
    assert (three.level, three.end_ns) == (3, desk.at("16:00:00"))


def test_level_2_does_not_halt_after_1525_but_level_3_does() -> None:
    desk = Desk(DAY).begin()
    assert crash(desk, ("15:25:01", 1_700.0)) == []
    assert [halt.level for halt in crash(desk, ("15:30:00", 1_500.0))] == [3]


def test_one_batch_gives_what_single_levels_give() -> None:
    points = [("09:31:00", 1_900.0), ("09:41:00", 1_830.0), ("09:57:00", 1_829.0), ("10:10:00", 1_700.0)]
    single, whole = Desk(DAY).begin(), Desk(DAY).begin()
    batch = whole.send(levels([(whole.at(clock), level) for clock, level in points]))
    assert [body for body in batch if isinstance(body, Halt)] == crash(single, *points)
    assert len(crash(Desk(DAY).begin(), *points)) == 2


def test_orders_are_denied_in_a_halt_and_accepted_after_it() -> None:
    desk = Desk(DAY).begin()
    crash(desk, ("09:41:00", 1_830.0))
    (denied,) = desk.send(order(1, "AAPL", 1, 10), desk.at("09:50:00"))
    assert isinstance(denied, Denied)
    assert denied.code == "HALTED"
    (accepted,) = desk.send(order(2, "AAPL", 1, 10), desk.at("09:56:00"))
    assert isinstance(accepted, Accepted)


def test_a_day_that_the_breaker_cannot_judge_says_so_once() -> None:
    desk = Desk("2021-03-09")
    (alert,) = desk.send(session(day="2021-03-09"))
    assert isinstance(alert, RiskAlert)
    assert alert.kind == "breaker-unknown"
    assert desk.send(levels([(desk.at("09:34:13"), 2_000.0)])) == []
