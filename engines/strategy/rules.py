"""What the two strategies want: pure functions from prices to a direction."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from engines.strategy.config import Momentum, Reversion


class View(NamedTuple):
    """What a strategy wants to hold: +1 long, -1 short, 0 nothing; `reason` says why."""

    direction: int
    reason: str


def momentum(closes: Sequence[int], held: int, config: Momentum) -> View | None:
    """Long above, short below the crossover; inside the band as `held`.  None before there are enough bars."""
    if len(closes) < config.slow:
        return None
    fast = sum(closes[-config.fast :]) / config.fast
    slow = sum(closes[-config.slow :]) / config.slow
    gap = fast / slow - 1
    if abs(gap) < config.band:
        return View(held, f"averages {gap * 1e4:+.1f} bp apart: inside the band")
    return View(1 if gap > 0 else -1, f"average of {config.fast} {gap * 1e4:+.1f} bp from that of {config.slow}")


def z_score(closes: Sequence[float], bars: int) -> float | None:
    """The last close's distance from the mean of the last `bars`, in their standard deviations (ddof 0).

    None before there are enough bars, or when they are all equal.  Convention: Bollinger, "Bollinger on Bollinger
    Bands" (2001).
    """
    if len(closes) < bars:
        return None
    window = closes[-bars:]
    mean = sum(window) / bars
    variance = sum((close - mean) ** 2 for close in window) / bars
    return (window[-1] - mean) / math.sqrt(variance) if variance > 0 else None


def reversion(
    closes: Sequence[int], held: int, config: Reversion, toxicity: float | None, forecast: float | None
) -> View | None:
    """Against a move of `enter` deviations, out again inside `leave`.

    No entry while order flow is toxic (VPIN over its mean of the session) or against the sign of `forecast`; both are
    only asked when they are known.
    None before there are enough bars.
    """
    z = z_score(closes, config.bars)
    if z is None:
        return None
    if held and (abs(z) <= config.leave or z * held > 0):
        return View(0, f"z {z:+.2f}: back at the mean")
    if held or abs(z) < config.enter:
        return View(held, f"z {z:+.2f}: no reason to change")
    wanted = -1 if z > 0 else 1
    if toxicity is not None and toxicity >= config.toxic:
        return View(0, f"z {z:+.2f}, but VPIN is {toxicity:.2f} times its mean")
    if forecast is not None and forecast * wanted < 0:
        return View(0, f"z {z:+.2f}, but the forecast is {forecast * 1e4:+.1f} bp")
    return View(wanted, f"z {z:+.2f}")
