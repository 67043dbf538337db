"""Reverse stress: the smallest fall that breaches, by bisection.  Pure; the computation is the caller's."""

from collections.abc import Callable
from typing import NamedTuple

from engines.wire.errors import NautilusError


class Found(NamedTuple):
    """The largest fall that was seen not to breach, and the smallest that was; None: none up to the largest does."""

    holds: float
    breaches: float | None


def search(breaches: Callable[[float], bool], most: float, resolution: float) -> Found:
    """Bisect [0, most] until the two falls are at most `resolution` apart.

    Assumes that what breaches at a fall breaches at every larger one, as a portfolio without options does.

    Raises:
        NautilusError: it breaches without any fall.
    """
    if breaches(0.0):
        raise NautilusError(
            "The limit is breached before any fall.", "There is nothing to search.", "Begin with smaller positions."
        )
    if not breaches(most):
        return Found(most, None)
    low, high = 0.0, most
    while high - low > resolution:
        middle = (low + high) / 2
        if breaches(middle):
            high = middle
        else:
            low = middle
    return Found(low, high)
