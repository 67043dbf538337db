"""Small days for replay tests: random times, prices that say which row they are."""

import numpy as np

from engines.marketdata.day import Day, Evidence
from engines.marketdata.request import ReplayRequest
from engines.wire.session import NS, open_ns
from engines.wire.ticks import BUST, DEPTH, LEVEL, QUOTE, TRADE


def small_day(seconds: list[float], seed: int = 1, request: ReplayRequest | None = None) -> Day:
    """Trades and quotes at `seconds` after the open (sorted here), a level every half hour."""
    request = request or ReplayRequest(seed=seed, quick=True)
    scenario = request.resolve()
    opening = open_ns(scenario.date)
    ts = opening + (np.sort(np.array(seconds, np.float64)) * NS).astype(np.int64)
    trades, quotes = np.zeros(ts.size, TRADE), np.zeros(ts.size, QUOTE)
    trades["ts"] = quotes["ts"] = ts
    trades["price"] = quotes["bid"] = np.arange(1, ts.size + 1) + 1000 * seed
    quotes["ask"] = quotes["bid"] + 1
    levels = np.zeros(14, LEVEL)
    levels["ts"] = opening + np.arange(14) * 1800 * NS
    levels["level"] = np.arange(1, 15)
    made = Evidence(f"digest-{seed}", ts.size, ts.size, 14, (), ())
    return Day(request, scenario, made, trades, quotes, levels, np.empty(0, DEPTH), np.empty(0, BUST))
