"""A model's card: how it did out of sample, beside what a forecaster without a model would have done.

The information coefficient is Spearman's rank correlation of forecast and outcome over all judged rows; its interval
is the 2.5 and 97.5 percentile of a block bootstrap over days (Künsch 1989), seeded, so the card is the same each time.
"""

import datetime as dt

import msgspec
import numpy as np

from engines.ml.config import CONFIG, Daily
from engines.ml.dataset import FEATURES, Floats, Samples


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """Out-of-sample record of one model of the next day's return."""

    model: str
    target: str = "log return of the next trading day / volatility of the last 20"
    symbols: tuple[str, ...]
    features: tuple[str, ...] = FEATURES
    parameters: dict[str, float]
    train_rows: int
    train_first: dt.date
    train_last: dt.date
    test_rows: int
    test_first: dt.date
    test_last: dt.date
    ic: float
    ic_low: float  # 95 % interval
    ic_high: float
    hit_rate: float  # share of outcomes whose sign was forecast
    baseline_hit_rate: float  # always forecasting the sign that was the more frequent in training
    mse_ratio: float  # mean squared error / that of forecasting zero; below 1 is better
    verdict: str


def ranks(values: Floats) -> Floats:
    """Average ranks from 1."""
    order = np.sort(values)
    return (order.searchsorted(values, "left") + order.searchsorted(values, "right") + 1) / 2


def spearman(a: Floats, b: Floats) -> float:
    """Spearman's rank correlation."""
    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])


def interval(a: Floats, b: Floats, day: Floats, config: Daily = CONFIG.daily) -> tuple[float, float]:
    """95 % interval of Spearman's correlation: ranks are taken once, blocks of consecutive days are drawn."""
    u, v = ranks(a), ranks(b)
    _, index = np.unique(day, return_inverse=True)
    block = index // config.block
    moments = np.column_stack([np.ones_like(u), u, v, u * u, v * v, u * v])
    sums = np.zeros((int(block.max()) + 1, moments.shape[1]))
    np.add.at(sums, block, moments)
    rng = np.random.Generator(np.random.PCG64(config.seed))
    drawn = sums[rng.integers(0, len(sums), (config.resamples, len(sums)))].sum(axis=1)
    n, su, sv, suu, svv, suv = drawn.T
    found = (n * suv - su * sv) / np.sqrt((n * suu - su**2) * (n * svv - sv**2))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def judge(
    model: str,
    parameters: dict[str, float],
    forecast: Floats,
    train: Samples,
    test: Samples,
    config: Daily = CONFIG.daily,
) -> Card:
    """The card of forecasts (units of volatility) of the test samples."""
    low, high = interval(forecast, test.y, test.day.astype(np.float64), config)
    hit = float(np.mean(np.sign(forecast) == np.sign(test.y)))
    usual = 1.0 if np.mean(train.y > 0) >= np.mean(train.y < 0) else -1.0
    naive = float(np.mean(np.sign(test.y) == usual))
    ratio = float(np.mean((test.y - forecast) ** 2) / np.mean(test.y**2))
    ic = spearman(forecast, test.y)
    return Card(
        model=model,
        symbols=config.symbols,
        parameters=parameters,
        train_rows=train.y.size,
        train_first=train.day[0].item(),
        train_last=train.day[-1].item(),
        test_rows=test.y.size,
        test_first=test.day[0].item(),
        test_last=test.day[-1].item(),
        ic=ic,
        ic_low=low,
        ic_high=high,
        hit_rate=hit,
        baseline_hit_rate=naive,
        mse_ratio=ratio,
        verdict=verdict(low, hit, naive, ratio),
    )


def verdict(ic_low: float, hit: float, naive: float, ratio: float) -> str:
    """What the figures allow to say."""
    against = [
        text
        for text, holds in (
            ("the interval of its IC holds zero or less", ic_low <= 0),
            ("its hit rate is not above the baseline's", hit <= naive),
            ("its error is not below that of forecasting zero", ratio >= 1),
        )
        if holds
    ]
    return "better than the baselines out of sample" if not against else f"not shown to be of use: {'; '.join(against)}"
