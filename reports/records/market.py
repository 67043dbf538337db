"""Records of the market: the tape, its path, halts and alerts."""

from typing import Annotated, Literal

from msgspec import Meta

from reports.records.base import Amount, Count, Part, Record


class Pin(Part, frozen=True, kw_only=True):
    """A property of the tape pinned to the real bar of the day, and what the tape gave."""

    symbol: str
    name: str
    target: float
    got: float


class TapeWindow(Part, frozen=True, kw_only=True):
    """The measured window in market time (ns) and the speed it was played at."""

    start_ns: int
    end_ns: int
    speed: Amount


class Tape(Record, frozen=True, kw_only=True):
    """The day that was replayed."""

    scenario: str
    seed: int
    digest: str
    ticks: Count
    pins: list[Pin]
    window: TapeWindow


class Level(Record, frozen=True, kw_only=True):
    """A point of the price path, for the plot."""

    symbol: str
    market_ns: int
    price: Amount


class Toxicity(Record, frozen=True, kw_only=True):
    """VPIN of a symbol after a volume bucket closed, in market time."""

    symbol: str
    market_ns: int
    bucket: Count
    vpin: Annotated[float, Meta(ge=0, le=1)]


class Halt(Record, frozen=True, kw_only=True):
    """A halt or pause that was observed, in market time."""

    kind: str
    level: int | None = None
    symbol: str | None = None
    start_ns: int
    end_ns: int | None = None
    rule: str
    source: str


class Alert(Record, frozen=True, kw_only=True):
    """An alert that was observed."""

    kind: str
    source: str
    symbol: str | None = None
    detail: str = ""


class Observer(Record, frozen=True, kw_only=True):
    """Someone listened to a subject since the run's start and has seen ``seen`` events: an absence is a fact then.

    The last one counts; each counts what was recorded before it.
    """

    subject: Literal["halts", "alerts", "denials"]
    seen: Count
