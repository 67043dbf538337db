"""The market's side of the venue: quotes, displayed books, trades and halts, and what they do to our orders.

Rows inside a halt match nothing; the first quote after one is a reopening auction.  Pauses by limit up - limit down
begin here, since only the venue sees quotes at the bands; they are told as halts.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engines.marketdata import luld
from engines.marketdata.auction import LEAST, MOST
from engines.marketdata.book import DEEP_COLUMNS, Ended, Match, Shown, Working, end, play
from engines.marketdata.reopening import Rules, reopen
from engines.marketdata.venue_state import CONFIG, EVERYTHING, Pause, Touch, Venue
from engines.wire.messages import Body, Cancelled, Depths, Fill, Filled, Halt, Quotes, Trades
from engines.wire.ticks import BOOK_LEVELS, DEPTH, QUOTE, TRADE, Rows

Ints = npt.NDArray[np.int64]
DEEP_ROWS = 256  # displayed books that may be ahead of a symbol's quotes
_ENDINGS = {
    "IOC": "it could not trade at once",
    "SELF_TRADE": "it would have met an order of ours",
    "HALTED": "it could not trade at once: trading is halted",
}


class _Market(NamedTuple):
    """A symbol's part of a batch."""

    symbol: str
    shown: Shown
    orders: Sequence[Working]


def on_halt(venue: Venue, body: Halt) -> None:
    """Remember a halt.  One that the venue told itself comes back and is known."""
    span = (body.start_ns, body.end_ns)
    known = venue.halts.setdefault(body.symbol, [])
    if span in known:
        return
    known.append(span)
    if venue.bands is not None:
        for stock in venue.bands.stocks:
            if body.symbol in (stock.symbol, EVERYTHING):
                stock.limit, stock.reopens = 0, max(stock.reopens, body.end_ns)


def on_trades(venue: Venue, body: Trades) -> None:
    """Trades move reference prices."""
    if venue.bands is not None:
        luld.on_trades(venue.bands, body.symbols, np.frombuffer(body.rows, TRADE))


def on_depths(venue: Venue, body: Depths) -> None:
    """Keep the displayed books that a quote may still meet."""
    rows = np.frombuffer(body.rows, DEPTH)
    for place, symbol in enumerate(body.symbols):
        own = rows[rows["symbol"] == place]
        if own.size:
            table = np.empty((own.size, DEEP_COLUMNS), np.int64)
            table[:, 0] = own["ts"]
            for n, name in enumerate(("bid", "ask", "bid_size", "ask_size")):
                table[:, 1 + n * BOOK_LEVELS : 1 + (n + 1) * BOOK_LEVELS] = own[name]
            kept = np.concatenate([venue.behind(symbol), table])
            kept = kept[np.argsort(kept[:, 0], kind="stable")]
            venue.deep[symbol] = kept[-DEEP_ROWS:]
            _forget(venue, symbol)


def _forget(venue: Venue, symbol: str) -> None:
    """Drop the displayed books that later ones have replaced by the time of the last quote."""
    touch, deep = venue.touch.get(symbol), venue.deep.get(symbol)
    if touch is not None and deep is not None:
        last = int(deep[:, 0].searchsorted(touch.ts_ns, side="right")) - 1
        if last > 0:
            venue.deep[symbol] = deep[last:].copy()


def on_quotes(venue: Venue, body: Quotes) -> Iterator[Body]:
    """A batch of quotes."""
    rows = _newer(venue, np.frombuffer(body.rows, QUOTE))
    by_symbol: dict[str, list[Working]] = {}
    for working in venue.working.values():
        by_symbol.setdefault(working.order.symbol, []).append(working)
    for place, symbol in enumerate(body.symbols):
        own = rows[rows["symbol"] == place]
        if own.size == 0:
            continue
        ts_ns, _, *touch = own[-1].item()
        last = Touch(ts_ns, *touch)
        ours = by_symbol.get(symbol, ())
        if ours or venue.bands is not None or venue.halts:
            shown = _shown(venue, symbol, own)
            yield from _limit_state(venue, symbol, shown)
            yield from _trade(venue, _Market(symbol, shown, ours))
        else:
            venue.traded[symbol] = last
        venue.touch[symbol] = last
        _forget(venue, symbol)
    if rows.size:
        venue.clock_ns = int(rows["ts"][-1])


