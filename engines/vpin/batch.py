"""VPIN over stored daily bars: the same recurrence, with a day in the place of the minute.

A demonstration of the method on real data that is the same everywhere: its level is not comparable with VPIN of
minutes, since a day of volume fills many buckets with one classification.  Closes are adjusted for splits.
"""

import datetime as dt

import msgspec

from engines.vpin.toxicity import Toxicity
from engines.wire import bundle
from engines.wire.errors import DataError
from engines.wire.ticks import to_units


class BatchVpin(msgspec.Struct, frozen=True):
    """VPIN over the daily bars from `start` to `end`.  `buckets * bucket + remainder = volume` exactly."""

    symbol: str
    start: dt.date
    end: dt.date
    days: int
    volume: int
    bucket: int  # shares of one bucket
    buckets: int
    remainder: int
    window: int
    vpin: float | None  # None before the window is full


def batch(symbol: str, start: dt.date, end: dt.date, per_day: int, window: int) -> BatchVpin:
    """VPIN with buckets of mean daily volume / `per_day` and a window of `window` buckets.

    Raises:
        bundle.UnknownSymbol: no such symbol.
        DataError: no bar between the dates.
    """
    bars = bundle.bars(symbol, start, end)
    if len(bars) == 0:
        raise DataError(f"{symbol} has no bars from {start} to {end}.", "", "Ask for dates inside its history.")
    volume = int(bars.volume.sum())
    toxicity = Toxicity(max(1, volume // len(bars) // per_day), window)
    for size, close in zip(bars.volume.tolist(), bars.adj_close.tolist(), strict=True):
        toxicity.add(size, to_units(close))
    return BatchVpin(
        symbol=symbol,
        start=bars.date[0].item(),
        end=bars.date[-1].item(),
        days=len(bars),
        volume=volume,
        bucket=toxicity.bucket,
        buckets=toxicity.closed,
        remainder=toxicity.filled,
        window=window,
        vpin=toxicity.vpin(),
    )
