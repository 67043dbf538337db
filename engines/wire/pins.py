"""What a scenario's day is pinned to: the real open, high, low, close and volume of each symbol."""

import datetime as dt
from dataclasses import dataclass

import numpy as np

from engines.wire import bundle
from engines.wire.errors import DataError
from engines.wire.scenario import Instrument, Scenario, VolumeRule
from engines.wire.ticks import to_units

SIGMA_BARS = 20
INDEX_TICK = 100  # an index is published to 0.01
SINGLE = 1.2e-7  # relative precision of a price that was stored in single precision
SPLIT = 1.25  # a change of close/adj_close by more than this between two days is a split, not a dividend


@dataclass(frozen=True)
class Pin:
    """One symbol's day. Prices are integers of 1/10,000, futures on their tick, the index to 0.01."""

    symbol: str
    open: int
    high: int
    low: int
    close: int
    prior_close: int  # of the trading day before, in the day's own shares (splits undone)
    volume: int | None  # shares or contracts; None for the index, which is not traded
    sigma: float  # daily volatility before the day: Parkinson (1980) over the 20 bars before it
    stale_open: bool  # the index's open only repeats the prior close, so it was not observed


def pins(scenario: Scenario) -> tuple[Pin, ...]:
    """The pins in the order of ``scenario.symbols``: the index, then each instrument.

    Raises ``bundle.UnknownSymbol``, ``bundle.MissingBarError``, or ``DataError`` when fewer than 20 bars with a range
    come before the day.
    """
    day = scenario.date
    traded = (
        _pin(item.symbol, item.source, day, to_units(item.tick), _volume(item, day)) for item in scenario.instruments
    )
    return (_pin(scenario.index, scenario.index, day, INDEX_TICK, None), *traded)


def conflicts(scenario: Scenario) -> tuple[str, ...]:
    """Where the day's bars overrule the scenario's shape, one sentence each; empty when they agree.

    Raises what ``pins`` raises.
    """
    index = pins(scenario)[0]
    found = []
    start = index.low / (1 - scenario.leg.drop)
    if start > index.high:
        most = 1 - index.low / index.high
        found.append(f"leg.drop: the index fell {most:.2%} at most from its high, not {scenario.leg.drop:.2%}")
    if index.stale_open:
        found.append("date: the index's open repeats the prior close, so it was not observed")
    return tuple(found)


def _pin(symbol: str, source: str, day: dt.date, tick: int, volume: int | None) -> Pin:
    bar = bundle.bar(source, day)
    traded = bundle.bars(source, day, day).as_traded()
    prior = bundle.before(source, day, SIGMA_BARS).as_traded()
    if len(prior) < SIGMA_BARS:
        raise DataError(
            f"{source} has {len(prior)} bars before {day}.",
            f"Its volatility is a mean over {SIGMA_BARS}.",
            "Choose a later day.",
        )
    grid = tick if source == bundle.INDEX else 1  # a share may print off its tick, a future and the index may not
    split = (traded.close[0] / bar.adj_close) / (prior.close[-1] / prior.adj_close[-1])
    factor = split if max(split, 1 / split) > SPLIT else 1.0
    return Pin(
        symbol=symbol,
        open=_on(float(traded.open[0]), grid),
        high=_on(float(traded.high[0]), grid),
        low=_on(float(traded.low[0]), grid),
        close=_on(float(traded.close[0]), grid),
        prior_close=_on(float(prior.close[-1]) * factor, grid),
        volume=volume,
        sigma=parkinson(prior),
        stale_open=source == bundle.INDEX and bar.open == float(prior.close[-1]),
    )


def _on(price: float, grid: int) -> int:
    """The price in units of 1/10,000, rounded to a multiple of ``grid``.

    A price that differs from a whole cent by no more than a file in single precision can tell is that cent.
    """
    cent = round(price, 2)
    return round(to_units(cent if abs(price - cent) <= SINGLE * price else price) / grid) * grid


def parkinson(bars: bundle.Bars) -> float:
    """Daily volatility from highs and lows: sqrt(mean(ln(H/L)^2) / (4 ln 2)), Parkinson (1980).

    Raises ``DataError`` when a bar has no range, as the index's have not before 1962.
    """
    ranges = np.log(bars.high / bars.low)
    if not (ranges > 0).all():
        raise DataError(
            f"{bars.symbol} has bars without a range before {bars.date[-1]}.",
            "Its high equals its low there, so they say nothing about volatility.",
            "Choose a later day.",
        )
    return float(np.sqrt(np.mean(ranges**2) / (4 * np.log(2))))


def _volume(instrument: Instrument, day: dt.date) -> int:
    rule = instrument.volume
    own = int(bundle.bars(instrument.source, day, day).as_traded().volume[0])
    return own if rule is None else _ruled(rule, instrument.source, day, own)


def _ruled(rule: VolumeRule, source: str, day: dt.date, own: int) -> int:
    if day == rule.day:
        return rule.contracts
    return round(rule.mean * own / float(bundle.bars(source, rule.mean_from, rule.mean_to).volume.mean()))
