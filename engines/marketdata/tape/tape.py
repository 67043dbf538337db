"""The tape: one day of trades and quotes that meets the real day's bars exactly. A pure function of spec and seed."""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from engines.marketdata.tape.arrivals import Arrivals, arrivals
from engines.marketdata.tape.path import Paths, Turns, paths
from engines.marketdata.tape.prints import Prints, prints
from engines.marketdata.tape.sizes import exact
from engines.wire.errors import UsageError
from engines.wire.intensity import GRID_S, intensity
from engines.wire.pins import INDEX_TICK, Pin, pins
from engines.wire.scenario import Instrument, Scenario
from engines.wire.scenario_file import ScenarioErrors
from engines.wire.scenario_rules import problems
from engines.wire.session import NS, open_ns, session_s
from engines.wire.ticks import LEVEL, PRICE_SCALE, Rows, to_units

Ints = npt.NDArray[np.int64]

FEWEST_PRINTS = 4  # open, high, low and close
DRIFT_CELLS = 100  # the side of a trade leans with the index's move over 10 s
LEAN, LEAN_MOST = 0.35, 0.1


@dataclass(frozen=True, eq=False)
class Tape:
    """One day of ticks; the arrays are read-only and in time order.

    ``trades[i]`` (TRADE) left ``quotes[i]`` (QUOTE, same length and time) standing. ``levels`` (LEVEL) is the index
    once a second from the open to the close, both included.
    """

    scenario: Scenario
    seed: int
    pins: tuple[Pin, ...]
    trades: Rows
    quotes: Rows
    levels: Rows

    def digest(self) -> str:
        """sha256 of all rows, in hexadecimal: equal for the same spec and seed on the same machine and versions."""
        summed = hashlib.sha256(",".join(self.scenario.symbols).encode())
        for rows in (self.trades, self.quotes, self.levels):
            summed.update(rows.data.cast("B"))
        return summed.hexdigest()


def make(scenario: Scenario, seed: int) -> Tape:
    """The tape of ``scenario``; the same seed gives the same bytes.

    Raises ``ScenarioErrors`` with every mistake of the spec, ``UsageError`` when the spec asks for what cannot be, and
    ``DataError`` or ``bundle.UnknownSymbol`` when the bundle lacks the day's bars.
    """
    found = problems(scenario)
    if found:
        raise ScenarioErrors(f"scenario {scenario.name}", found)
    for_path, for_arrivals, for_prints = (
        np.random.Generator(np.random.PCG64(child)) for child in np.random.SeedSequence(seed).spawn(3)
    )
    pinned, day = pins(scenario), intensity(scenario)
    moves = paths(scenario, pinned, day, for_path)
    hits = arrivals(scenario, day, _sales(moves), for_arrivals)
    hits = hits.where(_open_market(scenario, hits))
    made = prints(scenario, pinned, day, moves, hits, for_prints)
    for k, instrument in enumerate(scenario.instruments):
        rows = np.flatnonzero(hits.instrument == k)
        if rows.size < FEWEST_PRINTS:
            raise UsageError(
                f"{instrument.symbol} has {rows.size} trades.",
                "Its day needs an open, high, low and close.",
                "Raise ticks.",
            )
        _pin(made, hits, rows, pinned[k + 1], (instrument, moves.turns[moves.row_of[k]]))
        made.trades["size"][rows] = exact(made.raw[rows], pinned[k + 1].volume or 0)
    made.trades["ts"] = made.quotes["ts"] = open_ns(scenario.date) + np.rint(hits.t * NS).astype(np.int64)
    tape = Tape(scenario, seed, pinned, made.trades, made.quotes, _levels(scenario, pinned[0], moves))
    for part in (tape.trades, tape.quotes, tape.levels):
        part.flags.writeable = False
    return tape


def warm() -> None:
    """Compile the kernels (or load them from the cache) by making one small tape."""
    from engines.wire.scenario_file import load

    make(replace(load("flash-crash-2010"), ticks=2_000), seed=0)


def _sales(moves: Paths) -> npt.NDArray[np.float64]:
    """Per cell, the probability that a trade without parent is a sale: above one half while the index falls."""
    drift = np.convolve(np.diff(moves.log[0]), np.ones(DRIFT_CELLS), "same")
    spread = float(drift.std()) or 1.0
    return np.clip(0.5 - LEAN * np.tanh(drift / spread / 2), LEAN_MOST, 1 - LEAN_MOST)


def _open_market(scenario: Scenario, hits: Arrivals) -> npt.NDArray[np.bool_]:
    """False for the arrivals that fall into a pause of their instrument."""
    keep = np.ones(hits.t.size, np.bool_)
    for pause in scenario.pauses:
        k = scenario.symbols.index(pause.symbol) - 1
        inside = (hits.t > session_s(pause.start)) & (hits.t < session_s(pause.end))
        keep &= ~(inside & (hits.instrument == k))
    return keep


def _pin(made: Prints, hits: Arrivals, rows: Ints, pin: Pin, how: tuple[Instrument, Turns]) -> None:
    """Force one print onto each pin: the last one before the high and the low, the first and the last of the day."""
    instrument, turns = how
    tick = to_units(instrument.tick)

    def force(place: int, price: int, side: int) -> None:
        i = rows[place]
        quote = made.quotes[i]
        spread = quote["ask"] - quote["bid"]
        made.trades["price"][i], made.trades["side"][i] = price, side
        if side > 0:
            quote["ask"] = -(-price // tick) * tick
            quote["bid"] = quote["ask"] - spread
        else:
            quote["bid"] = price // tick * tick
            quote["ask"] = quote["bid"] + spread

    def last_before(seconds: float) -> int:
        found = int(np.searchsorted(hits.t[rows], seconds, side="right")) - 1
        return min(max(found, 1), rows.size - 2)

    at_low = last_before(turns.low)
    if turns.high is not None:
        at_high = last_before(turns.high)
        force(at_high if at_high != at_low else at_low - 1, pin.high, +1)
    force(at_low, pin.low, -1)
    for place, price in ((0, pin.open), (-1, pin.close)):
        force(place, price, int(made.trades["side"][rows[place]]))


def _levels(scenario: Scenario, pin: Pin, moves: Paths) -> Rows:
    """The index once a second, to 0.01, with its pins exact and everything else strictly inside its range."""
    every = round(1 / GRID_S)
    level = np.rint(np.exp(moves.log[0, ::every]) * PRICE_SCALE / INDEX_TICK).astype(np.int64) * INDEX_TICK
    level = np.clip(level, pin.low + INDEX_TICK, pin.high - INDEX_TICK)
    turns = moves.turns[0]
    level[0], level[-1], level[round(turns.low)] = pin.open, pin.close, pin.low
    if turns.high is not None:
        level[round(turns.high)] = pin.high
    rows = np.empty(level.size, LEVEL)
    rows["ts"] = open_ns(scenario.date) + np.arange(level.size) * NS
    rows["symbol"] = 0
    rows["level"] = level
    return rows
