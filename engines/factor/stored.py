"""Factor values over the stored daily bars.

Prices are adjusted by adjusted close / close, and volume by its inverse, so that a split is no jump.  The cross-section
is the universe of five shares: a rank has five levels at most, fewer before a share was listed.
"""

import datetime as dt
from functools import lru_cache

import msgspec
import numpy as np

from engines.factor.config import CONFIG
from engines.factor.evaluate import Panel, evaluate
from engines.factor.grammar import Node, lookback
from engines.wire import bundle
from engines.wire.errors import DataError, UnknownName, UsageError


class Value(msgspec.Struct, frozen=True):
    """A factor's value; None where its definition is undefined: too few bars, a division by zero, a constant."""

    symbol: str
    date: dt.date
    value: float | None
    expression: str


@lru_cache(maxsize=1)
def panel() -> tuple[bundle.Dates, Panel]:
    """The universe's bars on the union of its trading days."""
    series = [bundle.bars(symbol) for symbol in CONFIG.universe]
    days = np.unique(np.concatenate([bars.date for bars in series]))
    columns = {name: np.full((days.size, len(series)), np.nan) for name in ("open", "high", "low", "close", "volume")}
    for k, bars in enumerate(series):
        rows = days.searchsorted(bars.date)
        ratio = bars.adj_close / bars.close
        for name in ("open", "high", "low", "close"):
            columns[name][rows, k] = getattr(bars, name) * ratio
        columns["volume"][rows, k] = bars.volume / ratio
    return days, Panel(**columns)


def value_at(expression: str, node: Node, symbol: str, date: dt.date | None) -> Value:
    """The value of an expression for one symbol on one day (None: the last one), from the bars it looks back on.

    Raises:
        UnknownName: the symbol is not in the universe.
        UsageError: it looks back further than is allowed.
        DataError: the symbol has no bar on that day.
    """
    if symbol not in CONFIG.universe:
        raise UnknownName("symbol in the universe", symbol, CONFIG.universe)
    past = lookback(node)
    if past > CONFIG.longest:
        raise UsageError(f"The expression looks back {past} bars.", f"{CONFIG.longest} is the most.", "Shorten it.")
    days, whole = panel()
    column = CONFIG.universe.index(symbol)
    row = days.size - 1 if date is None else int(days.searchsorted(np.datetime64(date, "D")))
    if row >= days.size or (date is not None and days[row].item() != date) or np.isnan(whole.close[row, column]):
        raise DataError(
            f"{symbol} has no bar on {date}.",
            f"The universe's bars run from {days[0]} to {days[-1]}.",
            "Choose a trading day.",
        )
    values = evaluate(node, whole.part(max(0, row - past), row + 1))
    value = float(values[-1, column])
    return Value(symbol, days[row].item(), value if np.isfinite(value) else None, expression)
