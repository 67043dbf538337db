"""Where the price goes between the pins: drift between knots plus bridged noise, folded inside the day's range.

Row 0 is the index, on which futures ride (basis 0); each other source of prices has a row of its own. Paths are
logarithms of prices on the edges of the 0.1 s grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from engines.wire.course import HIGH_FROM_S, LINEAR, Course, Knot, drift, high_latest, knots_of, log_of, start_of_fall
from engines.wire.errors import DataError
from engines.wire.intensity import CELLS, GRID_S, Intensity
from engines.wire.pins import Pin
from engines.wire.scenario import Scenario
from engines.wire.session import SESSION_S, session_s
from engines.wire.silences import silences

Floats = npt.NDArray[np.float64]

# Log-volatility: an Ornstein-Uhlenbeck process, one value a minute.
VOL_STEP_S, VOL_MEMORY_S, VOL_SD = 60.0, 900.0, 0.35
REOPENING_S = 60.0  # a share's high that would fall into a halt comes so long after it


@dataclass(frozen=True)
class Turns:
    """When one row has its extremes, in market seconds; ``high`` is None where the open or the close is the high."""

    low: float
    high: float | None
    trough: float  # log price of the systematic low
    pocket: float  # log distance from there to the day's low: the share's own air pocket


@dataclass(frozen=True, eq=False)
class Paths:
    """``log``: rows x (cells + 1) log prices in currency units. ``row_of``: each instrument's row."""

    log: Floats
    turns: tuple[Turns, ...]
    row_of: tuple[int, ...]


@dataclass(frozen=True)
class _Driven:
    """What all rows share: the volatility clock and the day's course of the index."""

    clock: Floats
    course: Course
    before: float  # log return of the index from the prior close to the beginning of its fall


def paths(scenario: Scenario, pins: tuple[Pin, ...], day: Intensity, course: Course, rng: np.random.Generator) -> Paths:
    """The paths of the index and of every share. ``pins`` are in the order of ``scenario.symbols``.

    Raises ``DataError`` when a pinned low is also the open or the close: the fall then has nowhere to go.
    """
    speed = _volatility(day, rng)
    market = _walk(speed, rng)
    before = start_of_fall(pins[0], scenario.leg) - log_of(pins[0].prior_close)
    driven = _Driven(np.concatenate(([0.0], np.cumsum(speed))), course, before)
    path, turn = _index(pins[0], scenario, driven, pins[0].sigma * market)
    logs, turns, row_of = [path], [turn], []
    for instrument, pin in zip(scenario.instruments, pins[1:], strict=True):
        if instrument.source == scenario.index:
            row_of.append(0)
            continue
        row_of.append(len(logs))
        own = _walk(speed, rng)
        noise = pin.sigma * (instrument.rho * market + np.sqrt(1 - instrument.rho**2) * own)
        path, turn = _share(pin, scenario, driven, noise, rng)
        logs.append(path)
        turns.append(turn)
    return Paths(np.array(logs), tuple(turns), tuple(row_of))


def _volatility(day: Intensity, rng: np.random.Generator) -> Floats:
    """Speed of the noise's clock per cell: activity times e^(2h), h the log-volatility, mean of e^(2h) one."""
    minutes = int(SESSION_S / VOL_STEP_S) + 2
    memory = np.exp(-VOL_STEP_S / VOL_MEMORY_S)
    shocks = VOL_SD * np.sqrt(1 - memory**2) * rng.standard_normal(minutes)
    h = np.zeros(minutes)
    for minute in range(1, minutes):
        h[minute] = memory * h[minute - 1] + shocks[minute]
    factor = np.exp(2 * np.interp(np.arange(CELLS), np.arange(minutes) * VOL_STEP_S / GRID_S, h))
    return day.lam / day.lam0 * factor / factor.mean()


def _walk(speed: Floats, rng: np.random.Generator) -> Floats:
    """A Gaussian walk that would have variance one over a calm day."""
    steps = np.sqrt(speed * GRID_S / SESSION_S) * rng.standard_normal(CELLS)
    return np.concatenate(([0.0], np.cumsum(steps)))


