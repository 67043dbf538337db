"""Settings of the ML engine, with their units."""

import datetime as dt
from dataclasses import dataclass, field

NS = 1_000_000_000


@dataclass(frozen=True)
class Daily:
    """The models of the next day's return, trained on stored bars."""

    symbols: tuple[str, ...] = ("AAPL", "IBM", "MSFT")
    train_end: dt.date = dt.date(2009, 12, 31)  # last day that may be learnt from
    embargo: int = 5  # trading days between what is learnt from and what is judged on
    folds: int = 5  # of the walk-forward that chooses the penalty
    penalties: tuple[float, ...] = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)  # on standardised features
    block: int = 20  # trading days in a block of the bootstrap
    resamples: int = 500
    seed: int = 20100506
    trees: int = 80
    leaves: int = 8
    learning_rate: float = 0.03
    leaf_rows: int = 200


@dataclass(frozen=True)
class Online:
    """The model of the next minute's return, learnt from the session's own bars."""

    bar_ns: int = 60 * NS
    forgetting: float = 0.995  # weight of an observation relative to the next one
    start: float = 10.0  # diagonal of the first covariance: 1 / ridge penalty
    decay: float = 0.94  # of the exponentially weighted variance (RiskMetrics 1996, daily)
    least: int = 30  # observations before a forecast is published


@dataclass(frozen=True)
class Config:
    """Both."""

    daily: Daily = field(default_factory=Daily)
    online: Online = field(default_factory=Online)
    train_after_s: float = 5.0  # wall seconds after the start: training must not delay the fleet


CONFIG = Config()
