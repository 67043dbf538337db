"""Settings of the analytics engine."""

from dataclasses import dataclass

TRADING_DAYS = 252  # a year, for annualising daily figures
SESSION_MINUTES = 390  # of a regular trading day


@dataclass(frozen=True)
class Config:
    """Live figures."""

    publish_ns: int = 10_000_000_000  # market time between two messages
    minute_ns: int = 60_000_000_000
    fewest_minutes: int = 5  # minute returns before a volatility is given


CONFIG = Config()
