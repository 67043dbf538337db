"""Trades into time bars: each symbol's volume and last price of the open minute, and the minutes that close."""

from collections.abc import Iterator

import msgspec
import numpy as np
import numpy.typing as npt

from engines.vpin.config import CONFIG, NS, Config
from engines.wire.errors import MessageError
from engines.wire.ticks import Rows

Ints = npt.NDArray[np.int64]
Closed = tuple[int, list[tuple[int, int, int]]]  # end of the minute, ns; (symbol index, volume, last price)


def _none() -> Ints:
    return np.zeros(0, np.int64)


class Minutes(msgspec.Struct):
    """The open minute of a replay.  Arrays are indexed by symbol."""

    minute: int = 0  # counted from the epoch; 0 before any trade
    last_ns: int = 0
    volume: Ints = msgspec.field(default_factory=_none)
    price: Ints = msgspec.field(default_factory=_none)


def fresh(symbols: int) -> Minutes:
    """Before the first trade."""
    return Minutes(volume=np.zeros(symbols, np.int64), price=np.zeros(symbols, np.int64))


def add(state: Minutes, rows: Rows, config: Config = CONFIG) -> Iterator[Closed]:
    """Take a batch of TRADE rows, in time order; each minute that closes, with the symbols that traded in it.

    A minute closes when a trade of any symbol at or after its end is seen.

    Raises:
        MessageError: rows out of order, of an unknown symbol, or after a gap of more than `longest_gap_s`.
    """
    if rows.size == 0:
        return
    stamps, symbols, sizes = rows["ts"], rows["symbol"], rows["size"]
    _check(state, stamps, int(symbols.max()), int(sizes.min()), config)
    state.last_ns = int(stamps[-1])
    minutes = stamps // config.bar_ns
    start = 0
    for end in [*(np.flatnonzero(np.diff(minutes)) + 1).tolist(), rows.size]:
        minute = int(minutes[start])
        if minute != state.minute:
            if state.volume.any():
                yield _close(state, config)
            state.minute = minute
        part = slice(start, end)
        np.add.at(state.volume, symbols[part], sizes[part])
        state.price[symbols[part]] = rows["price"][part]  # of several, the last one stays
        start = end


def _close(state: Minutes, config: Config) -> Closed:
    traded = np.flatnonzero(state.volume)
    bars = list(zip(traded.tolist(), state.volume[traded].tolist(), state.price[traded].tolist(), strict=True))
    state.volume = np.zeros_like(state.volume)
    return (state.minute + 1) * config.bar_ns, bars


def _check(state: Minutes, stamps: Ints, highest: int, smallest: int, config: Config) -> None:
    if stamps[0] < state.last_ns or (stamps[1:] < stamps[:-1]).any():
        raise MessageError("A batch of trades is out of time order.", f"Market time stood at {state.last_ns} ns.")
    if highest >= state.volume.size:
        raise MessageError(f"A trade is of symbol {highest}.", f"The batch names {state.volume.size} symbols.")
    if smallest <= 0:
        raise MessageError(f"A trade has the size {smallest}.", "Volume is laid into buckets by size.")
    span = int(stamps[-1]) - (state.last_ns or int(stamps[0]))
    if span > config.longest_gap_s * NS:
        raise MessageError(f"Market time jumps by {span / NS:.0f} s.", f"{config.longest_gap_s} s is the most.")
