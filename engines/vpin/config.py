"""Settings of the VPIN engine, with their units."""

import datetime as dt
from dataclasses import dataclass

from engines.wire.volume import DAYS, average_volume

NS = 1_000_000_000


@dataclass(frozen=True)
class Config:
    """Easley, Lopez de Prado and O'Hara (2012): one-minute bars, 50 buckets a day, a window of 50 buckets."""

    bar_ns: int = 60 * NS
    buckets_a_day: int = 50
    window: int = 50  # buckets in one VPIN
    volume_days: int = DAYS  # trading days before the session over which the average daily volume is taken
    longest_gap_s: int = 86_400  # a jump of market time beyond this is a mistake of the sender


CONFIG = Config()


def bucket_volume(symbol: str, day: dt.date, config: Config = CONFIG) -> int | None:
    """Shares or contracts of one bucket on `day`: average daily volume over the days before it / `buckets_a_day`.

    None for the index, which is not traded, and where nothing is known of the symbol's volume.
    """
    average = average_volume(symbol, day, config.volume_days)
    return None if average is None else max(1, average // config.buckets_a_day)
