"""What is known of a scenario before it is replayed: pins, conflicts, rulebook, expected halts, overlays, data rate."""

import datetime as dt
from dataclasses import replace

import msgspec

from engines.wire.course import course
from engines.wire.intensity import intensity
from engines.wire.outlook import outlook
from engines.wire.pins import Pin, conflicts, pins
from engines.wire.regime import Regime, regime
from engines.wire.rulebook import rules
from engines.wire.scenario import Overlay, Scenario
from engines.wire.scenario_file import ScenarioErrors
from engines.wire.scenario_rules import problems
from engines.wire.session import NS, SESSION_S, open_ns, session_s, wall_time
from engines.wire.ticks import DEPTH, LEVEL, PRICE_SCALE, QUOTE, TRADE

# What each overlay leaves for a checker of the feed or of the venue to find.
FINDS = {
    "feed-stale": "quotes repeat what stood before, while trades go on",
    "feed-gap": "trades, quotes and books are missing; pins that stood on them are released",
    "crossed": "bids stand at or above asks",
    "out-of-order": "rows arrive after later ones, with their own times",
    "bad-print": "one print far from its price, corrected when the time ends",
    "reject-storm": "the venue rejects every new order",
    "late-fills": "fills are told late",
    "disconnect": "the venue cancels what is open and rejects what comes",
}


class PinBrief(msgspec.Struct, frozen=True):
    """The real bar that a symbol's tape meets; prices in currency units. ``released``: those that need not hold."""

    symbol: str
    open: float
    high: float
    low: float
    close: float
    prior_close: float
    volume: int | None
    volatility: float  # a day's, before the day
    released: tuple[str, ...]


class RuleBrief(msgspec.Struct, frozen=True):
    """A rule in force, where it stands, and how far that was checked."""

    name: str
    kind: str
    source: str
    confidence: str


class HaltBrief(msgspec.Struct, frozen=True):
    """An expected halt, New York times. ``added``: the real day did not have it."""

    kind: str
    level: int
    symbol: str
    start: dt.time
    end: dt.time
    rule: str
    added: bool


class OverlayBrief(msgspec.Struct, frozen=True):
    """An overlay and what a checker should find."""

    kind: str
    symbol: str
    start: dt.time
    end: dt.time
    amount: float
    finds: str


class ScenarioBrief(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.scenario/1` document."""

    schema: str = "nautilus.scenario/1"
    name: str
    title: str
    date: dt.date
    rules_asof: dt.date
    regime: Regime  # of the index, the day included
    symbols: tuple[str, ...]
    pins: tuple[PinBrief, ...]
    conflicts: tuple[str, ...]
    rulebook: tuple[RuleBrief, ...]
    halts: tuple[HaltBrief, ...]
    missing_halts: tuple[str, ...]  # of the real day, under a what-if's rules
    counterfactual: bool
    released: tuple[str, ...]
    overlays: tuple[OverlayBrief, ...]
    ticks: int
    peak_ticks_s: float  # per market second, mean of the busiest second
    window_ticks_s: float  # per wall second of the measured window, mean of its busiest market second
    megabytes: float  # of rows: trades, quotes, levels and the book of every second
    notes: tuple[str, ...]


def brief(scenario: Scenario, rules_asof: dt.date | None = None) -> ScenarioBrief:
    """The brief of a scenario; ``rules_asof`` is a what-if's day.

    Raises ``ScenarioErrors`` with every mistake of the scenario, and what ``pins`` and ``course`` raise.
    """
    if rules_asof is not None:
        scenario = replace(scenario, rules_asof=rules_asof)
    found = problems(scenario)
    if found:
        raise ScenarioErrors(scenario.name, found)
    pinned = pins(scenario)
    expected = outlook(scenario, pinned, course(scenario, pinned[0]))
    added = {trip.start_ns for trip in expected.added}
    released = tuple(f"{each.symbol} {each.pin}: {each.why}" for each in expected.released)
    busiest, in_window = _rates(scenario)
    return ScenarioBrief(
        name=scenario.name,
        title=scenario.title,
        date=scenario.date,
        rules_asof=scenario.rules_day,
        regime=regime(scenario.index, scenario.date),
        symbols=scenario.symbols,
        pins=tuple(_pin(pin, [each.pin for each in expected.released if each.symbol == pin.symbol]) for pin in pinned),
        conflicts=conflicts(scenario),
        rulebook=_rulebook(scenario.rules_day),
        halts=tuple(
            HaltBrief(
                kind=halt.kind,
                level=halt.level,
                symbol=halt.symbol,
                start=_time(scenario, halt.start_ns),
                end=_time(scenario, halt.end_ns),
                rule=halt.rule,
                added=halt.start_ns in added,
            )
            for halt in expected.halts
        ),
        missing_halts=tuple(f"level {trip.level} at {_time(scenario, trip.start_ns)}" for trip in expected.missing),
        counterfactual=expected.counterfactual,
        released=released,
        overlays=tuple(_overlay(each) for each in scenario.overlays),
        ticks=scenario.ticks,
        peak_ticks_s=round(busiest, 1),
        window_ticks_s=round(in_window, 1),
        megabytes=round(_bytes(scenario) / 1e6, 1),
        notes=scenario.notes,
    )


def _time(scenario: Scenario, ts_ns: int) -> dt.time:
    return wall_time((ts_ns - open_ns(scenario.date)) / NS)


def _pin(pin: Pin, released: list[str]) -> PinBrief:
    unit = PRICE_SCALE
    return PinBrief(
        pin.symbol,
        open=pin.open / unit,
        high=pin.high / unit,
        low=pin.low / unit,
        close=pin.close / unit,
        prior_close=pin.prior_close / unit,
        volume=pin.volume,
        volatility=pin.sigma,
        released=tuple(released),
    )


def _rulebook(day: dt.date) -> tuple[RuleBrief, ...]:
    book = rules(day)
    single = (book.market_wide, book.single_stock, book.luld, book.short_sale)
    found = [rule for rule in (*single, *book.futures_limits, *book.futures_pauses) if rule is not None]
    return tuple(RuleBrief(rule.name, type(rule).__name__, rule.source, rule.confidence) for rule in found)


def _overlay(overlay: Overlay) -> OverlayBrief:
    return OverlayBrief(
        overlay.kind, overlay.symbol, overlay.start, overlay.end, overlay.amount, finds=FINDS[overlay.kind]
    )


def _rates(scenario: Scenario) -> tuple[float, float]:
    """Ticks of the busiest market second, and of the busiest one in the measured window times its speed."""
    day = intensity(scenario)
    per_second = day.lam.reshape(int(SESSION_S), -1).mean(axis=1)
    window = scenario.window
    inside = per_second[
        int(session_s(window.start)) : max(int(session_s(window.end)), int(session_s(window.start)) + 1)
    ]
    return float(per_second.max()), float(inside.max() * window.speed)


def _bytes(scenario: Scenario) -> float:
    books = SESSION_S * len(scenario.instruments) * DEPTH.itemsize
    return scenario.ticks * (TRADE.itemsize + QUOTE.itemsize) + SESSION_S * LEVEL.itemsize + books
