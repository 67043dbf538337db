"""Which halts a scenario's day will have by the rulebook in force, and what differs from the real day."""

from dataclasses import dataclass

from engines.wire.course import Course, course, high_latest
from engines.wire.expected_halts import Trips
from engines.wire.messages import Halt
from engines.wire.pins import Pin, pins
from engines.wire.rulebook import FuturesPause, rules
from engines.wire.scenario import Scenario
from engines.wire.session import NS, OPEN, epoch_ns, session_s
from engines.wire.silences import real_trips

MARKET = "*"


@dataclass(frozen=True)
class Release:
    """A pin that no longer holds, and why."""

    symbol: str
    pin: str  # open, high, low, close or volume
    why: str


@dataclass(frozen=True)
class Outlook:
    """The day's expected halts, known before a tape is made.

    ``added``: market-wide halts that the real day did not have; ``missing``: those of the real day that the rulebook
    in force does not make. Either makes the run counterfactual.
    """

    halts: tuple[Halt, ...]
    added: Trips
    missing: Trips
    released: tuple[Release, ...]

    @property
    def counterfactual(self) -> bool:
        """Whether a halt differs from the real day's."""
        return bool(self.added or self.missing)


def expected(scenario: Scenario) -> Outlook:
    """The outlook of a scenario. Raises what ``pins`` and ``course`` raise."""
    pinned = pins(scenario)
    return outlook(scenario, pinned, course(scenario, pinned[0]))


def outlook(scenario: Scenario, pinned: tuple[Pin, ...], plan: Course) -> Outlook:
    """The outlook from pins and course that are known already."""
    real = {(trip.level, trip.start_ns, trip.end_ns) for trip in real_trips(scenario)}
    made = {(trip.level, trip.start_ns, trip.end_ns) for trip in plan.trips}
    added = tuple(trip for trip in plan.trips if (trip.level, trip.start_ns, trip.end_ns) not in real)
    missing = tuple(trip for trip in real_trips(scenario) if (trip.level, trip.start_ns, trip.end_ns) not in made)
    halts = [
        Halt("market-wide", trip.level, MARKET, trip.start_ns, trip.end_ns, _named(trip.rule, trip.proxy))
        for trip in plan.trips
    ]
    for pause in rules(scenario.rules_day).futures_pauses:
        if _confirmed(scenario, pause):
            halts.append(Halt("pause", 0, pause.symbol, *pause.span(scenario.date), pause.name))
    released = (*_stale(pinned), *_after(scenario, pinned, plan, added))
    return Outlook(tuple(sorted(halts, key=lambda halt: halt.start_ns)), added, missing, released)


def _named(rule: str, proxy: bool) -> str:
    return f"{rule} (proxy)" if proxy else rule


def _confirmed(scenario: Scenario, pause: FuturesPause) -> bool:
    """A recorded pause applies on its own day, when the tape of its future is lowest there, and nowhere else."""
    traded = {item.symbol: item for item in scenario.instruments}.get(pause.symbol)
    rides = traded is not None and traded.source == scenario.index
    return rides and pause.holds(scenario.date) and scenario.t_low == session_s(pause.start)


def _stale(pinned: tuple[Pin, ...]) -> tuple[Release, ...]:
    """The opens that only repeat the prior close; an index's own is still published, its future's is not traded at."""
    why = "the index's open repeats the prior close: it was not observed"
    found = []
    for pin in pinned[1:]:
        if pin.stale_open:
            found.append(Release(pin.symbol, "open", why))
            if pin.high == pin.open:
                found.append(Release(pin.symbol, "high", why))
    return tuple(found)


def _after(scenario: Scenario, pinned: tuple[Pin, ...], plan: Course, added: Trips) -> tuple[Release, ...]:
    """Everything that the day is pinned to after its first added halt began."""
    if not added:
        return ()
    start = min(trip.start_ns for trip in added)
    at_s = (start - epoch_ns(scenario.date, OPEN)) / NS
    why = f"it comes after a halt that the real day did not have, level {added[0].level}"
    leg = scenario.leg
    latest = session_s(leg.high_at) if leg.high_at is not None else high_latest(leg, scenario.t_low + leg.lag_max_s)
    sources = (scenario.index, *(item.source for item in scenario.instruments))
    found = []
    for pin, source in zip(pinned, sources, strict=True):
        rides = source == scenario.index
        high_s = (plan.high_s or 0.0) if rides else latest
        low_s = scenario.t_low if rides else scenario.t_low + leg.lag_max_s
        names = {"high": pin.high == pin.close or high_s > at_s, "low": low_s > at_s, "close": True}
        names["volume"] = pin.volume is not None
        found += [Release(pin.symbol, name, why) for name, released in names.items() if released]
    return tuple(found)
