"""What several feeds hand over in a round becomes messages in one time order, which consumers rely on."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from engines.marketdata.feeds.feed import Taken
from engines.wire.messages import Body, Quotes, Trades
from engines.wire.ticks import Rows


class Round(NamedTuple):
    """One round: its messages with the market time of each one's last row, and what became of the order."""

    messages: tuple[tuple[Body, int], ...]
    trades_ns: int  # the latest market time published of trades, and of quotes
    quotes_ns: int
    ticks: int
    restamped: int


def merge(taken: Sequence[Taken], symbols: tuple[str, ...], latest: tuple[int, int], most: int) -> Round:
    """Messages of at most `most` rows of what at least one feed handed over.

    `latest`: the market times up to which trades and quotes are out.

    A tick that comes after a later one was published takes that one's market time: it is late, not lost.
    """
    trades, late_trades = _ordered([part.trades for part in taken], latest[0])
    quotes, late_quotes = _ordered([part.quotes for part in taken], latest[1])
    found: list[tuple[Body, int]] = []
    found += ((Trades(symbols, rows.tobytes()), int(rows["ts"][-1])) for rows in _pieces(trades, most))
    found += ((Quotes(symbols, rows.tobytes()), int(rows["ts"][-1])) for rows in _pieces(quotes, most))
    return Round(
        tuple(found),
        int(trades["ts"][-1]) if trades.size else latest[0],
        int(quotes["ts"][-1]) if quotes.size else latest[1],
        trades.size + quotes.size,
        late_trades + late_quotes,
    )


def _ordered(parts: Sequence[Rows], latest: int) -> tuple[Rows, int]:
    """All rows by time, none before `latest`, and how many were raised to it."""
    filled = [rows for rows in parts if rows.size]
    if not filled:
        return parts[0], 0
    rows = filled[0].copy() if len(filled) == 1 else np.concatenate(filled)
    if (rows["ts"][1:] < rows["ts"][:-1]).any():
        rows = rows[np.argsort(rows["ts"], kind="stable")]
    late = int(rows["ts"].searchsorted(latest))
    if late:
        rows["ts"][:late] = latest
    return rows, late


def _pieces(rows: Rows, most: int) -> Iterator[Rows]:
    for start in range(0, rows.size, most):
        yield rows[start : start + most]
