"""Settings of the features engine, with their units."""

import datetime as dt
from dataclasses import dataclass

from engines.wire.volume import DAYS, average_volume

NS = 1_000_000_000


@dataclass(frozen=True)
class Config:
    """How features and bars are made."""

    second_ns: int = NS  # features are published once per this much market time
    returns: int = 300  # seconds of returns in the realised volatility
    seconds_a_year: float = 252 * 23_400.0  # trading days times the seconds of a regular session
    bar_ns: int = 60 * NS  # length of a time bar
    bars_a_day: int = 50  # a volume bar holds this fraction of an average day
    volume_days: int = DAYS  # trading days before the session over which the average daily volume is taken
    longest_gap_s: int = 86_400  # a jump of market time beyond this is a mistake of the sender


CONFIG = Config()


def bar_volume(symbol: str, day: dt.date, config: Config = CONFIG) -> int | None:
    """Shares or contracts of one volume bar on `day`: average daily volume over the days before it / `bars_a_day`.

    None for the index, which is not traded, and where nothing is known of the symbol's volume.
    """
    average = average_volume(symbol, day, config.volume_days)
    return None if average is None else max(1, average // config.bars_a_day)
