"""What each arrival trades at, and the quote that stands right after it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from engines.marketdata.tape.arrivals import Arrivals
from engines.marketdata.tape.path import Paths
from engines.marketdata.tape.sizes import exponent
from engines.wire.intensity import GRID_S, Intensity
from engines.wire.pins import Pin
from engines.wire.scenario import Scenario
from engines.wire.ticks import PRICE_SCALE, QUOTE, TRADE, Rows, to_units

Floats = npt.NDArray[np.float64]

DEPTH_SD = 0.5  # log-normal spread of the size at the touch
SIZE_SD = 1.1  # log-normal spread of trade sizes


@dataclass(frozen=True, eq=False)
class Prints:
    """``trades`` and ``quotes`` row by row; ``raw`` is the size of each trade before it is scaled to the volume."""

    trades: Rows
    quotes: Rows
    raw: Floats


def prints(
    scenario: Scenario, pins: tuple[Pin, ...], day: Intensity, moves: Paths, hits: Arrivals, rng: np.random.Generator
) -> Prints:
    """Prices on the tick, strictly inside the day's range; times are left to the caller, sizes are raw."""
    count = hits.t.size
    trades, quotes, raw = np.empty(count, TRADE), np.empty(count, QUOTE), np.empty(count)
    traded, book = scenario.instruments, scenario.book
    ticks = np.array([to_units(item.tick) for item in traded])
    lowest = np.array([pin.low // tick + 1 for pin, tick in zip(pins[1:], ticks, strict=True)])
    highest = np.array([-(-pin.high // tick) - 1 for pin, tick in zip(pins[1:], ticks, strict=True)])
    calm = np.array([[item.spread0, item.depth0] for item in traded])
    wider, thinner = np.exp(book.spread_growth * day.y), book.depth_floor**day.y
    trades["symbol"] = quotes["symbol"] = hits.instrument + 1
    trades["side"] = hits.side
    _fill(
        (hits.t, hits.instrument, hits.side),
        (moves.log, np.array(moves.row_of), ticks, lowest, highest),
        (calm, wider, thinner),
        (np.log(day.lam / day.lam0), _exponents(scenario, pins, day, hits)),
        (trades["price"], quotes["bid"], quotes["ask"], quotes["bid_size"], quotes["ask_size"], raw),
        rng,
    )
    return Prints(trades, quotes, raw)


def _exponents(scenario: Scenario, pins: tuple[Pin, ...], day: Intensity, hits: Arrivals) -> Floats:
    """Each instrument's size exponent; one share per trade is the floor of its volume."""
    counts = np.bincount(hits.instrument, minlength=len(scenario.instruments))
    volumes = [pin.volume for pin in pins[1:] if pin.volume is not None]
    return np.array(
        [exponent(scenario, day, min(1.0, count / volume)) for count, volume in zip(counts, volumes, strict=True)]
    )


@njit(cache=True)
def _fill(hits, where, touch, busy, out, rng):  # type: ignore[no-untyped-def]
    """The compiled loop of ``prints``: half-spread and depth from stress, price on the tick, raw size."""
    t, instrument, side = hits
    log, row_of, ticks, lowest, highest = where
    calm, wider, thinner = touch
    log_rate, kappa = busy
    price, bid, ask, bid_size, ask_size, raw = out
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
            low, high = min(low, at - 1), at
        else:
            at = min(max(low, lowest[k]), highest[k])
            low, high = at, max(high, at + 1)
        price[i], bid[i], ask[i] = at * tick, low * tick, high * tick
        depth = calm[k, 1] * thinner[cell]
        bid_size[i] = max(1, int(depth * np.exp(DEPTH_SD * rng.standard_normal())))
        ask_size[i] = max(1, int(depth * np.exp(DEPTH_SD * rng.standard_normal())))
        raw[i] = np.exp(SIZE_SD * rng.standard_normal() - kappa[k] * log_rate[cell])
