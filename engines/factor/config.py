"""Settings of the factor engine, with their units."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """Which bars factors are computed over."""

    universe: tuple[str, ...] = ("AAPL", "FB", "GOOG", "IBM", "MSFT")  # the cross-section of stored bars
    live: tuple[str, ...] = (  # computed on every 60 s bar of the session
        "KMID", "KLEN", "ROC5", "MA20", "STD20", "RSV20", "RANK20", "CORR20", "CNTD20", "VMA20", "alpha012", "alpha101",
    )  # fmt: skip
    longest: int = 1_000  # bars that an expression may look back


CONFIG = Config()
