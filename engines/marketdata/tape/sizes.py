"""Trade sizes: lognormal, smaller when busy, a sweep's prints sharing one order's; they sum to the day's volume."""

import numpy as np
import numpy.typing as npt

from engines.marketdata.tape.sweeps import mean_prints
from engines.wire.errors import UsageError
from engines.wire.intensity import Intensity
from engines.wire.scenario import Scenario
from engines.wire.session import session_s

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Exponents over which the share is tabulated; sizes go with (lam / lam0)^(-kappa).
KAPPAS = np.linspace(-2.0, 2.0, 81)
EVERY = 10  # the intensity varies over seconds, so every tenth cell is enough for the share


def exact(raw: Floats, volume: int) -> Ints:
    """Whole sizes, each at least 1, in proportion to ``raw`` beyond that, whose sum is ``volume`` exactly.

    Cumulative rounding: every partial sum is within one half of its exact value. Raises ``UsageError`` when there are
    more trades than ``volume``.
    """
    spare = volume - raw.size
    if spare < 0:
        raise UsageError(
            f"{raw.size} trades cannot share a volume of {volume}.", "A trade has at least one share.", "Lower ticks."
        )
    sums = np.cumsum(raw)
    sums *= spare / sums[-1]
    whole = np.rint(sums).astype(np.int64)
    whole[-1] = spare
    sizes = np.diff(whole, prepend=0)
    sizes += 1
    return sizes


def exponents(scenario: Scenario, day: Intensity, floors: Floats) -> Floats:
    """For each instrument the kappa that gives the volume share that the scenario asks for, 0 where it asks for none.

    ``floors`` are the parts of their volumes that go as one share to each trade. Raises ``UsageError`` when no exponent
    between -2 and 2 gives the share.
    """
    activity = scenario.activity
    if activity.volume_share is None:
        return np.zeros(floors.size)
    open_cells = day.lam[::EVERY] > 0
    grid, busy = day.grid[::EVERY][open_cells], np.log(day.lam[::EVERY][open_cells] / day.lam0)
    arrivals = np.exp(busy) / mean_prints(scenario.sweeps, day.y[::EVERY][open_cells])
    inside = (grid > session_s(activity.share_from)) & (grid < session_s(activity.share_to))
    weights = np.exp(np.outer(-KAPPAS, busy)) * arrivals
    free = weights[:, inside].sum(axis=1) / weights.sum(axis=1)
    count = np.exp(busy)
    even = count[inside].sum() / count.sum()
    found = []
    for floor in floors:
        shares = floor * even + (1 - floor) * free
        if not shares[-1] <= activity.volume_share <= shares[0]:
            raise UsageError(
                f"No trade sizes give a volume share of {activity.volume_share:.1%}.",
                f"With {scenario.ticks} ticks it can lie between {shares[-1]:.1%} and {shares[0]:.1%}.",
                "Change activity.volume_share or ticks.",
            )
        found.append(np.interp(activity.volume_share, shares[::-1], KAPPAS[::-1]))
    return np.array(found)
