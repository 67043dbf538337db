"""The market's side of the venue: quotes, displayed books, trades and halts, and what they do to our orders.

Rows inside a halt match nothing; the first quote after one is a reopening auction.  Pauses by limit up - limit down
begin here, since only the venue sees quotes at the bands; they are told as halts.

Market time is the last quote's, whatever its symbol.  When it passes the time at which an order becomes live, and its
symbol has no quote of that time, the order meets an echo: the quote that stands then, with what is left of it.  Rows
before the clock are all known then, so how rows are cut into batches changes nothing.  No echo shows a quote that is
crossed, or behind which a halt lies, or may lie that is only told later; nor does one reopen a symbol.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engines.marketdata import luld
from engines.marketdata.auction import LEAST, MOST
from engines.marketdata.book import ASK_LEFT, BID_LEFT, DEEP_COLUMNS, SINCE, Ended, Match, Shown, Working, end, play
from engines.marketdata.reopening import Rules, reopen
from engines.marketdata.venue_state import CONFIG, EVERYTHING, Pause, Touch, Venue
from engines.wire.messages import Body, Cancelled, Depths, Fill, Filled, Halt, Quotes, Trades
from engines.wire.session import NS
from engines.wire.ticks import BOOK_LEVELS, DEPTH, QUOTE, TRADE, Rows

Ints = npt.NDArray[np.int64]
Span = tuple[int, int]  # [start, end) in market nanoseconds
_NEVER = 1 << 62
DEEP_ROWS = 256  # displayed books that may be ahead of a symbol's quotes
_ENDINGS = {
    "IOC": "it could not trade at once",
    "SELF_TRADE": "it would have met an order of ours",
    "HALTED": "it could not trade at once: trading is halted",
}


class _Market(NamedTuple):
    """A symbol's part of a batch.  `shown`: its quotes; `passed`: the market time that the batch brings."""

    symbol: str
    shown: Shown
    orders: Sequence[Working]
    passed: Span


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
    if rows.size == 0:
        return
    passed = (venue.clock_ns, int(rows["ts"][-1]))
    by_symbol: dict[str, list[Working]] = {}
    for working in venue.working.values():
        by_symbol.setdefault(working.order.symbol, []).append(working)
    for place, symbol in enumerate(body.symbols):
        own = rows[rows["symbol"] == place]
        if own.size == 0:
            continue
        ts_ns, _, *touch = own[-1].item()
        last = Touch(ts_ns, *touch)
        ours = by_symbol.pop(symbol, ())
        if ours or venue.bands is not None or venue.halts:
            yield from _trade(venue, _Market(symbol, _shown(venue, symbol, own), ours, passed))
        else:
            venue.traded[symbol] = last
        venue.touch[symbol] = last
        _forget(venue, symbol)
    for symbol, ours in by_symbol.items():  # no quote of theirs came
        if _turned_live(ours, passed):
            yield from _trade(venue, _Market(symbol, _shown(venue, symbol, rows[:0]), ours, passed))
    venue.clock_ns = passed[1]


def _turned_live(orders: Sequence[Working], passed: Span) -> set[int]:
    """When orders become live that are not on the book, in the market time that has passed."""
    before, now = passed
    return {w.live_ns for w in orders if w.rests is None and before <= w.live_ns < now}


def _newer(venue: Venue, rows: Rows) -> Rows:
    """The rows that are not older than one before them."""
    ts = rows["ts"]
    keep = ts >= np.maximum(np.maximum.accumulate(ts), venue.clock_ns)
    if keep.all():
        return rows
    venue.totals.stale_quotes += int((~keep).sum())
    return rows[keep]


def _shown(venue: Venue, symbol: str, rows: Rows) -> Shown:
    """The quotes of a batch; the first row of `left` is the quote that stood before them."""
    ts = np.ascontiguousarray(rows["ts"])
    before = venue.traded.get(symbol)
    left = np.empty((ts.size + 1, 3), np.int64)
    left[0] = (before.ts_ns, before.bid_size, before.ask_size) if before is not None else (-1, 0, 0)
    left[1:, SINCE], left[1:, BID_LEFT], left[1:, ASK_LEFT] = ts, rows["bid_size"], rows["ask_size"]
    quote = np.arange(1, ts.size + 1)
    return Shown(ts, rows["bid"], rows["ask"], quote, *_band(venue, symbol, ts), left, venue.behind(symbol))


def _band(venue: Venue, symbol: str, ts: Ints) -> tuple[Ints, Ints]:
    place = venue.bands.place(symbol) if venue.bands is not None else None
    if venue.bands is None or place is None or ts.size == 0:
        return np.full(ts.size, LEAST), np.full(ts.size, MOST)
    return luld.at(venue.bands, place, ts)


