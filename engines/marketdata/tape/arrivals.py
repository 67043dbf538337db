"""When ticks come, in which instrument, started by which side: a Hawkes process with a given mean intensity.

The branching matrix is n (p I + (1-p) 1 w'), the kernel beta e^(-beta t). All rows sum to n, so the ticks of all
instruments together are a one-dimensional Hawkes process. The baseline is chosen so that the mean intensity is the
wanted curve exactly; the thinning is Ogata's (1981).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from engines.wire.errors import UsageError
from engines.wire.intensity import GRID_S, Intensity
from engines.wire.scenario import Scenario

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.int8]

HEADROOM_SD = 8.0  # room for this many standard deviations of the number of ticks


@dataclass(frozen=True, eq=False)
class Arrivals:
    """Ticks in time order: ``t`` market seconds after the open, ``instrument`` from 0, ``side`` +1 or -1."""

    t: Floats
    instrument: Bytes
    side: Bytes

    def where(self, keep: npt.NDArray[np.bool_]) -> "Arrivals":
        """Only the ticks where ``keep`` holds."""
        return Arrivals(self.t[keep], self.instrument[keep], self.side[keep])


def baseline(lam: Floats, n: float, beta: float) -> Floats:
    """The baseline mu whose Hawkes process has the mean intensity ``lam``, both per grid cell, in ticks per second.

    mu = lam - n beta int e^(-beta (t-s)) lam(s) ds, the integral taken over the cells with ``lam`` constant in each.
    Raises ``UsageError`` where mu would be negative: there the wanted intensity falls faster than children die out.
    """
    mu: Floats = _baseline(lam, n, beta)
    worst = int(mu.argmin())
    if mu[worst] < 0:
        raise UsageError(
            f"The intensity falls too fast {worst * GRID_S:.0f} s after the open.",
            f"Children of earlier ticks alone exceed it; it may fall by {beta * (1 - n):.3f} per second at most.",
            "Lengthen activity.narrow_down_s or activity.shoulder_down_s, or lower hawkes.n.",
        )
    return mu


@njit(cache=True)
def _baseline(lam: Floats, n: float, beta: float) -> Floats:
    decay = np.exp(-beta * GRID_S)
    mean = (1 - decay) / (beta * GRID_S)
    excited = lam[0]
    mu = np.empty_like(lam)
    for cell in range(lam.size):
        above = excited - lam[cell]
        mu[cell] = lam[cell] - n * (lam[cell] + above * mean)
        excited = lam[cell] + above * decay
    return mu


def arrivals(scenario: Scenario, day: Intensity, sells: Floats, rng: np.random.Generator) -> Arrivals:
    """All ticks of the day. ``sells`` is, per grid cell, the probability that a tick without parent is a sale.

    Raises ``UsageError`` as ``baseline`` does, or when more ticks come than eight standard deviations allow.
    """
    hawkes = scenario.hawkes
    weights = np.array([instrument.weight for instrument in scenario.instruments])
    spread = np.sqrt(scenario.ticks) / (1 - hawkes.n)
    room = int(scenario.ticks + HEADROOM_SD * spread) + 1
    t, instrument, side = np.empty(room), np.empty(room, np.int8), np.empty(room, np.int8)
    mu = baseline(day.lam, hawkes.n, hawkes.beta)
    shape = np.array([hawkes.n, hawkes.beta, hawkes.p, hawkes.inherit])
    count = _thin(mu, weights / weights.sum(), shape, sells, (t, instrument, side), rng)
    if count < 0:
        raise UsageError(
            f"More than {room} ticks came where {scenario.ticks} were expected.",
            "The branching ratio is too near 1 for so few ticks.",
            "Lower hawkes.n or raise ticks.",
        )
    return Arrivals(t[:count], instrument[:count], side[:count])


@njit(cache=True)
def _thin(mu, weights, shape, sells, out, rng):  # type: ignore[no-untyped-def]
    """Fill ``out`` and return the number of ticks, or -1 when they do not fit.

    Longer than the budget: one compiled loop whose steps share a dozen scalars.
    """
    n, beta, p, inherit = shape
    t, instrument, side = out
    cumulated = np.cumsum(weights)
    kinds = weights.size
    excited = n / (1 - n) * mu[0] * weights  # the mean a stationary process would have at the open
    total = excited.sum()
    last = np.ones(kinds, np.int8)
    now, cell, count = 0.0, 0, 0
    while cell < mu.size:
        rate = mu[cell] + total
        edge = (cell + 1) * GRID_S
        step = rng.standard_exponential() / rate
        if now + step >= edge:
            decay = np.exp(-beta * (edge - now))
            excited *= decay
            total *= decay
            cell += 1
            now = edge
            continue
        now += step
        decay = np.exp(-beta * step)
        excited *= decay
        total *= decay
        draw = rng.random() * rate - mu[cell]
        if draw >= total:
            continue
        child = draw >= 0
        kind = 0
        if not child:
            draw = rng.random()
            while kind < kinds - 1 and draw > cumulated[kind]:
                kind += 1
        else:
            while kind < kinds - 1 and draw > excited[kind]:
                draw -= excited[kind]
                kind += 1
        if count == t.size:
            return -1
        # The side: a child mostly goes its predecessor's way, any other tick with the drift of the market.
        if not (child and rng.random() < inherit):
            last[kind] = -1 if rng.random() < sells[cell] else 1
        t[count], instrument[count], side[count] = now, kind, last[kind]
        count += 1
        excited += n * beta * (1 - p) * weights
        excited[kind] += n * beta * p
        total += n * beta
    return count