def _newer(venue: Venue, rows: Rows) -> Rows:
    """The rows that are not older than one before them."""
    ts = rows["ts"]
    keep = ts >= np.maximum(np.maximum.accumulate(ts), venue.clock_ns)
    if keep.all():
        return rows
    venue.totals.stale_quotes += int((~keep).sum())
    return rows[keep]


def _shown(venue: Venue, symbol: str, rows: Rows) -> Shown:
    ts = np.ascontiguousarray(rows["ts"])
    place = venue.bands.place(symbol) if venue.bands is not None else None
    if venue.bands is None or place is None:
        band = (np.full(ts.size, LEAST), np.full(ts.size, MOST))
    else:
        band = luld.at(venue.bands, place, ts)
    sizes = (rows["bid_size"].astype(np.int64), rows["ask_size"].astype(np.int64))
    return Shown(ts, rows["bid"], rows["ask"], *sizes, *band, venue.behind(symbol))


def _limit_state(venue: Venue, symbol: str, shown: Shown) -> Iterator[Body]:
    """Follow the limit state; a pause that follows from it is a halt from now on."""
    place = venue.bands.place(symbol) if venue.bands is not None else None
    if venue.bands is None or place is None:
        return
    market = shown.bid < shown.ask
    spans = venue.spans(symbol)
    if spans:
        market &= _open(shown.ts, spans)
    part = shown if market.all() else shown.part(market)
    if part.ts.size == 0:
        return
    start = luld.on_quotes(venue.bands, place, part.ts, (part.bid, part.ask), (part.lower, part.upper))
    if start is not None:
        until = luld.pause_end(venue.bands, start)
        venue.pauses[symbol] = Pause(until)
        venue.totals.pauses += 1
        yield _halt(venue, symbol, start, until)


def _halt(venue: Venue, symbol: str, start_ns: int, end_ns: int) -> Halt:
    """A pause by limit up - limit down, remembered and told."""
    rule = luld.rule_of(venue.bands).name if venue.bands is not None else ""
    venue.halts.setdefault(symbol, []).append((start_ns, end_ns))
    return Halt("pause", 0, symbol, start_ns, end_ns, rule)


def _open(ts: Ints, spans: Iterable[tuple[int, int]]) -> npt.NDArray[np.bool_]:
    """Which times are in none of the halts."""
    mask = np.ones(ts.size, np.bool_)
    for begin, until in spans:
        mask &= (ts < begin) | (ts >= until)
    return mask


def _trade(venue: Venue, market: _Market) -> Iterator[Body]:
    """Match our orders against the rows outside halts, with an auction where one ends."""
    symbol, shown, orders = market
    yield from _answers(venue, _impatient(venue, market))
    while True:
        spans = venue.spans(symbol)
        part = shown.part(_open(shown.ts, spans)) if spans else shown
        at = _reopening(venue, symbol, part.ts, spans)
        if orders:
            yield from _answers(venue, play(orders, part if at == part.ts.size else part.part(slice(0, at))))
        if at:
            venue.traded[symbol] = _touch(part, at - 1)
        if at == part.ts.size:
            return
        halt, done = _auction(venue, market, part, at)
        yield from _answers(venue, done)
        shown = part.part(slice(at, None))
        if halt is None:
            venue.traded[symbol] = _touch(part, at)  # continuous trading goes on with what is left of this quote
        else:
            yield halt