def _with_echoes(venue: Venue, market: _Market) -> Shown:
    """The quotes, and an echo where an order becomes live between two of them and may trade."""
    symbol, shown, orders, passed = market
    live, stood = _turned_live(orders, passed), venue.traded.get(symbol)
    if not live:
        return shown
    ts = np.array(sorted(live.difference(shown.ts.tolist())), np.int64)
    at = shown.ts.searchsorted(ts)
    bid, ask = (0, 0) if stood is None else (stood.bid, stood.ask)
    bids, asks = np.concatenate([[bid], shown.bid])[at], np.concatenate([[ask], shown.ask])[at]
    echoes = Shown(ts, bids, asks, at, *_band(venue, symbol, ts), shown.left, shown.deep)
    echoes = echoes.part((bids < asks) & _open(echoes, [*venue.spans(symbol), *_doubtful(venue, symbol)]))
    order = np.concatenate([shown.ts, echoes.ts]).argsort(kind="stable")
    columns = zip(shown[:-2], echoes[:-2], strict=True)
    return Shown._make([*(np.concatenate(pair)[order] for pair in columns), shown.left, shown.deep])


def _doubtful(venue: Venue, symbol: str) -> list[Span]:
    """Where a halt may lie that is only told later: a recorded pause, and a limit state that has lasted long enough."""
    found = list(venue.recorded.get(symbol, ()))
    place = venue.bands.place(symbol) if venue.bands is not None else None
    if venue.bands is not None and place is not None and venue.bands.stocks[place].limit:
        patience = luld.rule_of(venue.bands).limit_state_s * NS
        found.append((venue.bands.stocks[place].limit_ns + patience, _NEVER))
    return found


def _limit_state(venue: Venue, symbol: str, shown: Shown) -> Iterator[Body]:
    """Follow the limit state; a pause that follows from it is a halt from now on."""
    place = venue.bands.place(symbol) if venue.bands is not None else None
    if venue.bands is None or place is None:
        return
    market = shown.bid < shown.ask
    spans = venue.spans(symbol)
    if spans:
        market &= _open(shown, spans)
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


def _open(shown: Shown, spans: Iterable[Span]) -> npt.NDArray[np.bool_]:
    """Which rows are in none of the halts, and of echoes behind none since their quote."""
    mask, since = np.ones(shown.ts.size, np.bool_), shown.since
    for begin, until in spans:
        mask &= (shown.ts < begin) | (since >= until)
    return mask


def _trade(venue: Venue, market: _Market) -> Iterator[Body]:
    """Match our orders against the rows outside halts, with an auction where one ends."""
    symbol, shown, orders, _ = market
    yield from _limit_state(venue, symbol, shown)
    shown = _with_echoes(venue, market)
    while True:
        spans = venue.spans(symbol)
        part = shown.part(_open(shown, spans)) if spans else shown
        at = _reopening(venue, symbol, part.ts, spans)
        if orders:
            yield from _answers(venue, play(orders, part if at == part.ts.size else part.part(slice(0, at))))
        if at:
            venue.traded[symbol] = _touch(part, at - 1)
        if at == part.ts.size:
            break
        halt, done = _auction(venue, market, part, at)
        yield from _answers(venue, done)
        shown = part.part(slice(at, None))
        if halt is None:
            venue.traded[symbol] = _touch(part, at)  # continuous trading goes on with what is left of this quote
        else:
            yield halt
    yield from _answers(venue, _impatient(venue, market))


def _reopening(venue: Venue, symbol: str, ts: Ints, spans: Sequence[Span]) -> int:
    """The first row at which an auction is due: a halt has ended since the row before; else the number of rows."""
    last = venue.traded.get(symbol)
    since = last.ts_ns if last is not None else -1
    return min((int(ts.searchsorted(until)) for _, until in spans if until > since), default=ts.size)


def _touch(shown: Shown, row: int) -> Touch:
    """The quote of a row, with what is left of it."""
    ts, bid_size, ask_size = shown.left[shown.quote[row]].tolist()
    return Touch(ts, int(shown.bid[row]), int(shown.ask[row]), bid_size, ask_size)


def _impatient(venue: Venue, market: _Market) -> Iterator[Ended]:
    """Orders that trade at once or never, and met nothing at their time: there was a halt, or no market."""
    symbol, shown, orders, (_, now) = market
    stood = venue.touch.get(symbol)
    for working in orders:
        live_ns = working.live_ns
        if working.remaining == 0 or working.order.tif != "ioc" or live_ns >= now:
            continue
        at = int(shown.ts.searchsorted(live_ns, side="right"))
        since = int(shown.ts[at - 1]) if at else stood.ts_ns if stood is not None else live_ns
        spans = [*venue.spans(symbol), *_doubtful(venue, symbol)]
        halted = any(begin <= live_ns and until > since for begin, until in spans)
        yield end(working, "HALTED" if halted else "IOC")


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
