"""Backtests in number: the own computation against published figures and the engine; answers judged."""

import datetime as dt
import json

import numpy as np
import pytest

from engines.backtesting.model import Rule, backtest, statistics
from engines.backtesting.service import market_of
from engines.wire.bundle import bars
from reports.measures.backtests import differs
from stress.backtests.asked import REFUSED, Ask, Market, asked, single, sweep
from stress.backtests.loop import Days, Order, crossover, days_of
from stress.roles.backtests import Answer, account, judged

UNIT = 10_000


def test_the_loop_has_the_published_figures_of_backtesting_py() -> None:
    """backtesting 0.6.6, SmaCross 10/30 on unadjusted GOOG, cash 10,000, no fees.

    It closes the last trade at the last open, we at the last close: the final equity differs by that day's move.
    """
    found = crossover(days_of(bars("GOOG"), adjusted=False), Order(10, 30, 0.0, True, 10_000.0))
    assert found["trades"] == 66
    assert found["exposure"] == pytest.approx(0.9674115456238361, rel=1e-12)
    assert found["max_drawdown"] == pytest.approx(-0.47990736786924934, abs=1e-7)
    assert found["final_equity"] == pytest.approx(51_406.235, rel=0.02)  # the last exit differs


def test_a_hand_computed_example() -> None:
    days = Days([n * UNIT for n in (10, 9, 8, 10, 13, 14, 9, 6)], [n * UNIT for n in (10, 9, 8, 11, 14, 12, 7, 6)])
    found = crossover(days, Order(1, 2, 0.01, False, 1000.0))
    fees = 0.01 * 76 * (13 + 9)  # 76 shares, the whole cash with its fee: bought at 13, sold at 9
    assert found["final_equity"] == pytest.approx(1000 - 76 * (13 - 9) - fees)
    assert (found["trades"], found["exposure"], found["hold_return"]) == (1, 2 / 8, pytest.approx(-0.4))
    assert found["fees"] == pytest.approx(fees)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_engine_and_the_loop_agree_on_what_is_asked(seed: int) -> None:
    asks = [ask for ask in asked(30, 2, 3, seed) if ask.market is not None]
    for ask in asks:
        market = ask.market
        assert market is not None
        prices = market_of(market.symbol, market.start, market.end, adjusted=market.adjusted)
        rules = [Rule(order.fast, order.slow, fee=order.fee, short=order.short) for order in ask.orders]
        found = [statistics(prices, rule, backtest(prices, rule)) for rule in rules]
        own = ask.independent()
        if ask.method == "GET":
            assert {name: getattr(found[0], name) for name in own} == pytest.approx(own, rel=1e-9, abs=1e-9)
        else:
            assert own["runs"] == len(rules)
            assert own["best_return"] == pytest.approx(max(each.total_return for each in found), rel=1e-9)


def test_what_is_asked_is_seeded_and_counted() -> None:
    first = asked(40, 5, 7, 3)
    assert first == asked(40, 5, 7, 3) != asked(40, 5, 7, 4)
    assert (len(first), sum(ask.method == "POST" for ask in first if ask.orders)) == (52, 5)
    assert sum(ask.wanted == "rejected" for ask in first) == 7
    assert len({ask.market.symbol for ask in first if ask.market is not None}) > 5


def answered(status: int | None, document: object, ask: Ask) -> Answer:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Answer(ask, status, data, 3.5)


MARKET = Market("GOOG", dt.date(2008, 1, 2), dt.date(2009, 1, 2), adjusted=True)
ONE = single(MARKET, Order(5, 20, 0.001, True))
MANY = sweep(MARKET, [5, 30], [10, 20], fee=0.0, short=False)


def test_a_right_answer_succeeds_and_a_wrong_one_differs() -> None:
    right = ONE.independent()
    made = judged("b", 0, answered(200, {"statistics": {**right, "sharpe": None}}, ONE), checked=True)
    assert (made.outcome, made.wanted, made.runs, made.values == right) == ("succeeded", "succeeded", 1, True)
    assert not differs(made)
    for name, value in right.items():
        changed = {**right, name: value * (1 + 1e-6) + 1e-6}
        made = judged("b", 0, answered(200, {"statistics": changed}, ONE), checked=True)
        assert differs(made), name
        lacking = {key: other for key, other in right.items() if key != name}
        assert differs(judged("b", 0, answered(200, {"statistics": lacking}, ONE), checked=True))


def test_a_sweep_must_hold_every_run_and_the_best_of_them() -> None:
    right = MANY.independent()
    assert right["runs"] == 2 == len(MANY.orders)  # 5/10 and 5/20: 30 is never the faster
    best = [{"statistics": {"total_return": right["best_return"]}}]
    document = {"runs": 2, "days": right["days"], "best": best}
    made = judged("b", 0, answered(200, document, MANY), checked=True)
    assert (made.outcome, made.runs, differs(made)) == ("succeeded", 2, False)
    assert differs(judged("b", 0, answered(200, {**document, "runs": 3}, MANY), checked=True))
    worse = {**document, "best": [{"statistics": {"total_return": right["best_return"] - 0.01}}]}
    assert differs(judged("b", 0, answered(200, worse, MANY), checked=True))


@pytest.mark.parametrize(
    ("status", "document", "outcome"),
    [
        (400, {"detail": "cannot be"}, "rejected"),
        (404, {"detail": "too few"}, "rejected"),
        (500, {"detail": "broke"}, "failed"),
        (None, b"it does not answer", "failed"),
        (200, b"not JSON", "failed"),
        (200, {"other": 1}, "failed"),
        (200, [], "failed"),
    ],
)
def test_what_does_not_answer_well_is_refused_or_failed_with_its_reason(
    status: int | None, document: object, outcome: str
) -> None:
    made = judged("b", 0, answered(status, document, ONE), checked=True)
    assert (made.outcome, made.runs, made.independent) == (outcome, 0, {})
    assert made.reason


def test_the_account_sums_up() -> None:
    answers = [
        answered(200, {"statistics": ONE.independent()}, ONE),
        answered(400, {}, REFUSED[0]),
        answered(500, {}, MANY),
    ]
    made = account("b", 4, 2.0, [judged("b", n, answer, checked=False) for n, answer in enumerate(answers)])
    assert (made.executed, made.succeeded, made.rejected, made.failed, made.runs) == (3, 1, 1, 1, 1)


def test_averages_that_touch_change_nothing() -> None:
    flat = Days([UNIT] * 30, [UNIT] * 30)
    found = crossover(flat, Order(2, 5, 0.0, True))
    assert (found["trades"], found["final_equity"], found["max_drawdown"]) == (0, 100_000.0, 0.0)
    assert np.isfinite(list(found.values())).all()
