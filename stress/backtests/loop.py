"""A moving-average crossover day by day: what the backtesting engine's answers are compared with.

Written from the engine's published rules, not from its code: the signal falls at a close and is executed at the next
open in whole shares with all the money there is; fees are a share of the traded value each way, rounded to 1/10,000;
what is held after the last close is sold at it; averages that lie apart from the first day on are no signal.
"""

import math
from typing import NamedTuple

import numpy as np

from engines.wire.bundle import Bars
from engines.wire.ticks import PRICE_SCALE


class Days(NamedTuple):
    """Opens and closes in 1/10,000, in order."""

    opens: list[int]
    closes: list[int]


class Order(NamedTuple):
    """A crossover: `fast` and `slow` in days, `fee` as a share."""

    fast: int
    slow: int
    fee: float
    short: bool
    cash: float = 100_000.0


def days_of(bars: Bars, *, adjusted: bool) -> Days:
    """The days as the engine prices them: adjusted opens are scaled as the closes are."""
    scale = bars.adj_close / bars.close if adjusted else np.ones(len(bars))
    opens, closes = (np.rint(values * scale * PRICE_SCALE).astype(np.int64) for values in (bars.open, bars.close))
    return Days(opens.tolist(), closes.tolist())


class _Account:
    """Money in 1/10,000, shares (negative: sold short) and what was paid."""

    def __init__(self, cash: int, fee: float) -> None:
        self.cash, self.fee = cash, fee
        self.shares = self.trades = self.paid = 0

    def trade(self, quantity: int, price: int) -> None:
        """Buy so many, or sell a negative quantity."""
        cost = round(self.fee * abs(quantity * price))
        self.cash -= quantity * price + cost
        self.paid += cost
        self.shares += quantity

    def turn(self, side: int, price: int) -> None:
        """Hold nothing more of what there was, then all that money buys on this side."""
        self.trade(-self.shares, price)
        quantity = side * math.floor(max(0, self.cash) / (price * (1 + self.fee)))
        self.trades += quantity != 0
        self.trade(quantity, price)


def crossover(days: Days, order: Order) -> dict[str, float]:
    """Final equity, total return, trades, fees, largest fall, exposure, and the return of holding."""
    account = _Account(round(order.cash * PRICE_SCALE), order.fee)
    sums = {order.fast: 0, order.slow: 0}
    side = position = 0
    pending: int | None = None
    peak = account.cash
    fall, exposed = 0.0, 0
    for place, (price, close) in enumerate(zip(days.opens, days.closes, strict=True)):
        if pending is not None:
            account.turn(pending, price)
            pending = None
        for length in sums:
            sums[length] += close - (days.closes[place - length] if place >= length else 0)
        if place + 1 >= order.slow:
            apart = sums[order.fast] * order.slow - sums[order.slow] * order.fast
            now = (apart > 0) - (apart < 0) or side
            wanted = now if order.short else max(now, 0)
            if side and now != side and wanted != position:
                pending = position = wanted
            side = now
        exposed += account.shares != 0
        if place + 1 == len(days.closes):
            account.trade(-account.shares, close)
        equity = account.cash + account.shares * close
        peak = max(peak, equity)
        fall = min(fall, equity / peak - 1)
    final = account.cash / PRICE_SCALE
    return {
        "final_equity": final,
        "total_return": final / order.cash - 1,
        "trades": float(account.trades),
        "fees": account.paid / PRICE_SCALE,
        "max_drawdown": fall,
        "exposure": exposed / len(days.closes),
        "hold_return": days.closes[-1] / days.opens[0] - 1,
    }
