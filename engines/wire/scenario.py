"""A scenario: one real trading day, the shape of its fall, and how it is replayed. Plain frozen values.

The day's open, high, low, close and volume are pinned to the bundle's bars; everything here says only how the market
moves between those pins. ``scenario_file`` loads one from TOML, ``scenario_rules`` says what is wrong with one,
``intensity`` and ``pins`` compute from one. Times are New York wall-clock times of ``Scenario.date``.
"""

import datetime as dt
from dataclasses import dataclass, replace

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
    volume_share: float  # share of the day's volume between share_from and share_to
    share_from: dt.time
    share_to: dt.time


@dataclass(frozen=True)
class Hawkes:
    """Self-excitation of arrivals: branching matrix n (p I + (1-p) 1 w'), exponential kernel."""

    n: float  # branching ratio: expected children per tick
    beta: float  # decay of the kernel, 1/s
    p: float  # share of children that stay in the parent's instrument
    inherit: float  # probability that a child takes the side of the instrument's previous tick


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
class Segment:
    """A contiguous part of the replay. ``speed`` is None where it goes as fast as its consumers take it."""

    name: str
    start: dt.time
    end: dt.time
    speed: float | None
    measured: bool


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

    @property
    def symbols(self) -> tuple[str, ...]:
        """The index, then the instruments: the order that ``symbol`` in the tick rows counts."""
        return (self.index, *(instrument.symbol for instrument in self.instruments))

    @property
    def t_low(self) -> float:
        """The index's low, seconds after the open."""
        return session_s(self.leg.low_at)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The whole session as contiguous segments: before, measured, after (empty ones left out)."""
        start, end, speed = self.window.start, self.window.end, self.window.speed
        parts = (
            Segment("before", OPEN, start, None, measured=False),
            Segment("measured", start, end, speed, measured=True),
            Segment("after", end, CLOSE, None, measured=False),
        )
        return tuple(part for part in parts if part.start < part.end)

    def quick(self, wall_s: float = 15.0) -> "Scenario":
        """The same day with a measured window of ``wall_s`` at the same speed, three fifths of it before the low."""
        length = min(wall_s * self.window.speed, SESSION_S)
        start = min(max(0.0, self.t_low - 0.6 * length), SESSION_S - length)
        window = replace(self.window, start=wall_time(start), end=wall_time(start + length))
        return replace(self, window=window)
