"""The tape: one day of trades and quotes that meets the real day's bars exactly. A pure function of spec and seed."""

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from engines.marketdata.tape import sweeps
from engines.marketdata.tape.arrivals import Arrivals, arrivals
from engines.marketdata.tape.depths import depths
from engines.marketdata.tape.path import Paths, Turns, paths
from engines.marketdata.tape.prints import Market, Prints, prints
from engines.marketdata.tape.sizes import exact
from engines.wire.course import Course, course
from engines.wire.errors import UsageError
from engines.wire.intensity import GRID_S, Intensity, intensity
from engines.wire.messages import Fault
from engines.wire.outlook import Outlook, Release, outlook
from engines.wire.pins import INDEX_TICK, Pin, pins
from engines.wire.scenario import Instrument, Scenario
from engines.wire.scenario_file import ScenarioErrors
from engines.wire.scenario_rules import problems
from engines.wire.session import NS, open_ns, session_s
from engines.wire.ticks import BUST, LEVEL, PRICE_SCALE, Rows, to_units

Ints = npt.NDArray[np.int64]

FEWEST_ARRIVALS = 4  # open, high, low and close
DRIFT_CELLS = 100  # the side of a trade leans with the index's move over 10 s
LEAN, LEAN_MOST = 0.35, 0.1


@dataclass(frozen=True)
class Finding:
    """What a checker of the feed should find of an overlay: how often, of which symbol, in [start_ns, end_ns]."""

    kind: str
    symbol: str
    start_ns: int
    end_ns: int
    count: int  # rows, or times for a fault of the venue


@dataclass(frozen=True, eq=False)
class Tape:
    """One day of ticks; the arrays are read-only and in time order.

    ``trades[i]`` (TRADE) left ``quotes[i]`` (QUOTE, same length and time) standing. ``levels`` (LEVEL) is the index
    once a second from the open to the close, both included. ``depths`` (DEPTH) is the displayed book. ``outlook`` says
    which halts the rulebook in force makes of the levels, and which pins they release. Overlays add ``busts`` (BUST),
    ``faults`` for the venue, ``findings`` (what a checker of the feed should find) and ``broken`` pins.
    """

    scenario: Scenario
    seed: int
    pins: tuple[Pin, ...]
    trades: Rows
    quotes: Rows
    levels: Rows
    depths: Rows
    outlook: Outlook
    busts: Rows = field(default_factory=lambda: np.empty(0, BUST))
    faults: tuple[Fault, ...] = ()
    findings: tuple[Finding, ...] = ()
    broken: tuple[Release, ...] = ()

    @property
    def released(self) -> tuple[Release, ...]:
        """Every pin that the rows need not meet, and why."""
        return (*self.outlook.released, *self.broken)

    def digest(self) -> str:
        """sha256 of all rows, in hexadecimal: equal for the same spec and seed on the same machine and versions."""
        summed = hashlib.sha256(",".join(self.scenario.symbols).encode())
        for rows in (self.trades, self.quotes, self.levels, self.depths, self.busts):
            summed.update(rows.data.cast("B"))
        return summed.hexdigest()


def make(scenario: Scenario, seed: int) -> Tape:
    """The tape of ``scenario`` without its overlays; the same seed gives the same bytes.

    Raises ``ScenarioErrors`` with every mistake of the spec, ``UsageError`` when the spec asks for what cannot be, and
    ``DataError`` or ``bundle.UnknownSymbol`` when the bundle lacks the day's bars.
    """
    found = problems(scenario)
    if found:
        raise ScenarioErrors(f"scenario {scenario.name}", found)
    for_path, for_arrivals, for_prints, for_sweeps, for_depths = (
        np.random.Generator(np.random.PCG64(child)) for child in np.random.SeedSequence(seed).spawn(5)
    )
    pinned, day = pins(scenario), intensity(scenario)
    plan = course(scenario, pinned[0])
    moves = paths(scenario, pinned, day, plan, for_path)
    expected = day.lam / sweeps.mean_prints(scenario.sweeps, day.y)
    hits = arrivals(scenario, expected, _sales(moves), for_arrivals)
    hits = hits.where(_open_market(scenario, hits))
    counts = sweeps.draw(scenario.sweeps, day.y[_cells(hits, day)], for_sweeps)
    pinning = [_places(hits, k, item, moves.turns[moves.row_of[k]]) for k, item in enumerate(scenario.instruments)]
    for places in pinning:
        counts[[arrival for arrival, _, _ in places]] = 1  # a print that pins is no sweep
    made = prints(scenario, Market(pinned, day, moves), hits, counts, for_prints)
    for k, instrument in enumerate(scenario.instruments):
        _pin(made, pinning[k], pinned[k + 1], instrument)
        rows = np.flatnonzero(made.trades["symbol"] == k + 1)
        made.trades["size"][rows] = exact(made.raw[rows], pinned[k + 1].volume or 0)
    books = depths(scenario, day, made.quotes, _walked(made), for_depths)
    levels = _levels(scenario, pinned[0], moves, plan)
    tape = Tape(scenario, seed, pinned, made.trades, made.quotes, levels, books, outlook(scenario, pinned, plan))
    return sealed(_cut(tape) if tape.outlook.counterfactual else tape)


