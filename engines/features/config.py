"""Settings of the features engine, with their units."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from engines.wire import bundle

NS = 1_000_000_000


@dataclass(frozen=True)
class Config:
    """How features and bars are made."""

    second_ns: int = NS  # features are published once per this much market time
    returns: int = 300  # seconds of returns in the realised volatility
    seconds_a_year: float = 252 * 23_400.0  # trading days times the seconds of a regular session
    bar_ns: int = 60 * NS  # length of a time bar
    bars_a_day: int = 50  # a volume bar holds this fraction of an average day
    volume_days: int = 20  # trading days before the session over which the average daily volume is taken
    longest_gap_s: int = 86_400  # a jump of market time beyond this is a mistake of the sender
    # Average daily volume where the bundle has no bars: mean of the June 2010 E-mini over 3-5 May 2010
    # (Kirilenko, Kyle, Samadi and Tuzun), contracts.
    stated_volume: Mapping[str, int] = field(default_factory=lambda: {"ESX": 2_397_639})


CONFIG = Config()


def bar_volume(symbol: str, day: dt.date, config: Config = CONFIG) -> int | None:
    """Shares or contracts of one volume bar on `day`: average daily volume over the days before it / `bars_a_day`.

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
    return max(1, stated // config.bars_a_day)
