"""When orders arrive, in which instrument, from which side: a Hawkes process with a given mean intensity.

The branching matrix is n (p I + (1-p) 1 w'), the kernel a sum of two exponentials: a slow one and a fast one, which
clusters arrivals within milliseconds. All rows sum to n, so the arrivals of all instruments together are a
one-dimensional Hawkes process. The baseline is chosen so that the mean intensity is the wanted curve exactly; the
thinning is Ogata's (1981). Each arrival makes one print, or as a sweep several at one timestamp (``sweeps``).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from engines.wire.errors import UsageError
from engines.wire.intensity import GRID_S
from engines.wire.scenario import Hawkes, Scenario

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.int8]

HEADROOM_SD = 8.0  # room for this many standard deviations of the number of arrivals


@dataclass(frozen=True, eq=False)
class Arrivals:
    """Orders in time order: ``t`` market seconds after the open, ``instrument`` from 0, ``side`` +1 or -1."""

    t: Floats
    instrument: Bytes
    side: Bytes

    def where(self, keep: npt.NDArray[np.bool_]) -> "Arrivals":
        """Only the arrivals where ``keep`` holds."""
        return Arrivals(self.t[keep], self.instrument[keep], self.side[keep])


def baseline(lam: Floats, hawkes: Hawkes) -> Floats:
    """The baseline mu whose Hawkes process has the mean intensity ``lam``, both per grid cell, in arrivals per second.

    mu = lam - sum_j n_j beta_j int e^(-beta_j (t-s)) lam(s) ds, the integrals taken over the cells with ``lam``
    constant in each; after a halt (``lam`` 0) the process begins anew. Raises ``UsageError`` where mu would be
    negative: there the wanted intensity falls faster than children die out.
    """
    mu: Floats = _baseline(lam, _kernels(hawkes))
    worst = int(mu.argmin())
    if mu[worst] < 0:
        raise UsageError(
            f"The intensity falls too fast {worst * GRID_S:.0f} s after the open.",
            f"Children of earlier arrivals alone exceed it; with beta {hawkes.beta:g} it may fall by "
            f"{hawkes.beta * (1 - hawkes.n):.3f} per second at most.",
            "Lengthen activity.narrow_down_s or activity.shoulder_down_s, or lower hawkes.n.",
        )
    return mu


def _kernels(hawkes: Hawkes) -> Floats:
    """Rows n_j, beta_j: the slow kernel, then the fast one."""
    slow, fast = hawkes.n * (1 - hawkes.fast), hawkes.n * hawkes.fast
    return np.array([[slow, hawkes.beta], [fast, hawkes.fast_beta]])


@njit(cache=True)
def _baseline(lam: Floats, kernels: Floats) -> Floats:
    mu = lam.copy()
    for n, beta in kernels:
        decay = np.exp(-beta * GRID_S)
        mean = (1 - decay) / (beta * GRID_S)
        excited = 0.0
        for cell in range(lam.size):
            if lam[cell] == 0:
                continue
            if cell == 0 or lam[cell - 1] == 0:
                excited = lam[cell]
            above = excited - lam[cell]
            mu[cell] -= n * (lam[cell] + above * mean)
            excited = lam[cell] + above * decay
    return mu


def arrivals(scenario: Scenario, lam: Floats, sells: Floats, rng: np.random.Generator) -> Arrivals:
    """All arrivals of the day, whose mean intensity per grid cell is ``lam``.

    ``sells`` is, per grid cell, the probability that an arrival without parent is a sale. Raises ``UsageError`` as
    ``baseline`` does, or when more come than eight standard deviations allow.
    """
    hawkes = scenario.hawkes
    weights = np.array([instrument.weight for instrument in scenario.instruments])
    expected = lam.sum() * GRID_S
    room = int(expected + HEADROOM_SD * np.sqrt(expected) / (1 - hawkes.n)) + 1
    t, instrument, side = np.empty(room), np.empty(room, np.int8), np.empty(room, np.int8)
    mu = baseline(lam, hawkes)
    kernels, inheritance = _kernels(hawkes), np.array([hawkes.p, hawkes.inherit])
    count = _thin((lam, mu, sells), weights / weights.sum(), kernels, inheritance, (t, instrument, side), rng)
    if count < 0:
        raise UsageError(
            f"More than {room} orders arrived where {expected:.0f} were expected.",
            "The branching ratio is too near 1 for so few ticks.",
            "Lower hawkes.n or raise ticks.",
        )
    return Arrivals(t[:count], instrument[:count], side[:count])


@njit(cache=True)
def _kind(draw, one, other):  # type: ignore[no-untyped-def]
    """The instrument into whose share of the summed weights ``draw`` falls."""
    kind = 0
    while kind < one.size - 1 and draw > one[kind] + other[kind]:
        draw -= one[kind] + other[kind]
        kind += 1
    return kind


@njit(cache=True)
def _thin(curves, weights, kernels, inheritance, out, rng):  # type: ignore[no-untyped-def]
    """Fill ``out`` and return the number of arrivals, or -1 when they do not fit."""
    lam, mu, sells = curves
    p, inherit = inheritance
    slow_n, slow_beta = kernels[0]
    fast_n, fast_beta = kernels[1]
    t, instrument, side = out
    nothing = np.zeros(weights.size)
    slow, fast, slow_total, fast_total = nothing.copy(), nothing.copy(), 0.0, 0.0
    last = np.ones(weights.size, np.int8)
    now, cell, count = 0.0, 0, 0
    while cell < mu.size:
        if lam[cell] == 0:
            cell += 1
            now = cell * GRID_S
            continue
        if now == cell * GRID_S and (cell == 0 or lam[cell - 1] == 0):
            slow_total, fast_total = slow_n * lam[cell], fast_n * lam[cell]  # the mean of a stationary process
            slow, fast = slow_total * weights, fast_total * weights
        rate = mu[cell] + slow_total + fast_total
        edge = (cell + 1) * GRID_S
        step = rng.standard_exponential() / rate
        arrived = now + step < edge
        if not arrived:
            step = edge - now
        slow_decay, fast_decay = np.exp(-slow_beta * step), np.exp(-fast_beta * step)
        slow *= slow_decay
        fast *= fast_decay
        slow_total, fast_total = slow_total * slow_decay, fast_total * fast_decay
        if not arrived:
            cell += 1
            now = edge
            continue
        now += step
        draw = rng.random() * rate - mu[cell]
        if draw >= slow_total + fast_total:
            continue
        child = draw >= 0
        kind = _kind(draw, slow, fast) if child else _kind(rng.random(), weights, nothing)
        if count == t.size:
            return -1
        # The side: a child mostly goes its predecessor's way, any other arrival with the drift of the market.
        if not (child and rng.random() < inherit):
            last[kind] = -1 if rng.random() < sells[cell] else 1
        t[count], instrument[count], side[count] = now, kind, last[kind]
        count += 1
        slow += slow_n * slow_beta * (1 - p) * weights
        fast += fast_n * fast_beta * (1 - p) * weights
        slow[kind] += slow_n * slow_beta * p
        fast[kind] += fast_n * fast_beta * p
        slow_total, fast_total = slow_total + slow_n * slow_beta, fast_total + fast_n * fast_beta
    return count