def sealed(tape: Tape) -> Tape:
    """The tape with read-only arrays."""
    for part in (tape.trades, tape.quotes, tape.levels, tape.depths, tape.busts):
        part.flags.writeable = False
    return tape


def _cut(tape: Tape) -> Tape:
    """Without what lies in halts that the real day did not have; the index stands still in them."""
    levels = tape.levels.copy()
    parts = {name: getattr(tape, name) for name in ("trades", "quotes", "depths")}
    for trip in tape.outlook.added:
        first, last = np.searchsorted(levels["ts"], (trip.start_ns, trip.end_ns))
        levels["level"][first:last] = levels["level"][first]
        for name, rows in parts.items():
            parts[name] = rows[(rows["ts"] <= trip.start_ns) | (rows["ts"] >= trip.end_ns)]
    return replace(tape, levels=levels, **parts)


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


def _cells(hits: Arrivals, day: Intensity) -> Ints:
    return np.minimum((hits.t / GRID_S).astype(np.int64), day.y.size - 1)


def _places(hits: Arrivals, k: int, instrument: Instrument, turns: Turns) -> list[tuple[int, str, int]]:
    """Which arrival pins what, and from which side (0: its own): the last before the high and the low, the first and
    the last of the day. Later entries outrank earlier ones.

    Raises ``UsageError`` when the instrument has fewer than four arrivals.
    """
    rows = np.flatnonzero(hits.instrument == k)
    if rows.size < FEWEST_ARRIVALS:
        raise UsageError(
            f"{instrument.symbol} has {rows.size} trades.",
            "Its day needs an open, high, low and close.",
            "Raise ticks.",
        )

    def last_before(seconds: float) -> int:
        found = int(np.searchsorted(hits.t[rows], seconds, side="right")) - 1
        return min(max(found, 1), rows.size - 2)

    at_low = last_before(turns.low)
    places = [(int(rows[at_low]), "low", -1)]
    if turns.high is not None:
        at_high = last_before(turns.high)
        places.append((int(rows[at_high if at_high != at_low else at_low - 1]), "high", +1))
    return [*places, (int(rows[0]), "open", 0), (int(rows[-1]), "close", 0)]


def _pin(made: Prints, places: list[tuple[int, str, int]], pin: Pin, instrument: Instrument) -> None:
    """Force one print onto each pin; an index's open that only repeats the prior close was not observed."""
    tick = to_units(instrument.tick)
    for arrival, name, own in places:
        if name == "open" and pin.stale_open:
            continue
        i = made.first[arrival]
        quote, price = made.quotes[i], getattr(pin, name)
        side = own or int(made.trades["side"][i])
        spread = quote["ask"] - quote["bid"]
        made.trades["price"][i], made.trades["side"][i] = price, side
        if side > 0:
            quote["ask"] = -(-price // tick) * tick
            quote["bid"] = quote["ask"] - spread
        else:
            quote["bid"] = price // tick * tick
            quote["ask"] = quote["bid"] + spread


def _walked(made: Prints) -> Ints:
    """The last row of each arrival whose prints stand at more than one price."""
    last = made.first[1:] - 1
    price = made.trades["price"]
    return last[price[last] != price[made.first[:-1]]]


def _levels(scenario: Scenario, pin: Pin, moves: Paths, plan: Course) -> Rows:
    """The index once a second, to 0.01: pins and first passages exact, everything else strictly inside its range."""
    every = round(1 / GRID_S)
    level = np.rint(np.exp(moves.log[0, ::every]) * PRICE_SCALE / INDEX_TICK).astype(np.int64) * INDEX_TICK
    level = np.clip(level, pin.low + INDEX_TICK, pin.high - INDEX_TICK)
    for each in plan.passed:
        level[each.at_s : each.at_s + 1] = np.minimum(
            level[each.at_s : each.at_s + 1], each.most // INDEX_TICK * INDEX_TICK
        )
    turns = moves.turns[0]
    level[0], level[-1], level[round(turns.low)] = pin.open, pin.close, pin.low
    if turns.high is not None:
        level[round(turns.high)] = pin.high
    rows = np.empty(level.size, LEVEL)
    rows["ts"] = open_ns(scenario.date) + np.arange(level.size) * NS
    rows["symbol"] = 0
    rows["level"] = level
    return rows
