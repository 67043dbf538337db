"""What is wrong with a scenario: every mistake at once, each as one sentence that begins with the field's name."""

import math
from collections.abc import Iterator

from engines.wire.rulebook import rules
from engines.wire.scenario import Activity, Hawkes, Instrument, Leg, Scenario, Sweeps
from engines.wire.session import SESSION_S, session_s
from engines.wire.ticks import PRICE_SCALE

FEWEST_TICKS = 1_000
EARLIEST_FALL_S = 240.0  # the morning needs room for the day's high before the fall begins


def problems(scenario: Scenario) -> tuple[str, ...]:
    """All mistakes of the scenario, empty when it can be built."""
    return (
        *_general(scenario),
        *_leg(scenario.leg),
        *_activity(scenario.activity),
        *_hawkes(scenario.hawkes, scenario.activity),
        *_sweeps(scenario.sweeps),
        *_instruments(scenario),
        *_times(scenario),
        *_passages(scenario),
        *_overlays(scenario),
    )


def _positive(where: str, **values: float) -> Iterator[str]:
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            yield f"{where}{name}: must be greater than 0, not {value:g}"


def _share(where: str, **values: float) -> Iterator[str]:
    for name, value in values.items():
        if not 0 <= value <= 1:
            yield f"{where}{name}: must lie in [0, 1], not {value:g}"


def _general(scenario: Scenario) -> Iterator[str]:
    if scenario.ticks < FEWEST_TICKS:
        yield f"ticks: must be at least {FEWEST_TICKS}, not {scenario.ticks}"
    if not 0 < scenario.book.depth_floor <= 1:
        yield f"book.depth_floor: must lie in (0, 1], not {scenario.book.depth_floor:g}"
    if scenario.book.spread_growth < 0:
        yield f"book.spread_growth: must not be negative, not {scenario.book.spread_growth:g}"


def _leg(leg: Leg) -> Iterator[str]:
    yield from _positive("leg.", drop_s=leg.drop_s, recovery_s=leg.recovery_s, pocket_s=leg.pocket_s)
    yield from _share("leg.", recovery=leg.recovery)
    if not 0 < leg.drop < 1:
        yield f"leg.drop: must lie in (0, 1), not {leg.drop:g}"
    if not 0 <= leg.lag_min_s <= leg.lag_max_s:
        yield f"leg.lag_max_s: the lags must satisfy 0 <= {leg.lag_min_s:g} <= {leg.lag_max_s:g}"
    low = session_s(leg.low_at)
    if low != int(low):
        yield "leg.low_at: must be a whole second, for the index is published once a second"
    if leg.high_at is not None and session_s(leg.high_at) != int(session_s(leg.high_at)):
        yield "leg.high_at: must be a whole second, for the index is published once a second"
    if low - leg.drop_s < EARLIEST_FALL_S:
        yield f"leg.low_at: the fall must begin at least {EARLIEST_FALL_S:g} s after the open"
    if low + leg.lag_max_s > SESSION_S - 2:
        yield "leg.low_at: the last share's low must come before the close"


def _activity(activity: Activity) -> Iterator[str]:
    yield from _positive(
        "activity.",
        shoulder_up_s=activity.shoulder_up_s,
        shoulder_down_s=activity.shoulder_down_s,
        narrow_up_s=activity.narrow_up_s,
        narrow_down_s=activity.narrow_down_s,
    )
    if activity.peak <= 1:
        yield f"activity.peak: must be greater than 1, not {activity.peak:g}"
    if activity.shoulder < 0:
        yield f"activity.shoulder: must not be negative, not {activity.shoulder:g}"
    if activity.volume_share is not None and not 0 < activity.volume_share < 1:
        yield f"activity.volume_share: must lie in (0, 1), not {activity.volume_share:g}"


def _hawkes(hawkes: Hawkes, activity: Activity) -> Iterator[str]:
    yield from _positive("hawkes.", beta=hawkes.beta, fast_beta=hawkes.fast_beta)
    yield from _share("hawkes.", p=hawkes.p, inherit=hawkes.inherit, fast=hawkes.fast)
    if not 0 <= hawkes.n < 1:
        yield f"hawkes.n: must lie in [0, 1), not {hawkes.n:g}"
        return
    for name in ("shoulder_down_s", "narrow_down_s"):
        fall_s = getattr(activity, name)
        if fall_s > 0 and _children(hawkes, 1 / fall_s) >= 1:
            yield f"activity.{name}: {fall_s:g} s is faster than children die out"


def _children(hawkes: Hawkes, rate: float) -> float:
    """Children of earlier arrivals over all arrivals, where the intensity falls as e^(-rate t)."""
    parts = ((hawkes.n * (1 - hawkes.fast), hawkes.beta), (hawkes.n * hawkes.fast, hawkes.fast_beta))
    return sum(n / (1 - rate / beta) if rate < beta else math.inf for n, beta in parts if n > 0 and beta > 0)


