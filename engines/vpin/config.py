"""Settings of the VPIN engine, with their units."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from engines.wire import bundle

NS = 1_000_000_000


@dataclass(frozen=True)
class Config:
    """Easley, Lopez de Prado and O'Hara (2012): one-minute bars, 50 buckets a day, a window of 50 buckets."""

    bar_ns: int = 60 * NS
    buckets_a_day: int = 50
    window: int = 50  # buckets in one VPIN
    volume_days: int = 20  # trading days before the session over which the average daily volume is taken
    longest_gap_s: int = 86_400  # a jump of market time beyond this is a mistake of the sender
    # Average daily volume where the bundle has no bars: mean of the June 2010 E-mini over 3-5 May 2010
    # (Kirilenko, Kyle, Samadi and Tuzun), contracts.
    stated_volume: Mapping[str, int] = field(default_factory=lambda: {"ESX": 2_397_639})


CONFIG = Config()


def bucket_volume(symbol: str, day: dt.date, config: Config = CONFIG) -> int | None:
    """Shares or contracts of one bucket on `day`: average daily volume over the days before it / `buckets_a_day`.

    None for the index, which is not traded, and where neither the bundle nor the settings know the symbol's volume.
    """
    if symbol == bundle.INDEX:
        return None
    stated = config.stated_volume.get(symbol)
    if stated is None:
        try:
            volumes = bundle.bars(symbol).before(day, config.volume_days).volume
        except bundle.UnknownSymbol:
            return None
        if volumes.size == 0:
            return None
        stated = int(volumes.sum()) // volumes.size
    return max(1, stated // config.buckets_a_day)
