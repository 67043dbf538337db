"""Records of what a mission asks of its phases, and of what ended one early."""

from typing import Literal

from reports.records.base import Count, Part, Record

Compare = Literal["below", "at most", "above", "at least", "equal"]


class Threshold(Part, frozen=True, kw_only=True):
    """A mission asks a figure of a phase to stand so to ``value``.  ``number``: from 1 within its phase.

    ``scope``: an engine, or all.  ``worst_second``: the worst second of the phase counts, not the whole of it.
    """

    phase: str
    number: Count
    metric: str
    scope: str
    worst_second: bool
    compare: Compare
    value: float


class Abort(Record, frozen=True, kw_only=True):
    """A condition of the mission held for as long as it says, and ended the mission.

    ``value``: the last one seen, at ``at_ns``; the condition had held since ``since_ns`` (CLOCK_MONOTONIC).
    """

    phase: str
    condition: str
    value: float
    since_ns: Count
    at_ns: Count