def _sweeps(sweeps: Sweeps) -> Iterator[str]:
    for name, mean, most in (("", sweeps.mean, sweeps.most), ("_peak", sweeps.mean_peak, sweeps.most_peak)):
        if most < 2:
            yield f"sweeps.most{name}: a sweep has at least 2 prints, not {most}"
        elif not 1 <= mean <= mean_sweep(sweeps.tail, most):
            largest = mean_sweep(sweeps.tail, most)
            yield f"sweeps.mean{name}: must lie in [1, {largest:.2f}], the mean sweep of up to {most}, not {mean:g}"
    if sweeps.most_peak > sweeps.most:
        yield f"sweeps.most_peak: must not exceed sweeps.most, {sweeps.most}"
    if not math.isfinite(sweeps.tail):
        yield f"sweeps.tail: must be a finite number, not {sweeps.tail:g}"
    for name, share in (("step", sweeps.step), ("step_peak", sweeps.step_peak)):
        if not 0 < share <= 1:
            yield f"sweeps.{name}: must lie in (0, 1], not {share:g}"


def mean_sweep(tail: float, most: int) -> float:
    """Mean of S in 2..most with probability proportional to S^-tail."""
    weights = [size**-tail for size in range(2, most + 1)]
    return sum(size * weight for size, weight in enumerate(weights, 2)) / sum(weights)


def _instruments(scenario: Scenario) -> Iterator[str]:
    if not scenario.instruments:
        yield "instruments: at least one is needed"
    if len(set(scenario.symbols)) < len(scenario.symbols):
        yield f"instruments: each symbol may stand once, and none may be the index: {', '.join(scenario.symbols)}"
    for place, instrument in enumerate(scenario.instruments):
        yield from _instrument(f"instruments[{place}].", instrument)


def _instrument(where: str, instrument: Instrument) -> Iterator[str]:
    yield from _positive(
        where,
        tick=instrument.tick,
        multiplier=instrument.multiplier,
        weight=instrument.weight,
        depth0=instrument.depth0,
        spread0=instrument.spread0,
    )
    units = instrument.tick * PRICE_SCALE
    if abs(units - round(units)) > 1e-6:
        yield f"{where}tick: {instrument.tick:g} is not a whole number of 1/{PRICE_SCALE}"
    if not -1 <= instrument.rho <= 1:
        yield f"{where}rho: must lie in [-1, 1], not {instrument.rho:g}"
    rule = instrument.volume
    if rule is not None:
        yield from _positive(f"{where}volume.", contracts=rule.contracts, mean=rule.mean)
        if rule.mean_from > rule.mean_to:
            yield f"{where}volume.mean_to: comes before mean_from"


def _times(scenario: Scenario) -> Iterator[str]:
    activity, window = scenario.activity, scenario.window
    yield from _positive("window.", speed=window.speed)
    spans = [
        ("activity.calm", activity.calm_from, activity.calm_to),
        ("activity.share", activity.share_from, activity.share_to),
        ("window", window.start, window.end),
        *((f"pauses[{place}]", pause.start, pause.end) for place, pause in enumerate(scenario.pauses)),
    ]
    for name, start, end in spans:
        if not 0 <= session_s(start) < session_s(end) <= SESSION_S:
            yield f"{name}: must begin before it ends, inside 09:30-16:00, not {start} to {end}"
    tradeable = scenario.symbols[1:]
    for place, pause in enumerate(scenario.pauses):
        if pause.symbol not in tradeable:
            yield f"pauses[{place}].symbol: {pause.symbol!r} is no instrument of this scenario"


def _passages(scenario: Scenario) -> Iterator[str]:
    rule = rules(scenario.date).market_wide
    known = {level.level for level in rule.levels} if rule is not None else set()
    seconds = [session_s(passage.at) for passage in scenario.passages]
    for place, passage in enumerate(scenario.passages):
        at = session_s(passage.at)
        if passage.level not in known:
            yield f"passages[{place}].level: the market-wide breaker of {scenario.date} has no level {passage.level}"
        if at != int(at) or not 0 < at < SESSION_S:
            yield f"passages[{place}].at: must be a whole second of the session, after its open, not {passage.at}"
    if seconds != sorted(set(seconds)):
        yield "passages: must stand in the order of their times"


def _overlays(scenario: Scenario) -> Iterator[str]:
    for place, overlay in enumerate(scenario.overlays):
        where = f"overlays[{place}]"
        if overlay.symbol != "*" and overlay.symbol not in scenario.symbols[1:]:
            yield f"{where}.symbol: {overlay.symbol!r} is no instrument of this scenario"
        if not 0 <= session_s(overlay.start) < session_s(overlay.end) <= SESSION_S:
            yield f"{where}: must begin before it ends, inside 09:30-16:00, not {overlay.start} to {overlay.end}"
        if not (math.isfinite(overlay.amount) and overlay.amount >= 0):
            yield f"{where}.amount: must not be negative, not {overlay.amount:g}"
