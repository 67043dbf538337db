"""Bounds and defaults of backtests."""

from dataclasses import dataclass

TRADING_DAYS = 252


@dataclass(frozen=True)
class Config:
    """What one request may ask for."""

    cash: float = 100_000.0  # currency units, where none is given
    most_cash: float = 1e9
    fee: float = 0.001  # of the traded value, each way, where none is given
    most_fee: float = 0.05
    longest: int = 1000  # days of a moving average
    most_runs: int = 1000  # of one sweep
    listed: int = 50  # best runs that a sweep lists


CONFIG = Config()
