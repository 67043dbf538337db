"""Event-driven backtests of a moving-average crossover over daily bars.

The signal is computed at the close of a day and executed at the open of the next one, in whole shares, with all the
money there is; fees are a share of the traded value, paid each way.  What is held after the last close is sold at that
close.  A position begins with a crossing: averages that lie apart from the first day on are no signal.

Prices and money are computed in integers of 1/10,000, so that averages compare and money adds up exactly; a fee is
rounded to the nearest of them.
"""

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from engines.backtesting.config import CONFIG, TRADING_DAYS
from engines.wire.bundle import Bars
from engines.wire.errors import DataError, UsageError
from engines.wire.messages import Body, Envelope, Session
from engines.wire.ticks import PRICE_SCALE, to_units
from engines.wire.trace import replay_of

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Prices(NamedTuple):
    """Days in order: dates, and opens and closes in 1/10,000."""

    date: npt.NDArray[np.datetime64]
    open: Ints
    close: Ints


class Rule(msgspec.Struct, frozen=True):
    """A crossover: long while the `fast` average (days) is above the `slow` one; below it short, or out."""

    fast: int
    slow: int
    cash: float = CONFIG.cash
    fee: float = CONFIG.fee
    short: bool = False


class Trade(msgspec.Struct, frozen=True):
    """A position from its opening to its closing: days are indices, prices in 1/10,000, `shares` negative for short."""

    entry: int
    exit: int
    shares: int
    entry_price: int
    exit_price: int
    fees: float
    profit: float  # after fees


class Run(NamedTuple):
    """What a backtest did.  `equity` is at each close, `shares` what is held over it; both of shape (days,)."""

    equity: Floats
    shares: Ints
    trades: list[Trade]


class Statistics(msgspec.Struct, frozen=True):
    """A run in figures.  Sharpe: daily returns of equity, ddof 1, sqrt(252), risk-free rate 0.

    `exposure` is the share of closes over which something is held; `hold_return` that of buying at the first open.
    Sharpe is None where equity never moves or is lost.
    """

    days: int
    trades: int
    final_equity: float
    total_return: float
    annual_return: float
    sharpe: float | None
    max_drawdown: float
    exposure: float
    win_rate: float | None
    fees: float
    hold_return: float


class Sessions(msgspec.Struct):
    """The engine's state: what it heard of replays."""

    replay: int = 0
    heard: int = 0
    last: str = ""


def step(state: Sessions, envelope: Envelope) -> tuple[Sessions, Sequence[Body]]:
    """Remember the session.  Publishes nothing."""
    body = envelope.body
    if isinstance(body, Session):
        state.heard += 1
        replay = replay_of(envelope.header.trace)
        if replay is not None and replay >= state.replay:
            state.replay = replay
            state.last = f"{body.scenario} {body.date} {body.event}"
    return state, ()


def prices(bars: Bars, *, adjusted: bool) -> Prices:
    """Bars as prices; adjusted ones scale the open as the close is scaled, so that splits are no falls."""
    scale = bars.adj_close / bars.close if adjusted else np.ones(len(bars))
    return Prices(bars.date, _units(bars.open * scale), _units(bars.close * scale))


def check(rule: Rule) -> None:
    """Refuse a rule that cannot be run.

    Raises:
        UsageError: with what is allowed.
    """
    if not 1 <= rule.fast < rule.slow <= CONFIG.longest:
        why = f"It needs 1 <= fast < slow <= {CONFIG.longest}."
        raise UsageError(f"A crossover of {rule.fast} and {rule.slow} days cannot be.", why, "Try fast=10 and slow=30.")
    if not 0 <= rule.fee <= CONFIG.most_fee or not 0 < rule.cash <= CONFIG.most_cash:
        raise UsageError(
            "Fee or cash is out of range.", f"Fees are 0 to {CONFIG.most_fee}, cash above 0 to {CONFIG.most_cash:.0f}."
        )


def targets(close: Ints, rule: Rule) -> npt.NDArray[np.int8]:
    """What to hold after each close: 1 long, -1 short, 0 nothing; shape (days,).  Knows nothing of later closes."""
    days = close.size
    wanted = np.zeros(days, np.int8)
    if days <= rule.slow:
        return wanted
    summed = np.concatenate((np.zeros(1, np.int64), np.cumsum(close)))
    end, fast = summed[rule.slow :], rule.slow - rule.fast
    above = (end - summed[fast : fast + end.size]) * rule.slow - (end - summed[: end.size]) * rule.fast
    side = np.sign(above)
    if not side.all():  # averages that touch change nothing
        side = side[np.maximum.accumulate(np.where(side != 0, np.arange(side.size), 0))]
    started = np.flatnonzero(side)
    if not started.size:
        return wanted
    crossed = np.flatnonzero(side != side[started[0]])
    first = crossed[crossed > started[0]]
    if first.size:
        wanted[rule.slow - 1 + first[0] :] = side[first[0] :]
    return wanted if rule.short else np.maximum(wanted, 0)


