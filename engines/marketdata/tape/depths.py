"""The displayed book: five prices a side, once a market second and after each sweep that walked it."""

import numpy as np
import numpy.typing as npt
from numba import njit

from engines.wire.intensity import CELLS, GRID_S, Intensity
from engines.wire.scenario import Scenario
from engines.wire.session import NS, SESSION_S, open_ns, session_s
from engines.wire.silences import silences
from engines.wire.ticks import BOOK_LEVELS, DEPTH, Rows, to_units

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Displayed size behind the touch, as a multiple of its calm mean: books are thickest a few prices away from it.
SHAPE = np.array([1.0, 1.6, 2.0, 2.1, 2.0])
SIZE_LOW, SIZE_HIGH = 0.5, 1.5  # it is spread evenly between these multiples of that
GAP, GAP_STRESS = 0.4, 2.5  # mean of the exponential gap between two prices, in ticks: when calm, and what stress adds


def depths(scenario: Scenario, day: Intensity, quotes: Rows, swept: Ints, rng: np.random.Generator) -> Rows:
    """DEPTH rows in time order. ``swept`` are the rows of ``quotes`` at which a sweep that walked the book ended.

    Level 1 is the quote that stands; nothing is shown before an instrument's first quote, nor while it is halted.
    """
    opening = open_ns(scenario.date)
    at, last = [], []
    for place, instrument in enumerate(scenario.instruments, start=1):
        own = np.flatnonzero(quotes["symbol"] == place)
        seconds = np.arange(1, int(SESSION_S) + 1) * NS
        seconds = opening + seconds[_trading(scenario, instrument.symbol, seconds)]
        standing = np.searchsorted(quotes["ts"][own], seconds, side="right") - 1
        at.append(seconds[standing >= 0])
        last.append(own[standing[standing >= 0]])
    ts = np.concatenate((*at, quotes["ts"][swept]))
    order = np.argsort(ts, kind="stable")
    ts = ts[order]
    shown = quotes[np.concatenate((*last, swept))[order]]
    cell = np.minimum((ts - opening) // round(GRID_S * NS), CELLS - 1)
    rows = np.empty(ts.size, DEPTH)
    rows["ts"], rows["symbol"] = ts, shown["symbol"]
    traded, y = scenario.instruments, day.y[cell]
    calm = np.array([[to_units(item.tick), item.depth0] for item in traded])[shown["symbol"] - 1]
    thin = calm[:, 1] * scenario.book.depth_floor**y
    _fill(shown, rows, (calm[:, 0].astype(np.int64), thin, GAP + GAP_STRESS * y), rng)
    return rows


def _trading(scenario: Scenario, symbol: str, after: Ints) -> npt.NDArray[np.bool_]:
    """Whether ``symbol`` may trade, ``after`` nanoseconds after the open."""
    spans = [*silences(scenario)]
    spans += ((session_s(p.start), session_s(p.end)) for p in scenario.pauses if p.symbol == symbol)
    inside = np.zeros(after.size, np.bool_)
    for start, end in spans:
        inside |= (after > start * NS) & (after < end * NS)
    return ~inside


@njit(cache=True)
def _fill(shown, rows, market, rng):  # type: ignore[no-untyped-def]
    """Books whose touch is ``shown``: prices further away at random gaps, sizes by the shape of the book."""
    ticks, thin, gaps = market
    for i in range(rows.size):
        row, touch = rows[i], shown[i]
        bid, ask = touch.bid, touch.ask
        row.bid[0], row.ask[0], row.bid_size[0], row.ask_size[0] = bid, ask, touch.bid_size, touch.ask_size
        for level in range(1, BOOK_LEVELS):
            bid -= ticks[i] * (1 + int(gaps[i] * rng.standard_exponential()))
            ask += ticks[i] * (1 + int(gaps[i] * rng.standard_exponential()))
            mean = thin[i] * SHAPE[level]
            low, high = SIZE_LOW * mean, SIZE_HIGH * mean
            row.bid[level], row.ask[level] = bid, ask
            row.bid_size[level] = max(1, int(low + (high - low) * rng.random())) if bid > 0 else 0
            row.ask_size[level] = max(1, int(low + (high - low) * rng.random()))