def _reopening(venue: Venue, symbol: str, ts: Ints, spans: Sequence[tuple[int, int]]) -> int:
    """The first row at which an auction is due: a halt has ended since the row before; else the number of rows."""
    last = venue.traded.get(symbol)
    since = last.ts_ns if last is not None else -1
    return min((int(ts.searchsorted(until)) for _, until in spans if until > since), default=ts.size)


def _touch(shown: Shown, row: int) -> Touch:
    ts, bid, ask, bid_size, ask_size = (int(column[row]) for column in shown[:5])
    return Touch(ts, bid, ask, bid_size, ask_size)


def _impatient(venue: Venue, market: _Market) -> Iterator[Ended]:
    """Orders that trade at once or never, and came in a halt."""
    symbol, shown, orders = market
    spans = venue.spans(symbol)
    for working in orders:
        if not spans or working.order.tif != "ioc" or working.rests is not None:
            continue
        row = int(shown.ts.searchsorted(working.live_ns))
        if row < shown.ts.size and not _open(np.array([working.live_ns, shown.ts[row]]), spans).all():
            yield end(working, "HALTED")


def _auction(venue: Venue, market: _Market, shown: Shown, row: int) -> tuple[Halt | None, list[Match | Ended]]:
    """Reopen at a row.  After a pause by limit up - limit down it may fail on its collars: then the pause goes on."""
    symbol, orders = market.symbol, market.orders
    if not orders or symbol not in venue.instruments:
        return None, []
    before, now = venue.traded.get(symbol), _touch(shown, row)
    reference = (before.bid + before.ask) // 2 if before is not None else (now.bid + now.ask) // 2
    since, paused = before.ts_ns if before is not None else -1, venue.pauses.get(symbol)
    percent = luld.rule_of(venue.bands).collar_percent if venue.bands is not None else 0
    rules = Rules(reference, venue.instruments[symbol].tick)
    if percent and paused is not None and since < paused.end_ns <= now.ts_ns:
        width = reference * percent * (1 + paused.extensions) // 100
        rules = rules._replace(collars=(reference - width, reference + width))
    anywhere = shown._replace(lower=np.full_like(shown.ts, LEAST), upper=np.full_like(shown.ts, MOST))
    found, done = reopen(orders, anywhere, row, rules)
    venue.totals.auctions += found.price is not None and found.resolved
    if found.resolved or venue.bands is None or paused is None:
        return None, done
    start, end_ns = paused.end_ns, luld.pause_end(venue.bands, paused.end_ns)
    paused.end_ns, paused.extensions = end_ns, paused.extensions + 1
    return _halt(venue, symbol, start, end_ns), done


def _answers(venue: Venue, found: Iterable[Match | Ended]) -> Iterator[Body]:
    """What is told of executions and endings."""
    for item in found:
        order = item.working.order
        if isinstance(item, Match):
            yield from _filled(venue, item)
            continue
        del venue.working[order.order_id]
        venue.totals.cancelled += 1
        venue.totals.self_trades += item.code == "SELF_TRADE"
        yield Cancelled(order.order_id, order.symbol, item.left, _ENDINGS[item.code], item.code)


def _filled(venue: Venue, found: Match) -> Iterator[Body]:
    """The fill; and the end of its order, when nothing remains of it."""
    order = found.working.order
    multiplier = venue.instruments[order.symbol].multiplier
    venue.totals.fills += 1
    per_unit = CONFIG.fee_per_contract if multiplier > 1 else CONFIG.fee_per_share
    yield Fill(
        fill_id=f"{order.order_id}/{found.number}",
        order_id=order.order_id,
        strategy=order.strategy,
        symbol=order.symbol,
        side=order.side,
        quantity=found.quantity,
        price=found.price,
        fee=per_unit * found.quantity,
        multiplier=multiplier,
        ts_ns=found.ts_ns,
    )
    if found.last:
        del venue.working[order.order_id]
        venue.totals.filled += 1
        yield Filled(order.order_id, order.symbol)