def backtest(market: Prices, rule: Rule) -> Run:
    """Run `rule`.  The loop is over trades; days in between are filled in one go.

    Raises:
        UsageError: the rule cannot be run.
        DataError: there are no more days than the slow average needs.
    """
    check(rule)
    days = market.close.size
    if days <= rule.slow:
        raise DataError(f"{days} days are too few.", f"The slow average needs {rule.slow}.", "Widen the dates.")
    held = np.concatenate((np.zeros(1, np.int8), targets(market.close, rule)[:-1]))
    bars = np.flatnonzero(np.diff(held, prepend=np.int8(0)))  # a position begins or ends at these opens
    at, opens, sides = bars.tolist(), market.open[bars].tolist(), held[bars].tolist()
    at.append(days)
    opens.append(int(market.close[-1]))  # what is left is sold at the last close
    money = to_units(rule.cash)
    owned, left, trades = [0], [money], []
    for n, side in enumerate(sides):
        own = side * math.floor(max(0, money) / (opens[n] * (1 + rule.fee)))
        owned.append(own)
        left.append(money - own * opens[n] - _fee(rule, own * opens[n]))
        if own:
            value, fees = own * (opens[n + 1] - opens[n]), _fee(rule, own * opens[n]) + _fee(rule, own * opens[n + 1])
            ends = at[n], min(at[n + 1], days - 1), own, opens[n], opens[n + 1]
            trades.append(Trade(*ends, fees / PRICE_SCALE, (value - fees) / PRICE_SCALE))
            money += value - fees
    lengths = np.diff(at, prepend=0)
    shares = np.repeat(np.array(owned, np.int64), lengths)
    equity = np.repeat(np.array(left, np.int64), lengths) + shares * market.close
    equity[-1] = money
    return Run(equity / PRICE_SCALE, shares, trades)


def statistics(market: Prices, rule: Rule, run: Run) -> Statistics:
    """The run's figures."""
    value = np.concatenate(([rule.cash], run.equity))
    total = float(value[-1] / rule.cash - 1)
    won = sum(trade.profit > 0 for trade in run.trades)
    return Statistics(
        days=run.equity.size,
        trades=len(run.trades),
        final_equity=float(value[-1]),
        total_return=total,
        annual_return=(1 + total) ** (TRADING_DAYS / run.equity.size) - 1 if total > -1 else -1.0,
        sharpe=_sharpe(value),
        max_drawdown=float((value / np.maximum.accumulate(value)).min() - 1),
        exposure=float(np.count_nonzero(run.shares)) / run.shares.size,
        win_rate=won / len(run.trades) if run.trades else None,
        fees=sum(trade.fees for trade in run.trades),
        hold_return=float(market.close[-1] / market.open[0] - 1),
    )


def grid(fast: Iterable[int], slow: Iterable[int], template: Rule) -> list[Rule]:
    """Every crossover of the given lengths with fast < slow.

    Raises:
        UsageError: there is none, there are too many, or one cannot be run.
    """
    slower = sorted(set(slow))
    rules = [msgspec.structs.replace(template, fast=f, slow=s) for f in sorted(set(fast)) for s in slower if f < s]
    if not 0 < len(rules) <= CONFIG.most_runs:
        raise UsageError(
            f"The sweep has {len(rules)} runs.", f"One has 1 to {CONFIG.most_runs}.", "Give other lengths."
        )
    for rule in rules:
        check(rule)
    return rules


def day(market: Prices, index: int) -> dt.date:
    """The date of a day by its index."""
    found: dt.date = market.date[index].item()
    return found


def _fee(rule: Rule, value: int) -> int:
    return round(rule.fee * abs(value))


def _sharpe(value: Floats) -> float | None:
    if value.min() <= 0:
        return None
    returns = value[1:] / value[:-1] - 1
    deviation = float(returns.std(ddof=1)) if returns.size > 1 else 0.0
    return float(returns.mean()) / deviation * TRADING_DAYS**0.5 if deviation > 0 else None


def _units(values: Floats) -> Ints:
    return np.rint(values * PRICE_SCALE).astype(np.int64)
