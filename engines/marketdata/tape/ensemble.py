"""What many seeds of one scenario have in common: a row of figures for each tape, and their spread."""

from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, fields

import numpy as np

from engines.marketdata.tape.overlays.lay import lay
from engines.marketdata.tape.tape import Tape, make
from engines.wire.errors import UsageError
from engines.wire.expected_halts import trips
from engines.wire.rulebook import rules
from engines.wire.scenario import Scenario
from engines.wire.session import NS, epoch_ns, open_ns
from engines.wire.ticks import PRICE_SCALE

MOST = 1_000  # seeds of one ensemble
PEAK_S = 5


@dataclass(frozen=True)
class Figures:
    """One tape. ``fall``: of the index over ``leg.drop_s`` before its low, a fraction; ``peak``: rate of the 5 s before
    the low over the calm hours'; ``widest``: the first instrument's largest spread, currency units; ``thinnest``: its
    mean displayed size in the second before the low over the day's median; ``prints``: per timestamp, all day.
    """

    seed: int
    digest: str
    trades: int
    halts: int
    fall: float
    peak: float
    widest: float
    thinnest: float
    prints: float


@dataclass(frozen=True)
class Spread:
    """One figure over the seeds."""

    name: str
    mean: float
    sd: float  # ddof 1; 0 for a single seed
    low: float
    high: float


@dataclass(frozen=True)
class Ensemble:
    """All tapes of an ensemble, and the spread of each numeric figure."""

    figures: tuple[Figures, ...]
    spreads: tuple[Spread, ...]


def ensemble(scenario: Scenario, seeds: Iterable[int], tell: Callable[[Figures], None] | None = None) -> Ensemble:
    """Make one tape after the other, with its overlays, as a replay has it; keep and ``tell`` its figures.

    Raises what ``make`` and ``lay`` raise, ``UsageError`` for none or more than 1,000 seeds.
    """
    wanted = tuple(seeds)
    if not 0 < len(wanted) <= MOST:
        raise UsageError(f"An ensemble has 1 to {MOST} seeds, not {len(wanted)}.", "", "Give fewer seeds.")
    made = []
    for seed in wanted:
        made.append(figures(lay(make(scenario, seed), scenario.overlays)))
        if tell is not None:
            tell(made[-1])
    found = tuple(made)
    names = [each.name for each in fields(Figures)]
    columns = zip(names, zip(*(astuple(each) for each in found), strict=True), strict=True)
    return Ensemble(found, tuple(_spread(name, values) for name, values in columns if name not in ("seed", "digest")))


def figures(tape: Tape) -> Figures:
    """The figures of one tape."""
    scenario, ts = tape.scenario, tape.trades["ts"]
    activity, leg = scenario.activity, scenario.leg
    low_ns = epoch_ns(scenario.date, leg.low_at)
    calm_from, calm_to = (epoch_ns(scenario.date, time) for time in (activity.calm_from, activity.calm_to))
    at_peak = np.searchsorted(ts, (low_ns - PEAK_S * NS, low_ns), side="right")
    calm = np.searchsorted(ts, (calm_from, calm_to), side="right")
    calm_rate = (calm[1] - calm[0]) / ((calm_to - calm_from) / NS)
    level = tape.levels["level"]
    place = round((low_ns - open_ns(scenario.date)) / NS)
    first = tape.quotes[tape.quotes["symbol"] == 1]
    shown = first["bid_size"].astype(np.float64) + first["ask_size"]
    last = (first["ts"] > low_ns - NS) & (first["ts"] <= low_ns)
    rule = rules(scenario.rules_day).market_wide
    return Figures(
        seed=tape.seed,
        digest=tape.digest(),
        trades=int(ts.size),
        halts=len(trips(tape.levels, scenario.date, tape.pins[0].prior_close, rule)),
        fall=float(1 - level[place] / level[place - round(leg.drop_s)]),
        peak=float((at_peak[1] - at_peak[0]) / PEAK_S / calm_rate),
        widest=float((first["ask"] - first["bid"]).max() / PRICE_SCALE),
        thinnest=float(shown[last].mean() / np.median(shown)) if last.any() else float("nan"),
        prints=float(ts.size / np.unique(ts).size),
    )


def _spread(name: str, values: tuple[float, ...]) -> Spread:
    column = np.array(values, np.float64)
    sd = float(column.std(ddof=1)) if column.size > 1 else 0.0
    return Spread(name, float(column.mean()), sd, float(column.min()), float(column.max()))
