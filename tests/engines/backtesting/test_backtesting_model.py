"""Backtests against backtesting.py, a hand-computed example, and a day-by-day loop."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.backtesting.model import (
    Prices,
    Rule,
    Sessions,
    backtest,
    grid,
    prices,
    statistics,
    step,
    targets,
)
from engines.wire.bundle import bars
from engines.wire.errors import DataError, UsageError
from engines.wire.messages import Envelope, Header, Session

UNIT = 10_000


def market(opens: list[int], closes: list[int]) -> Prices:
    """Prices in whole currency units."""
    days = np.datetime64("2020-01-01") + np.arange(len(closes))
    return Prices(days, np.array(opens, np.int64) * UNIT, np.array(closes, np.int64) * UNIT)


walks = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=8, max_size=80).map(
    lambda rows: market([o for o, _ in rows], [c for _, c in rows])
)
rules = st.builds(
    lambda fast, more, fee, short: Rule(fast, fast + more, 1000.0, fee, short),
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.001, 0.05]),
    st.booleans(),
)


def loop(data: Prices, rule: Rule) -> tuple[list[float], list[int], list[tuple[int, int, int]]]:
    """The same backtest, one event after the other: equity, shares, and (entry, exit, shares) of each trade."""
    cash, own, entry, order = round(rule.cash * UNIT), 0, 0, None
    equity, shares, closed = [], [], []
    side = None  # of the averages, once known and apart
    position = 0
    closes: list[int] = []
    last = len(data.close) - 1

    def trade(quantity: int, price: int) -> int:
        return -quantity * price - round(rule.fee * abs(quantity * price))

    for t in range(last + 1):
        price = int(data.open[t])
        if order is not None:
            cash += trade(-own, price)
            if own:
                closed.append((entry, t, own))
            own = order * math.floor(max(0, cash) / (price * (1 + rule.fee)))
            cash += trade(own, price)
            entry, order = t, None
        closes.append(int(data.close[t]))
        if len(closes) >= rule.slow:
            above = sum(closes[-rule.fast :]) * rule.slow - sum(closes[-rule.slow :]) * rule.fast
            now = (above > 0) - (above < 0)
            if now and side is not None and now != side:
                wanted = now if rule.short else max(now, 0)
                if wanted != position:
                    order = position = wanted
            side = now or side
        close = int(data.close[t])
        if t == last:
            cash += trade(-own, close)
            if own:
                closed.append((entry, t, own))
        equity.append((cash if t == last else cash + own * close) / UNIT)
        shares.append(own)
    return equity, shares, closed


@settings(max_examples=120, deadline=None)
@given(data=walks, rule=rules)
def test_the_vectorised_backtest_is_the_day_by_day_one(data: Prices, rule: Rule) -> None:
    if data.close.size <= rule.slow:
        with pytest.raises(DataError):
            backtest(data, rule)
        return
    run = backtest(data, rule)
    equity, shares, closed = loop(data, rule)
    assert run.shares.tolist() == shares
    assert [(trade.entry, trade.exit, trade.shares) for trade in run.trades] == closed
    assert run.equity.tolist() == equity


@settings(max_examples=80, deadline=None)
@given(data=walks, rule=rules)
def test_money_is_conserved(data: Prices, rule: Rule) -> None:
    if data.close.size <= rule.slow:
        return
    run = backtest(data, rule)
    assert run.equity[-1] == pytest.approx(rule.cash + sum(trade.profit for trade in run.trades), abs=1e-7)
    for trade in run.trades:
        moved = trade.shares * (trade.exit_price - trade.entry_price) / UNIT
        traded = abs(trade.shares) * (trade.exit_price + trade.entry_price) / UNIT
        assert trade.fees == pytest.approx(rule.fee * traded, abs=1e-4)
        assert trade.profit == pytest.approx(moved - trade.fees, abs=1e-7)
    if not rule.short:
        assert run.shares.min() >= 0
        assert run.equity.min() >= 0  # whole shares that cash paid for: never in debt


@settings(max_examples=80, deadline=None)
@given(data=walks, rule=rules, cut=st.integers(0, 80))
def test_the_past_does_not_know_the_future(data: Prices, rule: Rule, cut: int) -> None:
    if not rule.slow < cut < data.close.size:
        return
    before = Prices(data.date[:cut], data.open[:cut], data.close[:cut])
    whole, part = backtest(data, rule), backtest(before, rule)
    np.testing.assert_array_equal(targets(data.close, rule)[:cut], targets(before.close, rule))
    np.testing.assert_array_equal(whole.shares[:cut], part.shares)
    np.testing.assert_array_equal(whole.equity[: cut - 1], part.equity[:-1])  # the last close sells what is held


def test_a_hand_computed_example() -> None:
    """Averages of 1 and 2 days: the close above its mean with the one before is a rising close."""
    data = market([10, 9, 8, 10, 13, 14, 9, 6], [10, 9, 8, 11, 14, 12, 7, 6])
    # rises: day 3 on (11 > 8) after falls -> buy at the open of day 4, 13; falls on day 5 -> sell at day 6's open, 9
    rule = Rule(1, 2, 1000.0, 0.01)
    run = backtest(data, rule)
    shares = math.floor(1000 / (13 * 1.01))
    assert shares == 76
    (trade,) = run.trades
    assert (trade.entry, trade.exit, trade.shares) == (4, 6, 76)
    assert trade.fees == pytest.approx(0.01 * 76 * (13 + 9))
    cash = 1000 - 76 * 13 - 0.01 * 76 * 13
    end = cash + 76 * 9 - 0.01 * 76 * 9
    expected = [1000, 1000, 1000, 1000, cash + 76 * 14, cash + 76 * 12, end, end]
    np.testing.assert_allclose(run.equity, expected, rtol=1e-14)
    found = statistics(data, rule, run)
    assert (found.trades, found.exposure, found.win_rate) == (1, 2 / 8, 0.0)
    assert found.max_drawdown == pytest.approx(end / (cash + 76 * 14) - 1)
    assert found.hold_return == pytest.approx(6 / 10 - 1)


@pytest.mark.parametrize(
    ("rule", "trades", "final", "day_1000", "before_last", "drawdown", "tenth"),
    [
        (Rule(10, 30, 1e4, 0.0, True), 66, 51406.235, 47073.275, 51623.835, -0.47990736786924934, (365, 408, -39)),
        (Rule(10, 30, 1e4, 0.002, True), 66, 39261.49191, 41780.49949, 39506.27631, -0.503553845, (365, 408, -37)),
        (
            Rule(10, 30, 1e4, 0.002, False),
            33,
            50007.70604,
            36400.57818,
            50317.43324,
            -0.3126135253,
            (698, 740, 50),
        ),
    ],
)
def test_backtesting_py_on_the_same_bars(rule, trades, final, day_1000, before_last, drawdown, tenth) -> None:
    """backtesting 0.6.6, SmaCross 10/30 on the bundle's unadjusted GOOG, `commission` as given, `finalize_trades`.

    It closes the last trade at the last open, we at the last close: the last trade is valued its way here.  Our fees
    are rounded to 1/10,000, hence the tolerance of a cent.
    """
    data = prices(bars("GOOG"), adjusted=False)
    run = backtest(data, rule)
    assert len(run.trades) == trades
    assert (run.trades[10].entry, run.trades[10].exit, run.trades[10].shares) == tenth
    assert run.equity[1000] == pytest.approx(day_1000, abs=0.01)
    assert run.equity[-2] == pytest.approx(before_last, abs=0.01)
    last = run.trades[-1]
    at_open = data.open[-1] / UNIT
    profit = last.shares * (at_open - last.entry_price / UNIT)
    fees = rule.fee * abs(last.shares) * (at_open + last.entry_price / UNIT)
    assert rule.cash + sum(t.profit for t in run.trades[:-1]) + profit - fees == pytest.approx(final, abs=0.01)
    assert statistics(data, rule, run).max_drawdown == pytest.approx(drawdown, abs=1e-7)
    if rule.short:
        assert statistics(data, rule, run).exposure == pytest.approx(0.9674115456238361, rel=1e-12)


def test_a_split_is_no_fall_in_adjusted_prices() -> None:
    apple = bars("AAPL")
    split = int(np.searchsorted(apple.date, np.datetime64("2005-02-28")))
    raw, adjusted = prices(apple, adjusted=False), prices(apple, adjusted=True)
    assert raw.open[split] / raw.close[split - 1] < 0.6
    assert abs(adjusted.open[split] / adjusted.close[split - 1] - 1) < 0.1


def test_a_price_that_never_moves_gives_no_trade_and_no_sharpe() -> None:
    data = Prices(np.datetime64("2020-01-01") + np.arange(50), *np.full((2, 50), 1001))
    rule = Rule(3, 7)
    found = statistics(data, rule, backtest(data, rule))
    assert (found.trades, found.sharpe, found.max_drawdown, found.win_rate) == (0, None, 0.0, None)


def test_a_short_that_ruins_ends_trading() -> None:
    closes = [10, 11, 10, 9, 100, 200, 150, 300, 100, 50, 400]
    rule = Rule(1, 2, 1000.0, 0.0, short=True)
    data = market(closes, closes)
    run = backtest(data, rule)
    found = statistics(data, rule, run)
    assert run.equity.min() < 0
    assert (found.sharpe, found.annual_return) == (None, -1.0)
    assert run.shares[-1] == 0


@pytest.mark.parametrize(
    "rule", [Rule(0, 5), Rule(5, 5), Rule(9, 3), Rule(1, 2000), Rule(1, 2, fee=0.5), Rule(1, 2, 0.0)]
)
def test_rules_that_cannot_be_are_refused(rule: Rule) -> None:
    with pytest.raises(UsageError):
        backtest(market([1] * 9, [1] * 9), rule)


def test_a_grid_holds_every_pair_once_and_no_more_than_allowed() -> None:
    found = [(rule.fast, rule.slow) for rule in grid([3, 1, 3], [2, 3, 5], Rule(1, 2))]
    assert found == [(1, 2), (1, 3), (1, 5), (3, 5)]
    with pytest.raises(UsageError):
        grid([5], [3], Rule(1, 2))
    with pytest.raises(UsageError):
        grid(range(1, 100), range(100, 200), Rule(1, 2))
    with pytest.raises(UsageError):
        grid([0], [3], Rule(1, 2))


def test_the_state_remembers_the_newest_replays_session() -> None:
    def envelope(trace: str, event: str) -> Envelope:
        body = Session(event, "crash", "2010-05-06", (), (), 1, "d", 1.0)
        return Envelope("sessions", "1-0", Header("m", 1, 1, "", 0, trace, 0, 0, 0), body)

    state = Sessions()
    for trace, event in [("r2/before", "open"), ("r1/after", "close"), ("manual", "open")]:
        state, out = step(state, envelope(trace, event))
        assert not out
    assert (state.replay, state.heard, state.last) == (2, 3, "crash 2010-05-06 open")
