"""The index's course before any noise: its knots, and when it passes the levels of the breaker in force.

A path is a bridge through knots. Those of the index are the same for every seed, and before a breaker's level is passed
the path is bounded above it, so the first passages, and with them the halts, are known before a tape is made. Prices
are logarithms of currency units here; times are market seconds after the open.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from engines.wire.errors import UsageError
from engines.wire.expected_halts import Trips, trips
from engines.wire.pins import INDEX_TICK, Pin
from engines.wire.rulebook import INDEX, MarketWide, rules
from engines.wire.scenario import Leg, Scenario
from engines.wire.session import NS, SESSION_S, open_ns, session_s
from engines.wire.silences import silences
from engines.wire.ticks import LEVEL, PRICE_SCALE, Rows

Floats = npt.NDArray[np.float64]

INSIDE = 1e-4  # log distance that a knot keeps from the day's high and low
HIGH_FROM_S, HIGH_TO_S = 60.0, 7_200.0  # a high without a time of its own falls before 11:30
CLOSING_S = 60.0  # a rebound that would end later than this before the close has no knot of its own

LINEAR, FALL, REBOUND = 0, 1, 2
UNBOUNDED = -np.inf


@dataclass(frozen=True)
class Knot:
    """Where a path must be, and how it gets there from the knot before: the part [u0, u1] of a shape's run."""

    at: float
    log: float
    shape: int = LINEAR
    u0: float = 0.0
    u1: float = 1.0
    floor: float = UNBOUNDED  # the path stays at or above it on the way here


@dataclass(frozen=True)
class Passed:
    """The index first stands at or below ``most`` (units of 1/10,000) ``at_s`` seconds after the open."""

    level: int
    at_s: int
    most: int


@dataclass(frozen=True)
class Course:
    """The index's knots in order of time, its first passages, and the halts of the rulebook in force."""

    knots: tuple[Knot, ...]
    high_s: float | None  # None: the open or the close is the high
    passed: tuple[Passed, ...]
    trips: Trips


def log_of(units: int) -> float:
    """Logarithm of a price of 1/10,000 in currency units."""
    return float(np.log(units / PRICE_SCALE))


def drift(shape: int, u: Floats) -> Floats:
    """How much of the way a shape has gone: linear, accelerating, or relaxing."""
    if shape == FALL:
        return u**2
    return np.expm1(-3 * u) / np.expm1(-3) if shape == REBOUND else u


def high_latest(leg: Leg, t_low: float) -> float:
    """The latest that a high without a time of its own may come."""
    return max(2 * HIGH_FROM_S, min(HIGH_TO_S, 0.5 * (t_low - leg.drop_s)))


def start_of_fall(index: Pin, leg: Leg) -> float:
    """Log price of the index where its fall begins."""
    return float(min(log_of(index.low) - np.log1p(-leg.drop), log_of(index.high) - INSIDE))


def knots_of(pin: Pin, leg: Leg, level: float, low_at: float, high_at: float | None) -> list[Knot]:
    """The knots of a row whose fall begins at the log price ``level``: open, high, fall, low, rebound, close."""
    low, high = log_of(pin.low), log_of(pin.high)
    level = float(np.clip(level, low + INSIDE, high - INSIDE))
    trough = max(low, level + np.log1p(-leg.drop))
    back = float(np.clip(level + np.log1p(-leg.drop * (1 - leg.recovery)), low + INSIDE, high - INSIDE))
    found = [Knot(0.0, log_of(pin.open)), Knot(low_at - leg.drop_s, level), Knot(low_at, trough, FALL)]
    if low_at + leg.recovery_s < SESSION_S - CLOSING_S:
        found.append(Knot(low_at + leg.recovery_s, back, REBOUND))
    found.append(Knot(SESSION_S, log_of(pin.close)))
    return found if high_at is None else insert(found, high_at, high)


def insert(knots: Sequence[Knot], at: float, log: float) -> list[Knot]:
    """The knots with one more; the stretch that it divides keeps its shape. A knot at that time already is moved."""
    if any(knot.at == at for knot in knots):
        return [replace(knot, log=log) if knot.at == at else knot for knot in knots]
    place = next(i for i, knot in enumerate(knots) if knot.at > at)
    before, after = knots[place - 1], knots[place]
    middle = after.u0 + (after.u1 - after.u0) * (at - before.at) / (after.at - before.at)
    return [*knots[:place], replace(after, at=at, log=log, u1=middle), replace(after, u0=middle), *knots[place + 1 :]]


