"""Factors over the session's 60 s bars: a rolling panel, one value per factor and symbol when a minute closes.

A symbol without a trade in a minute keeps its last price, with volume 0.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec
import numpy as np
import numpy.typing as npt

from engines.factor.config import CONFIG
from engines.factor.evaluate import Panel, evaluate
from engines.factor.grammar import lookback
from engines.factor.registry import factor
from engines.wire.messages import BarRow, FactorRow
from engines.wire.ticks import PRICE_SCALE

COLUMNS = ("open", "high", "low", "close", "volume")


class Live(msgspec.Struct):
    """One replay's rolling panel: `bars` is (columns, minutes, symbols), oldest minute first, NaN before the first."""

    replay: int = 0
    symbols: list[str] = []
    bars: npt.NDArray[np.float64] = msgspec.field(default_factory=lambda: np.empty((len(COLUMNS), 0, 0)))
    minutes: int = 0
    rows: tuple[FactorRow, ...] = ()  # of the last minute


def take_bars(live: Live, rows: Iterable[BarRow], names: Sequence[str] = CONFIG.live) -> list[FactorRow]:
    """Take in closed bars (volume bars are left aside); the factors of each minute."""
    made: list[FactorRow] = []
    minutes = sorted((row for row in rows if row.kind == "time"), key=lambda row: row.end_ns)
    for end_ns, group in groupby(minutes, key=lambda row: row.end_ns):
        _push(live, list(group), names)
        live.minutes += 1
        live.rows = tuple(_factors(live, end_ns, names))
        made += live.rows
    return made


def _push(live: Live, group: Sequence[BarRow], names: Sequence[str]) -> None:
    for row in group:
        if row.symbol not in live.symbols:
            live.symbols.append(row.symbol)
    length = 1 + max(lookback(factor(name).node) for name in names)
    bars = np.full((len(COLUMNS), length, len(live.symbols)), np.nan)
    kept = live.bars[:, -(length - 1) :, :] if length > 1 else live.bars[:, :0, :]
    bars[:, length - 1 - kept.shape[1] : length - 1, : kept.shape[2]] = kept
    bars[:4, -1] = bars[3, -2] if length > 1 else np.nan
    bars[4, -1] = np.where(np.isnan(bars[3, -1]), np.nan, 0.0)
    for row in group:
        prices = (row.open / PRICE_SCALE, row.high / PRICE_SCALE, row.low / PRICE_SCALE, row.close / PRICE_SCALE)
        bars[:, -1, live.symbols.index(row.symbol)] = (*prices, row.volume)
    live.bars = bars


def _factors(live: Live, end_ns: int, names: Sequence[str]) -> Iterable[FactorRow]:
    """The last minute's values of every symbol."""
    panel = Panel(*live.bars)
    values = {name: evaluate(factor(name).node, panel)[-1] for name in names}
    for k, symbol in enumerate(live.symbols):
        found = {name: float(column[k]) for name, column in values.items()}
        yield FactorRow(symbol, end_ns, {name: x if np.isfinite(x) else None for name, x in found.items()})
