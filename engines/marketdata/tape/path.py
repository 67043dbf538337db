"""Where the price goes between the pins: drift between knots plus bridged noise, folded inside the day's range.

Row 0 is the index, on which futures ride (basis 0); each other source of prices has a row of its own. Paths are
logarithms of prices on the edges of the 0.1 s grid.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from engines.wire.errors import DataError
from engines.wire.intensity import CELLS, GRID_S, Intensity
from engines.wire.pins import Pin
from engines.wire.scenario import Leg, Scenario
from engines.wire.session import SESSION_S
from engines.wire.ticks import PRICE_SCALE

Floats = npt.NDArray[np.float64]

INSIDE = 1e-4  # log distance that a knot keeps from the day's high and low
# Log-volatility: an Ornstein-Uhlenbeck process, one value a minute.
VOL_STEP_S, VOL_MEMORY_S, VOL_SD = 60.0, 900.0, 0.35
HIGH_FROM_S, HIGH_TO_S = 60.0, 7_200.0  # the day's high falls before 11:30
CLOSING_S = 60.0  # a rebound that would end later than this before the close has no knot of its own

LINEAR, FALL, REBOUND = 0, 1, 2


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
class _Row:
    """One row while it is built: its pin, its correlation with the market, and its place in the scenario."""

    pin: Pin
    rho: float
    lag: float


def paths(scenario: Scenario, pins: tuple[Pin, ...], day: Intensity, rng: np.random.Generator) -> Paths:
    """The paths of the index and of every share. ``pins`` are in the order of ``scenario.symbols``.

    Raises ``DataError`` when a pinned low is also the open or the close: the fall then has nowhere to go.
    """
    speed = _volatility(day, rng)
    clock = np.concatenate(([0.0], np.cumsum(speed)))
    market = _walk(speed, rng)
    rows = [_Row(pins[0], 1.0, 0.0)]
    row_of = []
    leg = scenario.leg
    for instrument, pin in zip(scenario.instruments, pins[1:], strict=True):
        if instrument.source == scenario.index:
            row_of.append(0)
            continue
        row_of.append(len(rows))
        rows.append(_Row(pin, instrument.rho, rng.uniform(leg.lag_min_s, leg.lag_max_s)))
    logs, turns = [], []
    before = _before_the_fall(pins[0], leg)
    for row in rows:
        noise = row.pin.sigma * (row.rho * market + np.sqrt(1 - row.rho**2) * _walk(speed, rng))
        path, turn = _path(row, scenario, before, (clock, noise), rng)
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


def _log(units: int) -> float:
    return float(np.log(units / PRICE_SCALE))


def _before_the_fall(index: Pin, leg: Leg) -> float:
    """Log return of the index from the prior close to the beginning of the fall."""
    level = min(_log(index.low) - np.log1p(-leg.drop), _log(index.high) - INSIDE)
    return float(level - _log(index.prior_close))


def _path(
    row: _Row, scenario: Scenario, before: float, driven: tuple[Floats, Floats], rng: np.random.Generator
) -> tuple[Floats, Turns]:
    """One row's path: knots, drift and noise between them, and the air pocket around the low."""
    pin, leg = row.pin, scenario.leg
    if pin.low in (pin.open, pin.close):
        raise DataError(
            f"The low of {pin.symbol} on {scenario.date} is its open or its close.",
            "A fall and a rebound between them cannot be pinned to it.",
            "Choose another day or leave the symbol out.",
        )
    low, high = _log(pin.low), _log(pin.high)
    t_low = scenario.t_low + row.lag
    level = float(np.clip(_log(pin.prior_close) + before, low + INSIDE, high - INSIDE))
    trough = max(low, level + np.log1p(-leg.drop))
    back = float(np.clip(level + np.log1p(-leg.drop * (1 - leg.recovery)), low + INSIDE, high - INSIDE))
    t_high = None
    if pin.high not in (pin.open, pin.close):
        latest = max(2 * HIGH_FROM_S, min(HIGH_TO_S, 0.5 * (t_low - leg.drop_s)))
        t_high = float(np.rint(rng.uniform(HIGH_FROM_S, latest)))
    knots = [(0.0, _log(pin.open), LINEAR)]
    if t_high is not None:
        knots.append((t_high, high, LINEAR))
    knots += [(t_low - leg.drop_s, level, LINEAR), (t_low, trough, FALL)]
    if t_low + leg.recovery_s < SESSION_S - CLOSING_S:
        knots.append((t_low + leg.recovery_s, back, REBOUND))
    knots.append((SESSION_S, _log(pin.close), LINEAR))
    path = bridge(knots, driven[0], driven[1], (min(trough, _log(pin.open), _log(pin.close)), high))
    pocket = trough - low
    if pocket > 0:
        path -= pocket * np.exp(-np.abs(np.arange(CELLS + 1) * GRID_S - t_low) / leg.pocket_s)
    return path, Turns(t_low, t_high, trough, pocket)


def bridge(knots: list[tuple[float, float, int]], clock: Floats, noise: Floats, bounds: tuple[float, float]) -> Floats:
    """A path through ``knots`` (seconds, log price, shape of the stretch that ends there), inside ``bounds``.

    ``clock`` and ``noise`` are the volatility time and the walk on the cells' edges. The walk is bridged to zero at the
    knots in volatility time; x = m + D tanh(b / D) keeps the sum of drift m and bridge b within the distance D between
    m and the bound on b's side.
    """
    floor, ceiling = bounds
    out = np.empty(CELLS + 1)
    out[0] = knots[0][1]
    for (t0, x0, _), (t1, x1, shape) in pairwise(knots):
        i, j = round(t0 / GRID_S), round(t1 / GRID_S)
        part = slice(i, j + 1)
        theta = (clock[part] - clock[i]) / (clock[j] - clock[i])
        u = np.linspace(0.0, 1.0, j - i + 1)
        drift = {LINEAR: theta, FALL: u**2, REBOUND: np.expm1(-3 * u) / np.expm1(-3)}[shape]
        middle = np.clip(x0 + drift * (x1 - x0), floor, ceiling)
        b = noise[part] - noise[i] - theta * (noise[j] - noise[i])
        distance = np.maximum(np.where(b > 0, ceiling - middle, middle - floor), 1e-12)
        out[part] = middle + distance * np.tanh(b / distance)
        out[i], out[j] = x0, x1
    return out
