"""The rulebook in force on a day: market-wide breakers, single-stock pauses, LULD, futures, short sales.

The rules are data (`rulebooks/*.toml`), each with the dates it held, where it stands, and how far that was checked.
`rules(day)` picks them; everything else here is pure integer arithmetic on units of 1/10,000. Times are New York.
"""

import datetime as dt
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from engines.wire.errors import UsageError
from engines.wire.session import CLOSE, NS, epoch_ns, open_ns, wall_time
from engines.wire.ticks import PRICE_SCALE, to_units

FOLDER = Path(__file__).resolve().parent / "rulebooks"
INDEX = "SPX"
CENT = PRICE_SCALE // 100


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every rule states: the days it held (both inclusive; None: still in force) and how far it was checked."""

    name: str
    valid_from: dt.date
    valid_to: dt.date | None = None
    source: str
    confidence: Literal["verified", "partly", "unverified"]

    def holds(self, day: dt.date) -> bool:
        """Whether the rule was in force on `day`."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


class HaltWindow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a trigger after `after` and up to `until` halts; `minutes` None closes the market for the day."""

    until: dt.time
    after: dt.time | None = None  # excluded; None: from the open
    early_until: dt.time | None = None  # on a day that closes at 13:00
    inclusive: bool = False
    minutes: int | None = None

    def covers(self, time: dt.time, early: bool) -> bool:
        """Whether a trigger at `time` falls into the window."""
        if self.after is not None and time <= self.after:
            return False
        until = self.early_until if early and self.early_until is not None else self.until
        return time < until or (self.inclusive and time == until)


class BreakerLevel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One level: a fall in percent or points, and its windows in order of time."""

    level: int
    fall: int
    windows: tuple[HaltWindow, ...]


class Trip(msgspec.Struct, frozen=True):
    """A market-wide halt in [start_ns, end_ns)."""

    level: int
    start_ns: int
    end_ns: int
    rule: str
    proxy: bool  # judged on the S&P 500 in place of the rule's own index


