"""Invariant 2.

Fill at or better than the limit, on the tick, `ts_event` >= arrival + latency; price-time priority; no self-trade.

A fill's own market time is `Fill.ts_ns`: that of the quote which it traded against, or the time at which its order met
a quote that still stood.
"""

from collections import defaultdict
from itertools import combinations, product

import numpy as np

from engines.wire.messages import Envelope, Fill, Halt, Order, Quotes, Replaced, Session
from engines.wire.ticks import QUOTE
from stress.checks.evidence import Evidence, replay
from stress.checks.lives import Life, after, lives
from stress.checks.violation import Clause, NotJudged, Violation, broken

ANY = 1 << 62  # what a market order would pay
_TOPICS = ("orders", "order-events", "fills")


def check_limit(evidence: Evidence) -> tuple[Violation, ...]:
    """Fill at or better than the limit."""
    found = []
    for life, message, fill in _fills(evidence):
        limits = _in_force(life, message)
        if limits and all(limit is not None and (fill.price - limit) * fill.side > 0 for limit in limits):
            words = f"filled at {fill.price}, its limit was {limits[-1]}"
            found.append(broken(2, fill.order_id, words, *life.asked[:1], message, at_ns=fill.ts_ns))
    return evidence.concluded(found, *_TOPICS)


def check_tick(evidence: Evidence) -> tuple[Violation, ...]:
    """Fill on the tick."""
    ticks: dict[tuple[int | None, str], int] = {}
    for message, session in evidence.bodies("sessions", Session):
        ticks |= {(replay(message), s): t for s, t in zip(session.symbols, session.tick_sizes, strict=False)}
    found, unknown = [], set()
    for _, message, fill in _fills(evidence):
        tick = ticks.get((replay(message), fill.symbol))
        if not tick:
            unknown.add(fill.symbol)
        elif fill.price % tick:
            words = f"filled at {fill.price}, the tick is {tick}"
            found.append(broken(2, fill.order_id, words, message, at_ns=fill.ts_ns))
    if unknown and not found:
        raise NotJudged(f"no session tells the tick of {', '.join(sorted(unknown))}")
    return evidence.concluded(found, *_TOPICS)


def check_arrival(evidence: Evidence) -> tuple[Violation, ...]:
    """Fill `ts_event` >= arrival + latency."""
    found, way = [], evidence.way_ns()
    for life, message, fill in _fills(evidence):
        accepted = life.accepted
        least = (accepted.header.ts_event if accepted is not None else 0) + (way[0] if way else 0)
        if accepted is not None and fill.ts_ns < least:
            words = f"filled {(least - fill.ts_ns) / 1e6:.3f} ms before it could be there"
            found.append(broken(2, fill.order_id, words, accepted, message, at_ns=fill.ts_ns))
    if way is None and not found:
        raise NotJudged("no session tells the venue's latency; no fill is older than its order")
    return evidence.concluded(found, *_TOPICS)


def check_priority(evidence: Evidence) -> tuple[Violation, ...]:
    """Price-time priority: who surely stood before another, at a price as good, is not passed over."""
    sides: dict[tuple[str, int, int | None], list[Life]] = defaultdict(list)
    for life in lives(evidence).values():
        if life.order is not None and life.accepted is not None and not _changed(life):
            sides[life.order.symbol, life.order.side, replay(life.accepted)].append(life)
    found, way = [], evidence.way_ns()
    for side in sides.values():
        for one, other in combinations(side, 2):
            found += [*_passed(way, one, other), *_passed(way, other, one)] if way is not None else []
    if not found and way is None:
        raise NotJudged("when an order reaches the book is in no message, and no session tells how long it may take")
    if not found and not any(life.fills for side in sides.values() for life in side):
        raise NotJudged("there was no fill")
    return evidence.concluded(found, *_TOPICS)


