"""Invariant 6.

No accepted order could breach a limit (position + open orders, worst case, at the check's marks); passive breaches
alert within one tick.

Limits are settings of the risk engine, which no message tells: `Evidence.limits`.  Positions and open orders are taken
as low as the messages leave it open (a fill, an end that may have come before the check did), so that what is found was
a breach whatever risk had read by then.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from engines.wire.messages import (
    Accepted,
    Cancelled,
    Envelope,
    Fill,
    Order,
    Positions,
    Rejected,
    Replaced,
    RiskAlert,
    Session,
    Trades,
)
from engines.wire.ticks import TRADE
from stress.checks.evidence import Evidence, Limits, in_replay, replay
from stress.checks.violation import Clause, NotJudged, Violation, broken

_TOPICS = ("order-events", "fills")
_Fills = list[tuple[Envelope, Fill]]
_Side = tuple[str, int]  # symbol and side


def check_quantities(evidence: Evidence) -> tuple[Violation, ...]:
    """No accepted order could breach a limit of quantity or of open orders, in the worst case."""
    limits = _limits(evidence)
    found, judged = [], 0
    for case in _accepted(evidence):
        judged += 1
        future = case.multiplier > 1
        for words, value, most in (
            ("in one order", case.order.quantity, limits.order_contracts if future else limits.order_shares),
            ("could be held", _worst(case), limits.position_contracts if future else limits.position_shares),
            ("orders open", _open(case) + 1, limits.open_orders),
        ):
            if value > most:
                found.append(broken(6, case.order.order_id, f"{value} {words}, {most} allowed", case.message))
    if not found and not judged:
        raise NotJudged("no order was accepted")
    return evidence.concluded(found, *_TOPICS)


def check_money(evidence: Evidence) -> tuple[Violation, ...]:
    """No accepted order could breach a limit of money at the check's marks, in the worst case.

    An order that can only shrink a holding is not held up by what is held already.
    """
    limits = _limits(evidence)
    found, judged, unmarked = [], 0, 0
    for case in _accepted(evidence):
        judged += 1
        order, mark = case.order, case.marks.get(case.order.symbol, 0)
        gross = _gross(case)
        if mark <= 0 or gross is None:
            unmarked += 1
            continue
        price = max(mark, order.limit or 0) * case.multiplier
        beyond = order.side * (order.limit - mark) * 100 if order.limit is not None else 0
        worst = _worst(case) * price
        for words, value, most in (
            ("of money in one order", order.quantity * price, limits.order_notional),
            ("of money could be held", worst, limits.position_notional),
            ("of money could be held in all", gross + worst if worst else 0, limits.gross_notional),
            ("hundredths beyond the mark", beyond, limits.collar_percent * mark),
        ):
            if value > most:
                found.append(broken(6, order.order_id, f"{value} {words}, {most} allowed", case.message))
    if not found and unmarked:
        raise NotJudged(f"{unmarked} accepted orders do not tell all marks of their check")
    if not found and not judged:
        raise NotJudged("no order was accepted")
    return evidence.concluded(found, *_TOPICS)


def check_passive(evidence: Evidence) -> tuple[Violation, ...]:
    """Passive breaches alert within one tick: by the first trades of the symbol after it."""
    limits = _limits(evidence)
    found, judged = [], 0
    for number in evidence.replays():
        alerts = [(m, m.body) for m in in_replay(evidence.of("risk-alerts"), number) if isinstance(m.body, RiskAlert)]
        over: set[str] = set()
        for message in in_replay(evidence.of("positions"), number):
            if not isinstance(message.body, Positions):
                continue
            judged += 1
            now = {
                row.symbol for row in message.body.rows
                if abs(row.quantity) * row.mark * row.multiplier > limits.position_notional
            }  # fmt: skip
            for symbol in sorted(now - over):
                until = _next_tick(evidence, number, symbol, message.header.ts_event)
                told = [m for m, a in alerts if a.kind == "position-limit" and a.symbol == symbol]
                if until is not None and not any(m.header.ts_event <= until for m in told):
                    found.append(broken(6, symbol, "above its limit of money, and no alert by the next tick", message))
            over = now
    if not found and not judged:
        raise NotJudged("no positions were told")
    return evidence.concluded(found, "risk-alerts", "positions", "trades")


def _limits(evidence: Evidence) -> Limits:
    if evidence.limits is None:
        raise NotJudged("risk's limits are in no message, and were not asked for")
    return evidence.limits


@dataclass
class _Replay:
    """What the messages tell of a replay so far: open orders by side, and fills by order and by symbol."""

    multipliers: dict[str, int] = field(default_factory=dict)
    working: dict[_Side, dict[str, Order]] = field(default_factory=lambda: defaultdict(dict))
    fills: dict[str, _Fills] = field(default_factory=lambda: defaultdict(list))
    symbols: dict[str, _Fills] = field(default_factory=lambda: defaultdict(list))

    def drop(self, order_id: str) -> None:
        """An order is none of the open ones any more."""
        for orders in self.working.values():
            orders.pop(order_id, None)


class _Case(NamedTuple):
    """An accepted order, the marks of its check, and what else is known of its replay by then."""

    message: Envelope
    order: Order
    marks: dict[str, int]
    known: _Replay

    @property
    def multiplier(self) -> int:
        """Of the order's symbol."""
        return self.known.multipliers.get(self.order.symbol, 1)