def _falls(pin: Pin, scenario: Scenario) -> None:
    if pin.low in (pin.open, pin.close):
        raise DataError(
            f"The low of {pin.symbol} on {scenario.date} is its open or its close.",
            "A fall and a rebound between them cannot be pinned to it.",
            "Choose another day or leave the symbol out.",
        )


def _index(pin: Pin, scenario: Scenario, driven: _Driven, noise: Floats) -> tuple[Floats, Turns]:
    """The index's path through the knots of its course."""
    _falls(pin, scenario)
    knots = driven.course.knots
    bounds = (min(knot.log for knot in knots), log_of(pin.high))
    turns = Turns(scenario.t_low, driven.course.high_s, log_of(pin.low), 0.0)
    return bridge(knots, driven.clock, noise, bounds), turns


def _share(
    pin: Pin, scenario: Scenario, driven: _Driven, noise: Floats, rng: np.random.Generator
) -> tuple[Floats, Turns]:
    """A share's path: knots, drift and noise between them, and the air pocket around the low."""
    _falls(pin, scenario)
    leg = scenario.leg
    t_low = scenario.t_low + rng.uniform(leg.lag_min_s, leg.lag_max_s)
    t_high = None
    if pin.high not in (pin.open, pin.close):
        if leg.high_at is None:
            t_high = float(np.rint(rng.uniform(HIGH_FROM_S, high_latest(leg, t_low))))
        else:
            t_high = session_s(leg.high_at) - float(np.rint(rng.uniform(leg.lag_min_s, leg.lag_max_s)))
        for start, end in silences(scenario):
            t_high = end + REOPENING_S if start - 1 <= t_high <= end else t_high
    knots = knots_of(pin, leg, log_of(pin.prior_close) + driven.before, t_low, t_high)
    trough = min(knot.log for knot in knots if knot.at == t_low)
    bounds = (min(trough, knots[0].log, knots[-1].log), log_of(pin.high))
    path = bridge(knots, driven.clock, noise, bounds)
    pocket = trough - log_of(pin.low)
    if pocket > 0:
        path -= pocket * np.exp(-np.abs(np.arange(CELLS + 1) * GRID_S - t_low) / leg.pocket_s)
    return path, Turns(t_low, t_high, trough, pocket)


def bridge(knots: Sequence[Knot], clock: Floats, noise: Floats, bounds: tuple[float, float]) -> Floats:
    """A path through ``knots``, inside ``bounds`` and above each knot's own floor on the way to it.

    ``clock`` and ``noise`` are the volatility time and the walk on the cells' edges. The walk is bridged to zero at the
    knots in volatility time; x = m + D tanh(b / D) keeps the sum of drift m and bridge b within the distance D between
    m and the bound on b's side. Where the clock stands still, in a halt, the path does.
    """
    lowest, ceiling = bounds
    out = np.empty(CELLS + 1)
    out[0] = knots[0].log
    for before, knot in pairwise(knots):
        i, j = round(before.at / GRID_S), round(knot.at / GRID_S)
        part = slice(i, j + 1)
        share = np.linspace(0.0, 1.0, j - i + 1)
        spent = clock[j] - clock[i]
        theta = (clock[part] - clock[i]) / spent if spent > 0 else share
        if knot.shape == LINEAR:
            done = theta
        else:
            u0, u1 = drift(knot.shape, np.array([knot.u0, knot.u1]))
            done = (drift(knot.shape, knot.u0 + share * (knot.u1 - knot.u0)) - u0) / (u1 - u0)
        floor = max(lowest, knot.floor)
        middle = np.clip(before.log + done * (knot.log - before.log), floor, ceiling)
        b = noise[part] - noise[i] - theta * (noise[j] - noise[i])
        distance = np.maximum(np.where(b > 0, ceiling - middle, middle - floor), 1e-12)
        out[part] = np.clip(middle + distance * np.tanh(b / distance), floor, ceiling)
        out[i], out[j] = before.log, knot.log
    return out