def check_self_trade(evidence: Evidence) -> tuple[Violation, ...]:
    """No self-trade: outside auctions no buy and sell of ours at one symbol, price and instant."""
    sides: dict[tuple[str, int, int, int | None], dict[int, list[Envelope]]] = {}
    for _, message, fill in _fills(evidence):
        key = (fill.symbol, fill.price, fill.ts_ns, replay(message))
        sides.setdefault(key, {1: [], -1: []})[fill.side].append(message)
    found, auctions = [], 0
    for (symbol, price, ts_ns, number), pair in sides.items():
        if not (pair[1] and pair[-1]):
            continue
        if _reopens(evidence, symbol, ts_ns, number):
            auctions += 1
            continue
        words = f"bought and sold at {price} in one instant"
        found += [broken(2, symbol, words, buy, sell, at_ns=ts_ns) for buy, sell in product(pair[1], pair[-1])]
    if auctions and not found:
        raise NotJudged(f"a fill does not name its counterparty: {auctions} auctions filled both sides at one price")
    return evidence.concluded(found, *_TOPICS)


def _fills(evidence: Evidence) -> list[tuple[Life, Envelope, Fill]]:
    known = lives(evidence)
    found = [(known[fill.order_id], message, fill) for message, fill in evidence.bodies("fills", Fill)]
    if not found:
        evidence.whole(*_TOPICS)
        raise NotJudged("there was no fill")
    return found


def _changed(life: Life) -> bool:
    return any(isinstance(state.body, Replaced) for state in life.states)


def _in_force(life: Life, fill: Envelope) -> list[int | None]:
    """The limits that may have been in force when the fill was made: several where the messages leave it open."""
    if life.order is None:
        return []
    limits = [life.order.limit]
    for state in life.states:
        if isinstance(state.body, Replaced) and not after(state, fill):
            limits = [state.body.limit] if after(fill, state) else [*limits, state.body.limit]
    return limits


def _aggression(order: Order) -> int:
    """Higher trades first."""
    return ANY if order.limit is None else order.limit * order.side


def _passed(way: tuple[int, int], one: Life, other: Life) -> list[Violation]:
    """Fills of `other` at a time when `one` stood before it at a price as good, and still had something left after."""
    assert one.order and other.order and one.accepted and other.accepted  # noqa: S101 - the caller chose such lives
    least, most = way
    earlier = one.accepted.header.ts_event + most < other.accepted.header.ts_event + least
    as_good = _aggression(one.order) >= _aggression(other.order)
    surely = one.accepted.header.ts_event + most
    if not (earlier and as_good):
        return []
    found = []
    for message in other.fills:
        fill = message.body
        if not isinstance(fill, Fill) or fill.ts_ns < surely or not _open_at(one, message, fill.ts_ns):
            continue
        words = f"{fill.order_id} was filled at {fill.price} before it"
        found.append(broken(2, one.order.order_id, words, one.accepted, message, at_ns=fill.ts_ns))
    return found


def _open_at(life: Life, other: Envelope, ts_ns: int) -> bool:
    """Whether the order still had something left behind a fill of another one at `ts_ns`, and was not ended by then.

    An end whose time does not surely lie behind that fill counts as an end before it.
    """
    by_then = sum(f.body.quantity for f in life.fills if isinstance(f.body, Fill) and f.body.ts_ns <= ts_ns)
    end = life.end
    return by_then < life.quantity and (end is None or (after(end, other) and end.header.ts_event > ts_ns))


def _reopens(evidence: Evidence, symbol: str, ts_ns: int, number: int | None) -> bool:
    """Whether a halt of the symbol ended with no quote of it in between: then this instant may be the auction."""
    ends = [h.end_ns for m, h in evidence.bodies("halts", Halt) if h.symbol in (symbol, "*") and replay(m) == number]
    last = max((end for end in ends if end <= ts_ns), default=None)
    if last is None:
        return False
    for message, body in evidence.bodies("quotes", Quotes):
        if replay(message) == number and symbol in body.symbols:
            rows = np.frombuffer(body.rows, QUOTE)
            own = rows["ts"][rows["symbol"] == body.symbols.index(symbol)]
            if ((own >= last) & (own < ts_ns)).any():
                return False
    return True


CLAUSES = (
    Clause(2, "fill at or better than the limit", check_limit, ("fills",)),
    Clause(2, "fill on the tick", check_tick, ("fills",)),
    Clause(2, "fill ts_event >= arrival + latency", check_arrival, ("fills",)),
    Clause(2, "price-time priority", check_priority, ("fills",)),
    Clause(2, "no self-trade", check_self_trade, ("fills",)),
)