class MarketWide(Rule, frozen=True):
    """A market-wide circuit breaker on the fall of `index` from its prior close; each level halts once a day."""

    index: Literal["DJIA", "SPX"]
    measure: Literal["percent", "points"]
    levels: tuple[BreakerLevel, ...]
    proxy: bool = False  # the S&P 500 may stand in for the index
    proxy_close: float | None = None
    proxy_day: dt.date | None = None

    def judges(self, index: str) -> bool:
        """Whether the rule can be judged on values of `index`."""
        return index == self.index or (index == INDEX and self.proxy)

    def thresholds(self, prior_close: int, index: str = INDEX) -> tuple[int, ...]:
        """Per level, the highest value of `index` that breaches: P <= (100 - p) C / 100 in integers.

        Raises:
            UsageError: the rule cannot be judged on `index`.
        """
        if not self.judges(index):
            raise UsageError(
                f"{self.name} cannot be judged on {index}.",
                f"It is stated in {self.measure} of {self.index}, whose closes the bundle does not hold.",
                f"Give values of {self.index}.",
            )
        if self.measure == "percent":
            return tuple((100 - level.fall) * prior_close // 100 for level in self.levels)
        points = tuple(level.fall * PRICE_SCALE for level in self.levels)
        if index == self.index:
            return tuple(prior_close - fall for fall in points)
        base = to_units(self.proxy_close or 0.0)
        return tuple((base - fall) * prior_close // base for fall in points)

    def breached(self, value: int, prior_close: int, index: str = INDEX) -> int:
        """The highest level that `value` breaches, 0 for none.  Raises UsageError as `thresholds` does."""
        at = self.thresholds(prior_close, index)
        return max((level.level for level, most in zip(self.levels, at, strict=True) if value <= most), default=0)

    def halt(self, level: int, ts_ns: int, day: dt.date, *, close: dt.time = CLOSE, index: str = INDEX) -> Trip | None:
        """The halt that a trigger of `level` at `ts_ns` brings; None where the rule lets trading go on."""
        time = wall_time((ts_ns - open_ns(day)) / NS)
        windows = next((item.windows for item in self.levels if item.level == level), ())
        window = next((item for item in windows if item.covers(time, close < CLOSE)), None)
        end = epoch_ns(day, close)
        if window is None or ts_ns >= end:
            return None
        if window.minutes is not None:
            end = min(end, ts_ns + window.minutes * 60 * NS)
        return Trip(level, ts_ns, end, self.name, index != self.index)


class StockTier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Stocks of these lists at prices from `above` (1/10,000) on pause at a move of `percent`."""

    scope: tuple[str, ...]
    above: int
    percent: int


class SingleStock(Rule, frozen=True):
    """A stock that moves by a tier's percent within `window_s` pauses for `pause_s`; [start, end) New York."""

    window_s: int
    pause_s: int
    start: dt.time
    end: dt.time
    tiers: tuple[StockTier, ...]


class LuldBucket(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Width of a tier's band for previous closes of at least `at_least`; `cap` bounds it.  Units of 1/10,000."""

    tier: int
    at_least: int
    percent: int
    cap: int | None = None


class LuldDoubling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When bands are twice as wide; `up_to`: only for previous closes up to it, 0 for any."""

    start: dt.time
    end: dt.time
    tiers: tuple[int, ...]
    up_to: int = 0


class Luld(Rule, frozen=True):
    """Limit up - limit down.  The reference is the mean trade price of `reference_s`, renewed at most every
    `renew_s` and only by a change of `renew_percent`; a limit state of `limit_state_s` pauses for `pause_s`.
    """

    tiers: tuple[int, ...]
    start: dt.time
    end: dt.time
    doubled: tuple[LuldDoubling, ...]
    buckets: tuple[LuldBucket, ...] = ()
    until_primary_reopens: bool = False
    reference_s: int = 300
    renew_s: int = 30
    renew_percent: int = 1
    limit_state_s: int = 15
    pause_s: int = 300
    collar_percent: int = 0  # a reopening keeps within this of its reference, and once more for each extension; 0: any

    def band(self, tier: int, reference: int, previous_close: int, time: dt.time) -> tuple[int, int] | None:
        """Lower and upper price band, on the cent; None where there is none.

        The bucket goes by the previous close, not by the reference.
        """
        if tier not in self.tiers or not self.start <= time < self.end:
            return None
        bucket = next(item for item in self.buckets if item.tier == tier and previous_close >= item.at_least)
        width = reference * bucket.percent // 100
        if bucket.cap is not None:
            width = min(width, bucket.cap)
        for span in self.doubled:
            fits = not span.up_to or previous_close <= span.up_to
            if tier in span.tiers and fits and span.start <= time < span.end:
                width *= 2
                break
        return max(0, _cent(reference - width)), _cent(reference + width)


class FuturesLimits(Rule, frozen=True):
    """Daily price limits of a future, in points below the prior settlement."""

    symbol: str
    points: tuple[int, ...]


class FuturesPause(Rule, frozen=True):
    """A pause that an exchange made on one day: [start, start + seconds) of `symbol`."""

    symbol: str
    start: dt.time
    seconds: int

    def span(self, day: dt.date) -> tuple[int, int]:
        """Begin and end in nanoseconds since the Unix epoch."""
        begin = epoch_ns(day, self.start)
        return begin, begin + self.seconds * NS


class ShortSale(Rule, frozen=True):
    """A fall of `percent` from the prior close: short sales only above the national best bid, that day and the next."""

    percent: int


class Rulebook(msgspec.Struct, frozen=True):
    """Everything in force on one day; None or empty where there was no such rule."""

    asof: dt.date
    market_wide: MarketWide | None
    single_stock: SingleStock | None
    luld: Luld | None
    futures_limits: tuple[FuturesLimits, ...]
    futures_pauses: tuple[FuturesPause, ...]
    short_sale: ShortSale | None


R = TypeVar("R", bound=Rule)


@lru_cache(maxsize=256)
def rules(asof: dt.date) -> Rulebook:
    """The rulebook of a day."""
    return Rulebook(
        asof=asof,
        market_wide=_only(_all("market-wide", "rule", MarketWide), asof),
        single_stock=_only(_all("single-stock", "rule", SingleStock), asof),
        luld=_only(_luld(), asof),
        futures_limits=tuple(rule for rule in _all("futures", "limits", FuturesLimits) if rule.holds(asof)),
        futures_pauses=tuple(rule for rule in _all("futures", "pauses", FuturesPause) if rule.holds(asof)),
        short_sale=_only(_all("short-sale", "rule", ShortSale), asof),
    )


def _cent(price: int) -> int:
    """The nearest cent, halves up."""
    return (price + CENT // 2) // CENT * CENT


def _only(found: tuple[R, ...], asof: dt.date) -> R | None:
    return next((rule for rule in found if rule.holds(asof)), None)


@lru_cache(maxsize=8)
def _table(file: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{file}.toml").read_text(encoding="utf-8"))


@lru_cache(maxsize=8)
def _all(file: str, key: str, kind: type[R]) -> tuple[R, ...]:
    return msgspec.convert(_table(file)[key], tuple[kind, ...])  # type: ignore[valid-type]  # a type made at run time


@lru_cache(maxsize=1)
def _luld() -> tuple[Luld, ...]:
    """LULD's entries with the buckets that they share."""
    buckets = msgspec.convert(_table("luld")["bucket"], tuple[LuldBucket, ...])
    return tuple(msgspec.structs.replace(rule, buckets=buckets) for rule in _all("luld", "rule", Luld))