def _accepted(evidence: Evidence) -> Iterator[_Case]:
    """Accepted orders in the order in which risk let them through."""
    replays: dict[int | None, _Replay] = defaultdict(_Replay)
    for message, session in evidence.bodies("sessions", Session):
        replays[replay(message)].multipliers |= dict(zip(session.symbols, session.multipliers, strict=False))
    for message, fill in evidence.bodies("fills", Fill):
        known = replays[replay(message)]
        known.fills[fill.order_id].append((message, fill))
        known.symbols[fill.symbol].append((message, fill))
    for message in evidence.of("order-events"):
        known, body = replays[replay(message)], message.body
        if isinstance(body, Cancelled | Rejected | Replaced):
            known.drop(body.order_id)  # one that was changed is left out, as the least
        if isinstance(body, Accepted):
            yield _Case(message, body.order, body.marks, known)
            known.working[body.order.symbol, body.order.side][body.order.order_id] = body.order


def _worst(case: _Case) -> int:
    """The least that the order's side could have reached with it, if all open orders of that side filled."""
    return max(0, _reach(case, case.order.symbol, case.order.side) + case.order.quantity)


def _gross(case: _Case) -> int | None:
    """The least money, at the check's marks, that all other symbols could have reached; None where a mark lacks."""
    total = 0
    for symbol in {symbol for symbol, _ in case.known.working} | case.known.symbols.keys():
        most = max(0, _reach(case, symbol, 1), _reach(case, symbol, -1))
        if symbol == case.order.symbol or not most:
            continue
        if symbol not in case.marks:
            return None
        total += most * case.marks[symbol] * case.known.multipliers.get(symbol, 1)
    return total


def _reach(case: _Case, symbol: str, side: int) -> int:
    """The least that one side of a symbol could have come to hold, if all its open orders filled; signed.

    A fill of that side only moves from open to held; one of the other side lowers what is held, if it was sent by then.
    """
    at, known = case.message.header.mono_sent, case.known
    held = sum(
        f.side * side * f.quantity for m, f in known.symbols.get(symbol, ())
        if m.header.mono_sent < at or (f.side != side and m.header.mono_sent == at)
    )  # fmt: skip
    working = known.working.get((symbol, side), {})
    return held + sum(order.quantity - _filled(known, name, at) for name, order in working.items())


def _open(case: _Case) -> int:
    """Orders that were surely open: what may have filled by then has."""
    at, known = case.message.header.mono_sent + 1, case.known
    orders = (item for side in known.working.values() for item in side.items())
    return sum(_filled(known, name, at) < order.quantity for name, order in orders)


def _filled(known: _Replay, order_id: str, before: int) -> int:
    return sum(fill.quantity for m, fill in known.fills.get(order_id, ()) if m.header.mono_sent < before)


def _next_tick(evidence: Evidence, number: int, symbol: str, ts_ns: int) -> int | None:
    """Market time of the first batch later on with a trade of the symbol; None when there is none."""
    for message in in_replay(evidence.of("trades"), number):
        body = message.body
        if isinstance(body, Trades) and symbol in body.symbols and message.header.ts_event > ts_ns:
            rows = np.frombuffer(body.rows, TRADE)
            if (rows["symbol"] == body.symbols.index(symbol)).any():
                return message.header.ts_event
    return None


CLAUSES = (
    Clause(6, "no accepted order could breach a limit of quantity", check_quantities, ("order-events",)),
    Clause(6, "no accepted order could breach a limit of money at the check's marks", check_money, ("order-events",)),
    Clause(6, "passive breaches alert within one tick", check_passive, ("positions",)),
)