def plain(knots: Sequence[Knot], seconds: Floats) -> Floats:
    """Log prices without noise, by the clock on the wall."""
    found = np.empty_like(seconds)
    for before, after in pairwise(knots):
        part = (seconds >= before.at) & (seconds <= after.at)
        share = (seconds[part] - before.at) / (after.at - before.at)
        u0, u1 = drift(after.shape, np.array([after.u0, after.u1]))
        done = (drift(after.shape, after.u0 + share * (after.u1 - after.u0)) - u0) / (u1 - u0)
        found[part] = before.log + done * (after.log - before.log)
    return found


def course(scenario: Scenario, index: Pin) -> Course:
    """The index's course, with the halts that the rulebook in force makes of it.

    Raises ``UsageError`` when one of the day's turns falls into a halt that the day had.
    """
    leg = scenario.leg
    high_s = None
    if index.high not in (index.open, index.close):
        middle = round((HIGH_FROM_S + high_latest(leg, scenario.t_low)) / 2)
        high_s = session_s(leg.high_at) if leg.high_at is not None else float(middle)
    knots = knots_of(index, leg, start_of_fall(index, leg), scenario.t_low, high_s)
    knots = _real_halts(scenario, index, knots)
    rule = rules(scenario.rules_day).market_wide
    if rule is None or not rule.judges(INDEX):
        return Course(tuple(knots), high_s, (), ())
    levels = np.floor(np.exp(plain(knots, np.arange(SESSION_S + 1))) * PRICE_SCALE / INDEX_TICK + 1e-6) * INDEX_TICK
    halts = trips(_rows(scenario, levels), scenario.date, index.prior_close, rule)
    opening = open_ns(scenario.date)
    spans = [((trip.start_ns - opening) / NS, (trip.end_ns - opening) / NS) for trip in halts]
    passed = _passed(levels, spans, rule, index.prior_close)
    marks = {float(each.at_s) for each in passed} | {end for span in spans for end in span}
    for at in sorted(marks):
        if 0 < at < SESSION_S:
            knots = insert(knots, at, float(np.log(levels[round(at)] / PRICE_SCALE)))
    return Course(tuple(_bounded(knots, passed, spans)), high_s, passed, halts)


def _real_halts(scenario: Scenario, index: Pin, knots: list[Knot]) -> list[Knot]:
    """The knots with the day's own halts: at its level when they begin, and there still when they end."""
    rule = rules(scenario.date).market_wide
    for passage, (start, end) in zip(scenario.passages, silences(scenario), strict=True):
        inside = [knot.at for knot in knots if start < knot.at < end]
        if inside or rule is None:
            raise UsageError(
                f"The index cannot turn {inside[0] if inside else start:.0f} s after the open.",
                f"The market was halted from {start:.0f} s to {end:.0f} s.",
                "Move leg.low_at, leg.high_at, leg.drop_s or leg.recovery_s out of the halt.",
            )
        at = dict(zip((level.level for level in rule.levels), rule.thresholds(index.prior_close), strict=True))
        value = min(at[passage.level] // INDEX_TICK * INDEX_TICK, index.open)
        knots = insert(insert(knots, start, log_of(value)), end, log_of(value))
    return knots


def _rows(scenario: Scenario, levels: Floats) -> Rows:
    rows = np.zeros(levels.size, LEVEL)
    rows["ts"] = open_ns(scenario.date) + np.arange(levels.size) * NS
    rows["level"] = levels
    return rows


def _passed(
    levels: Floats, spans: Sequence[tuple[float, float]], rule: MarketWide, prior_close: int
) -> tuple[Passed, ...]:
    """When each level is first passed while the market is open; levels that are not passed have ``at_s`` beyond it."""
    at = np.arange(levels.size)
    shut = np.zeros(levels.size, np.bool_)
    for start, end in spans:
        shut |= (at > start) & (at < end)
    found = []
    for level, most in zip(rule.levels, rule.thresholds(prior_close), strict=True):
        below = np.flatnonzero((levels <= most) & ~shut)
        found.append(Passed(level.level, int(below[0]) if below.size else levels.size, most))
    return tuple(found)


def _bounded(knots: list[Knot], passed: Sequence[Passed], spans: Sequence[tuple[float, float]]) -> list[Knot]:
    """The knots with floors: above every level that has not been passed, outside the halts."""
    found = [knots[0]]
    for before, knot in pairwise(knots):
        halted = any(start <= before.at and knot.at <= end for start, end in spans)
        ahead = [(each.most // INDEX_TICK + 1) * INDEX_TICK for each in passed if each.at_s >= knot.at]
        floor = log_of(max(ahead)) if ahead and not halted else UNBOUNDED
        found.append(replace(knot, floor=floor))
    return found
