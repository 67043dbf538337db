"""From trades to bars: time bars on the market clock, and volume bars.

A time bar of a symbol covers [start, start + length) and closes when any trade at or after its end is seen; a symbol
without a trade in it has no bar.  A volume bar closes with the trade that brings its volume to the threshold, and
holds that trade whole (Lopez de Prado, "Advances in Financial Machine Learning", 2018, section 2.3.1).
Neither depends on how the stream is cut into batches.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from engines.features.config import CONFIG, Config
from engines.features.flow import Ints, check_order
from engines.wire.messages import BarRow
from engines.wire.ticks import Rows


class Piece(msgspec.Struct, array_like=True):
    """A bar that is not closed, or a part of one.  Prices are integers of 1/10,000."""

    start_ns: int
    end_ns: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    trades: int

    def extend(self, later: "Piece") -> None:
        """Take in the piece that follows."""
        self.end_ns = later.end_ns
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.volume += later.volume
        self.trades += later.trades


class Barring(msgspec.Struct):
    """What is known of a replay's trades: the open bars, by symbol index."""

    replay: int = 0
    symbols: tuple[str, ...] = ()
    thresholds: tuple[int | None, ...] = ()  # shares or contracts of a volume bar
    last_ns: int = 0
    time: dict[int, Piece] = {}
    volume: dict[int, Piece] = {}
    closed: int = 0


_Closing = tuple[int, int, str, int, BarRow]  # row that closes it, end, kind, symbol: the order of publication


def take_trades(state: Barring, rows: Rows, config: Config = CONFIG) -> list[BarRow]:
    """Take a batch of TRADE rows, in time order; the bars that it closes, in the order in which they close.

    Raises:
        MessageError: as `flow.take_quotes`.
    """
    if rows.size == 0:
        return []
    stamps, symbols = rows["ts"], rows["symbol"].astype(np.intp)
    check_order(stamps, symbols, len(state.symbols), state.last_ns, config)
    state.last_ns = int(stamps[-1])
    order = np.argsort(symbols, kind="stable")
    ranked = rows[order]
    closing = [*_time(state, ranked, stamps, config), *_volume(state, ranked, order)]
    closing.sort(key=lambda item: item[:4])
    state.closed += len(closing)
    return [item[4] for item in closing]


def _time(state: Barring, ranked: Rows, stamps: Ints, config: Config) -> Iterator[_Closing]:
    """The time bars that close."""

    def closing(symbol: int, piece: Piece) -> _Closing:
        at = int(stamps.searchsorted(piece.end_ns))
        return at, piece.end_ns, "time", symbol, _row(state.symbols[symbol], "time", piece)

    minutes = ranked["ts"] // config.bar_ns
    for symbol, _, piece in _pieces(ranked, minutes):
        piece.start_ns = piece.start_ns // config.bar_ns * config.bar_ns
        piece.end_ns = piece.start_ns + config.bar_ns
        held = state.time.get(symbol)
        if held is not None and held.start_ns == piece.start_ns:
            held.extend(piece)
            continue
        if held is not None:
            yield closing(symbol, held)
        state.time[symbol] = piece
    for symbol, piece in list(state.time.items()):
        if piece.end_ns <= stamps[-1]:
            yield closing(symbol, state.time.pop(symbol))


def _volume(state: Barring, ranked: Rows, order: npt.NDArray[np.intp]) -> Iterator[_Closing]:
    """The volume bars that close."""
    groups, closes = _volume_groups(state, ranked)
    for symbol, last, piece in _pieces(ranked, groups):
        held = state.volume.get(symbol)
        if held is not None:
            held.extend(piece)
            piece = held  # noqa: PLW2901
        state.volume[symbol] = piece
        if last in closes:
            bar = _row(state.symbols[symbol], "volume", state.volume.pop(symbol))
            yield int(order[last]), bar.end_ns, "volume", symbol, bar


def _volume_groups(state: Barring, ranked: Rows) -> tuple[Ints, set[int]]:
    """Per ranked row the number of its bar, and the rows with which a bar closes.  No threshold: one endless bar."""
    groups = np.zeros(ranked.size, np.int64)
    closes: set[int] = set()
    symbols = ranked["symbol"]
    bounds = [0, *(np.flatnonzero(symbols[1:] != symbols[:-1]) + 1).tolist(), ranked.size]
    for start, end in pairwise(bounds):
        symbol = int(symbols[start])
        threshold = state.thresholds[symbol]
        if threshold is None:
            continue
        held = state.volume.get(symbol)
        total = ranked["size"][start:end].cumsum()
        base = -held.volume if held is not None else 0
        while (at := int(total.searchsorted(base + threshold))) < total.size:
            base = int(total[at])
            closes.add(start + at)
            groups[start + at + 1 : end] += 1
    return groups, closes


def _pieces(ranked: Rows, groups: Ints) -> Iterator[tuple[int, int, Piece]]:
    """(symbol, last row, piece) of each run of equal symbol and group."""
    symbols = ranked["symbol"]
    change = (symbols[1:] != symbols[:-1]) | (groups[1:] != groups[:-1])
    starts = np.concatenate(([0], np.flatnonzero(change) + 1))
    lasts = np.concatenate((starts[1:], [ranked.size])) - 1
    price = ranked["price"].astype(np.int64)
    columns = (
        ranked["ts"][starts],
        ranked["ts"][lasts],
        price[starts],
        np.maximum.reduceat(price, starts),
        np.minimum.reduceat(price, starts),
        price[lasts],
        np.add.reduceat(ranked["size"].astype(np.int64), starts),
        lasts - starts + 1,
    )
    values = zip(*(column.tolist() for column in columns), strict=True)
    for symbol, last, value in zip(symbols[starts].tolist(), lasts.tolist(), values, strict=True):
        yield symbol, last, Piece(*value)


def _row(symbol: str, kind: Literal["time", "volume"], piece: Piece) -> BarRow:
    return BarRow(symbol, kind, *msgspec.structs.astuple(piece))
