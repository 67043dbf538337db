"""Faults of a feed: what it shows is stale, lost, crossed, or out of order. Times are of market data, [start, end)."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from engines.marketdata.tape.tape import Finding, Tape
from engines.wire.outlook import Release
from engines.wire.scenario import Overlay
from engines.wire.session import CLOSE, OPEN, epoch_ns
from engines.wire.ticks import Rows, to_units

EVERY = "*"
GROUP = 4  # rows of one reversed group, where the overlay gives none

Mask = npt.NDArray[np.bool_]


def span(tape: Tape, overlay: Overlay) -> tuple[int, int]:
    """[start, end) in nanoseconds since the Unix epoch."""
    day = tape.scenario.date
    return epoch_ns(day, overlay.start), epoch_ns(day, overlay.end)


def covered(tape: Tape, overlay: Overlay, rows: Rows) -> Mask:
    """Which rows of the overlay's symbols lie in its time."""
    start, end = span(tape, overlay)
    inside: Mask = (rows["ts"] >= start) & (rows["ts"] < end) & (rows["symbol"] > 0)
    if overlay.symbol != EVERY:
        inside &= rows["symbol"] == tape.scenario.symbols.index(overlay.symbol)
    return inside


def found(tape: Tape, overlay: Overlay, count: int) -> tuple[Finding, ...]:
    """The tape's findings with one more."""
    return (*tape.findings, Finding(overlay.kind, overlay.symbol, *span(tape, overlay), count))


def stale(tape: Tape, overlay: Overlay) -> Tape:
    """Quotes repeat what stood when it began, while trades go on; the displayed book is not renewed.

    A checker finds quotes that a trade of the same time contradicts: ``count`` is how many quotes were held back.
    """
    quotes = tape.quotes.copy()
    inside = covered(tape, overlay, quotes)
    for symbol in np.unique(quotes["symbol"][inside]):
        own = np.flatnonzero(quotes["symbol"] == symbol)
        mine = own[inside[own]]
        standing = quotes[own[max(0, int(np.searchsorted(own, mine[0])) - 1)]]
        for column in ("bid", "ask", "bid_size", "ask_size"):
            quotes[column][mine] = standing[column]
    depths = tape.depths[~covered(tape, overlay, tape.depths)]
    return replace(tape, quotes=quotes, depths=depths, findings=found(tape, overlay, int(inside.sum())))


def gap(tape: Tape, overlay: Overlay) -> Tape:
    """Trades, quotes and books are lost for good. ``count`` is the number of lost trades."""
    lost = covered(tape, overlay, tape.trades)
    pins = tuple(release for release in _lost_pins(tape, overlay, lost))
    return replace(
        tape,
        trades=tape.trades[~lost],
        quotes=tape.quotes[~covered(tape, overlay, tape.quotes)],
        depths=tape.depths[~covered(tape, overlay, tape.depths)],
        findings=found(tape, overlay, int(lost.sum())),
        broken=(*tape.broken, *pins),
    )


def _lost_pins(tape: Tape, overlay: Overlay, lost: Mask) -> list[Release]:
    """The pins that stood on a lost trade."""
    why = f"the feed lost {overlay.start:%H:%M:%S} to {overlay.end:%H:%M:%S}"
    released = []
    for place, pin in enumerate(tape.pins):
        own = np.flatnonzero(tape.trades["symbol"] == place)
        gone = lost[own]
        if place == 0 or not gone.any():
            continue
        price = tape.trades["price"][own]
        held = {"open": gone[0], "high": gone[price == pin.high].any(), "low": gone[price == pin.low].any()}
        held |= {"close": gone[-1], "volume": True}
        released += [Release(pin.symbol, name, why) for name, broken in held.items() if broken]
    return released


def crossed(tape: Tape, overlay: Overlay) -> Tape:
    """Bid and ask change places, in quotes and books; ``amount`` is by how many ticks more. ``count``: quotes."""
    quotes, depths = tape.quotes.copy(), tape.depths.copy()
    ticks = np.array([0, *(to_units(item.tick) for item in tape.scenario.instruments)])
    for rows in (quotes, depths):
        inside = np.flatnonzero(covered(tape, overlay, rows))
        more = round(overlay.amount) * ticks[rows["symbol"][inside]]
        more = more if rows["bid"].ndim == 1 else more[:, None]
        bid, ask = rows["bid"][inside], rows["ask"][inside]
        rows["bid"][inside], rows["ask"][inside] = ask + more, bid - more
        sizes = rows["bid_size"][inside], rows["ask_size"][inside]
        rows["ask_size"][inside], rows["bid_size"][inside] = sizes
    count = int(covered(tape, overlay, quotes).sum())
    return replace(tape, quotes=quotes, depths=depths, findings=found(tape, overlay, count))


def out_of_order(tape: Tape, overlay: Overlay) -> Tape:
    """Groups of ``amount`` trades and quotes arrive in reverse; times stay with their rows.

    ``count`` is the number of trades that arrive after a later one of their symbols. The first and the last trade of
    the day keep their places.
    """
    inside = covered(tape, overlay, tape.trades)
    inside &= (tape.trades["ts"] > epoch_ns(tape.scenario.date, OPEN)) & ~_ends(tape)
    inside &= tape.trades["ts"] < epoch_ns(tape.scenario.date, CLOSE)
    rows = np.flatnonzero(inside)
    order = np.arange(tape.trades.size)
    size = round(overlay.amount) or GROUP
    for first in range(0, rows.size, size):
        group = rows[first : first + size]
        order[group] = group[::-1]
    trades, quotes = tape.trades[order], tape.quotes[order]
    late = int((trades["ts"] < np.maximum.accumulate(trades["ts"])).sum())
    return replace(tape, trades=trades, quotes=quotes, findings=found(tape, overlay, late))


def _ends(tape: Tape) -> Mask:
    """The first and the last trade of each symbol."""
    ends = np.zeros(tape.trades.size, np.bool_)
    for place in range(1, len(tape.pins)):
        own = np.flatnonzero(tape.trades["symbol"] == place)
        if own.size:
            ends[[own[0], own[-1]]] = True
    return ends
