"""Invariant 6.

No accepted order could breach a limit (position + open orders, worst case, at the check's marks); passive breaches
alert within one tick.

Limits are settings of the risk engine, which no message tells: `Evidence.limits`.  Positions and open orders are taken
as low as the messages leave it open (a fill, an end that may have come before the check did), so that what is found was
a breach whatever risk had read by then.
"""

from collections import defaultdict

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


def check_quantities(evidence: Evidence) -> tuple[Violation, ...]:
    """No accepted order could breach a limit of quantity or of open orders, in the worst case."""
    limits = _limits(evidence)
    futures = _futures(evidence)
    fills = list(evidence.bodies("fills", Fill))
    found, judged = [], 0
    working: dict[int | None, dict[str, Order]] = defaultdict(dict)
    for message in evidence.of("order-events"):
        number, body = replay(message), message.body
        if isinstance(body, Cancelled | Rejected | Replaced):
            working[number].pop(body.order_id, None)  # one that was changed is left out, as the least
        if not isinstance(body, Accepted):
            continue
        judged += 1
        order, known = body.order, [(m, fill) for m, fill in fills if replay(m) == number]
        future = order.symbol in futures.get(number, frozenset())
        for words, value, most in (
            ("in one order", order.quantity, limits.order_contracts if future else limits.order_shares),
            ("could be held", _worst(working[number], known, message, order),
             limits.position_contracts if future else limits.position_shares),
            ("orders open", _open(working[number], known, message) + 1, limits.open_orders),
        ):  # fmt: skip
            if value > most:
                found.append(broken(6, order.order_id, f"{value} {words}, {most} allowed", message))
        working[number][order.order_id] = order
    if not found and not judged:
        raise NotJudged("no order was accepted")
    return evidence.concluded(found, *_TOPICS)


def check_money(evidence: Evidence) -> tuple[Violation, ...]:
    """No accepted order could breach a limit of money at the check's marks."""
    evidence.of("order-events")
    raise NotJudged("an accepted order does not carry the marks of its check")


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


def _futures(evidence: Evidence) -> dict[int | None, frozenset[str]]:
    """Symbols whose multiplier exceeds 1, by replay."""
    found: dict[int | None, frozenset[str]] = {}
    for message, session in evidence.bodies("sessions", Session):
        pairs = zip(session.symbols, session.multipliers, strict=False)
        found[replay(message)] = frozenset(symbol for symbol, multiplier in pairs if multiplier > 1)
    return found


def _worst(working: dict[str, Order], fills: _Fills, accepted: Envelope, order: Order) -> int:
    """The least that the order's side could have reached with it, if all open orders of that side filled.

    A fill of that side only moves from open to held; one of the other side lowers what is held, if it was sent by then.
    """
    at = accepted.header.mono_sent
    held = sum(
        f.side * order.side * f.quantity for m, f in fills
        if f.symbol == order.symbol and (m.header.mono_sent < at or (f.side != order.side and m.header.mono_sent == at))
    )  # fmt: skip
    alike = {name: other for name, other in working.items() if (other.symbol, other.side) == (order.symbol, order.side)}
    pending = sum(other.quantity - _filled(name, fills, at) for name, other in alike.items())
    return max(0, held + pending + order.quantity)


def _open(working: dict[str, Order], fills: _Fills, accepted: Envelope) -> int:
    """Orders that were surely open: what may have filled by then has."""
    at = accepted.header.mono_sent + 1
    return sum(_filled(name, fills, at) < order.quantity for name, order in working.items())


def _filled(order_id: str, fills: _Fills, before: int) -> int:
    return sum(fill.quantity for m, fill in fills if fill.order_id == order_id and m.header.mono_sent < before)


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
    Clause(6, "no accepted order could breach a limit of quantity", check_quantities),
    Clause(6, "no accepted order could breach a limit of money at the check's marks", check_money),
    Clause(6, "passive breaches alert within one tick", check_passive),
)
