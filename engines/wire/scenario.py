"""A scenario: one real trading day, the shape of its fall, and how it is replayed. Plain frozen values.

The day's open, high, low, close and volume are pinned to the bundle's bars; everything here says only how the market
moves between those pins. ``scenario_file`` loads one from TOML, ``scenario_rules`` says what is wrong with one,
``intensity`` and ``pins`` compute from one. Times are New York wall-clock times of ``Scenario.date``.
"""

import datetime as dt
from dataclasses import dataclass, replace
from typing import Literal

from engines.wire.session import CLOSE, OPEN, SESSION_S, session_s, wall_time


@dataclass(frozen=True)
class VolumeRule:
    """The day's volume of an instrument that has no bar of its own.

    ``contracts`` on ``day``; on any other day ``mean`` times the source's volume over its own mean from ``mean_from``
    to ``mean_to`` (both inclusive).
    """

    day: dt.date
    contracts: int
    mean: int
    mean_from: dt.date
    mean_to: dt.date


@dataclass(frozen=True)
class Instrument:
    """One tradeable. ``source`` names the bars that pin it; a source equal to the index makes it a future on it."""

    symbol: str
    source: str
    tick: float  # currency units
    multiplier: float  # currency units per point and contract
    weight: float  # share of all ticks, relative to the others
    depth0: int  # calm size at the touch, shares or contracts
    spread0: float  # calm half-spread, ticks
    rho: float  # correlation of its noise with the market's
    volume: VolumeRule | None = None  # None: the source's own volume


@dataclass(frozen=True)
class Leg:
    """The index's fall and rebound, and how the shares follow."""

    low_at: dt.time
    drop: float  # the low over the level ``drop_s`` before it, as a fraction of that level
    drop_s: float
    recovery: float  # share of the drop regained ``recovery_s`` after the low
    recovery_s: float
    lag_min_s: float  # a share's own low comes this long after the index's at the earliest
    lag_max_s: float
    pocket_s: float  # e-folding time of a share's fall beyond the systematic one
    high_at: dt.time | None = None  # when the index has its high, where that is neither open nor close; None: early


@dataclass(frozen=True)
class Activity:
    """Intensity of ticks through the day, relative to the calm hours."""

    peak: float  # mean rate over the 5 s before the low / mean rate of the calm hours
    calm_from: dt.time
    calm_to: dt.time
    shoulder: float  # height of the broad bump, in calm rates
    shoulder_up_s: float
    shoulder_down_s: float
    narrow_up_s: float
    narrow_down_s: float
    volume_share: float | None = None  # of the day's volume between share_from and share_to; None: as ticks come
    share_from: dt.time = OPEN
    share_to: dt.time = CLOSE


@dataclass(frozen=True)
class Hawkes:
    """Self-excitation of arrivals: branching matrix n (p I + (1-p) 1 w'), a kernel of two exponentials."""

    n: float  # branching ratio: expected children per arrival, of both kernels together
    beta: float  # decay of the slow kernel, 1/s
    p: float  # share of children that stay in the parent's instrument
    inherit: float  # probability that a child takes the side of the instrument's previous arrival
    fast: float = 0.0  # share of n that belongs to the fast kernel
    fast_beta: float = 50.0  # its decay, 1/s


@dataclass(frozen=True)
class Sweeps:
    """How many prints one arrival makes at one timestamp, walking the book away from the touch.

    A sweep has S >= 2 prints with probability proportional to S^-tail up to a most. Mean, most and the chance to step
    to the next price go geometrically from their calm values to those of full stress: a thin book has fewer resting
    orders at a price, so a sweep meets fewer of them and walks further.
    """

    mean: float = 1.0  # prints per timestamp when calm
    mean_peak: float = 1.0
    tail: float = 2.0
    most: int = 400  # prints of the largest sweep when calm
    most_peak: int = 40
    step: float = 0.05  # probability that the next print is one tick further
    step_peak: float = 0.6


@dataclass(frozen=True)
class Book:
    """How the touch answers to stress y in [0, 1]: depth0 depth_floor^y, spread0 e^(spread_growth y)."""

    depth_floor: float
    spread_growth: float


@dataclass(frozen=True)
class Window:
    """The measured part of the replay, at a constant ``speed`` (market seconds per wall second)."""

    start: dt.time
    end: dt.time
    speed: float

    @property
    def wall_s(self) -> float:
        """How long the measured part takes, wall seconds."""
        return (session_s(self.end) - session_s(self.start)) / self.speed


@dataclass(frozen=True)
class Pause:
    """A time without trades in one instrument, as the real day had it."""

    symbol: str
    start: dt.time
    end: dt.time


@dataclass(frozen=True)
class Passage:
    """When the index first stood at or below a level of the day's own market-wide breaker; a halt followed."""

    level: int
    at: dt.time  # whole seconds, after the open


OverlayKind = Literal[
    "feed-stale", "feed-gap", "crossed", "out-of-order", "bad-print", "reject-storm", "late-fills", "disconnect"
]


@dataclass(frozen=True)
class Overlay:
    """A fault laid over the tape in [start, end); what each kind does stands with the kind's function."""

    kind: OverlayKind
    start: dt.time
    end: dt.time
    symbol: str = "*"  # one instrument, or all of them
    amount: float = 0.0  # what the kind says: a fraction of the price, ticks, seconds; 0 takes the kind's own


@dataclass(frozen=True)
class Scenario:
    """One crash day to be replayed; change a copy with ``dataclasses.replace``."""

    name: str
    title: str
    date: dt.date
    index: str  # bundle symbol of the level, never traded
    ticks: int  # expected ticks of the whole day
    leg: Leg
    activity: Activity
    hawkes: Hawkes
    book: Book
    window: Window
    instruments: tuple[Instrument, ...]
    pauses: tuple[Pause, ...] = ()
    notes: tuple[str, ...] = ()  # what is not as the real day was
    aliases: tuple[str, ...] = ()  # other names of a scenario that ships
    sweeps: Sweeps = Sweeps()
    passages: tuple[Passage, ...] = ()
    rules_asof: dt.date | None = None  # a what-if: the rulebook of another day
    overlays: tuple[Overlay, ...] = ()

    @property
    def symbols(self) -> tuple[str, ...]:
        """The index, then the instruments: the order that ``symbol`` in the tick rows counts."""
        return (self.index, *(instrument.symbol for instrument in self.instruments))

    @property
    def rules_day(self) -> dt.date:
        """The day whose rulebook is in force: the scenario's own, or the what-if's."""
        return self.rules_asof or self.date

    @property
    def t_low(self) -> float:
        """The index's low, seconds after the open."""
        return session_s(self.leg.low_at)

    def quick(self, wall_s: float = 15.0) -> "Scenario":
        """The same day with a measured window of ``wall_s`` at the same speed, three fifths of it before the low."""
        length = min(wall_s * self.window.speed, SESSION_S)
        start = min(max(0.0, self.t_low - 0.6 * length), SESSION_S - length)
        window = replace(self.window, start=wall_time(start), end=wall_time(start + length))
        return replace(self, window=window)
