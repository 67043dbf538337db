"""Which rate a search tries next: bracketing, then bisection, as a function of what was tried."""

import math
from collections.abc import Sequence

import msgspec

VOIDS = 3  # in a row, and the search gives up


class Tried(msgspec.Struct, frozen=True):
    """A rate (requests per second), and whether it held.  `void`: what was seen of it proves nothing."""

    rate: float
    ok: bool
    void: bool = False


def following(tried: Sequence[Tried], first: float, resolution: float) -> float | None:
    """The rate to try next; None when the highest that holds is known to within `resolution`, relatively.

    A rate that does not hold is tried once more, for something else may have disturbed it; it is missed after that.
    A void one is tried again and counts for nothing; the search ends after the third in a row.
    """
    if not tried:
        return first
    if tried[-1].void:
        return None if len(tried) >= VOIDS and all(each.void for each in tried[-VOIDS:]) else tried[-1].rate
    tried = [each for each in tried if not each.void]
    last = tried[-1]
    if not last.ok and not _twice(tried):
        return last.rate
    low = max((each.rate for each in tried if each.ok), default=0.0)
    missed = [each.rate for place, each in enumerate(tried) if not each.ok and _twice(tried[: place + 1])]
    high = min((rate for rate in missed if rate > low), default=math.inf)
    if high == math.inf:
        return 2.0 * low
    if low == 0.0:
        return high / 2.0
    return None if high / low <= 1.0 + resolution else math.sqrt(low * high)


def _twice(tried: Sequence[Tried]) -> bool:
    """Whether the last two are of one rate, and neither held."""
    last = tried[-2:]
    return len(last) > 1 and last[0].rate == last[1].rate and not any(each.ok for each in last)
