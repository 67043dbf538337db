"""What each arrival trades at, and the quote that stands right after it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from engines.marketdata.tape.arrivals import Arrivals
from engines.marketdata.tape.path import Paths
from engines.marketdata.tape.sizes import exponents
from engines.marketdata.tape.sweeps import step_chance
from engines.wire.intensity import GRID_S, Intensity
from engines.wire.pins import Pin
from engines.wire.scenario import Scenario
from engines.wire.session import NS, open_ns
from engines.wire.ticks import PRICE_SCALE, QUOTE, TRADE, Rows, to_units

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DEPTH_SD = 0.5  # log-normal spread of the size at the touch
LEFT = 0.992  # of the displayed size after each further print of a sweep
SIZE_SD = 1.1  # log-normal spread of trade sizes


@dataclass(frozen=True, eq=False)
class Prints:
    """``trades`` and ``quotes`` row by row; ``raw`` is the size of each trade before it is scaled to the volume.

    The prints of arrival i are the rows from ``first[i]`` to before ``first[i + 1]``.
    """

    trades: Rows
    quotes: Rows
    raw: Floats
    first: Ints


@dataclass(frozen=True)
class Market:
    """What prices are made of: the day's pins (the index first), its intensity and its paths."""

    pins: tuple[Pin, ...]
    day: Intensity
    moves: Paths


def prints(scenario: Scenario, market: Market, hits: Arrivals, counts: Ints, rng: np.random.Generator) -> Prints:
    """Prices on the tick, strictly inside the day's range; ``counts`` prints per arrival. Sizes are raw.

    A sweep's later prints walk away from the touch; the quote after each shows the price that was reached.
    """
    pins, day, moves = market.pins, market.day, market.moves
    first = np.concatenate(([0], np.cumsum(counts)))
    count = int(first[-1])
    trades, quotes, raw = np.empty(count, TRADE), np.empty(count, QUOTE), np.empty(count)
    traded, book = scenario.instruments, scenario.book
    ticks = np.array([to_units(item.tick) for item in traded])
    lowest = np.array([pin.low // tick + 1 for pin, tick in zip(pins[1:], ticks, strict=True)])
    highest = np.array([-(-pin.high // tick) - 1 for pin, tick in zip(pins[1:], ticks, strict=True)])
    calm = np.array([[item.spread0, item.depth0] for item in traded])
    wider, thinner = np.exp(book.spread_growth * day.y), book.depth_floor**day.y
    printed = np.bincount(hits.instrument, counts, len(traded))
    volumes = np.array([pin.volume for pin in pins[1:]], np.float64)
    with np.errstate(divide="ignore"):
        busy = np.log(day.lam / day.lam0)  # -inf in a halt, where nothing arrives
    _fill(
        (hits.t, hits.instrument, hits.side, first, open_ns(scenario.date)),
        (moves.log, np.array(moves.row_of), ticks, lowest, highest),
        (calm, wider, thinner, step_chance(scenario.sweeps, day.y)),
        (busy, exponents(scenario, day, np.minimum(1.0, printed / volumes))),
        (trades, quotes, raw),
        rng,
    )
    return Prints(trades, quotes, raw, first)


@njit(cache=True)
def _fill(hits, where, touch, busy, out, rng):  # type: ignore[no-untyped-def]
    """The compiled loop of ``prints``: half-spread and depth from stress, price on the tick, raw size."""
    t, instrument, side, first, opening = hits
    log, row_of, ticks, lowest, highest = where
    calm, wider, thinner, steps = touch
    log_rate, kappa = busy
    trades, quotes, raw = out
    for i in range(t.size):
        k = instrument[i]
        row, tick = row_of[k], ticks[k]
        place = t[i] / GRID_S
        cell = min(int(place), wider.size - 1)
        level = log[row, cell] + (place - cell) * (log[row, cell + 1] - log[row, cell])
        middle = np.exp(level) * PRICE_SCALE / tick
        half = calm[k, 0] * wider[cell]
        low, high = int(np.floor(middle - half + 0.5)), int(np.ceil(middle + half - 0.5))
        if side[i] > 0:
            at = min(max(high, low + 1, lowest[k]), highest[k])
            low = min(low, at - 1)
        else:
            at = min(max(low, lowest[k]), highest[k])
            high = max(high, at + 1)
        depth = calm[k, 1] * thinner[cell]
        bid_size = max(1, int(depth * np.exp(DEPTH_SD * rng.standard_normal())))
        ask_size = max(1, int(depth * np.exp(DEPTH_SD * rng.standard_normal())))
        for j in range(first[i], first[i + 1]):
            if j > first[i] and rng.random() < steps[cell]:
                at = min(at + 1, highest[k]) if side[i] > 0 else max(at - 1, lowest[k])
            if side[i] > 0:
                high = at
                ask_size = max(1, int(ask_size * LEFT)) if j > first[i] else ask_size
            else:
                low = at
                bid_size = max(1, int(bid_size * LEFT)) if j > first[i] else bid_size
            trade, quote = trades[j], quotes[j]
            trade.ts = quote.ts = opening + int(np.rint(t[i] * NS))
            trade.symbol = quote.symbol = k + 1
            trade.side, trade.price = side[i], at * tick
            quote.bid, quote.ask = low * tick, high * tick
            quote.bid_size, quote.ask_size = bid_size, ask_size
            raw[j] = np.exp(SIZE_SD * rng.standard_normal() - kappa[k] * log_rate[cell]) / (first[i + 1] - first[i])
