"""Invariant 7.

Requirement >= 0, and 0 only when flat with no open order; excess may be negative, then a call within one mark.
"""

import itertools

from engines.wire.messages import Envelope, Margin, Positions
from stress.checks.evidence import Evidence, in_replay, replay
from stress.checks.lives import Life, lives
from stress.checks.violation import Clause, NotJudged, Violation, broken


def check_requirement(evidence: Evidence) -> tuple[Violation, ...]:
    """Requirement >= 0, and 0 only when flat."""
    known = {message.id: message for message in evidence.of("positions")}
    found, blind = [], 0
    for message, margin in _margins(evidence):
        if min(margin.initial, margin.maintenance) < 0:
            found.append(broken(7, "requirement", f"{margin.initial}, {margin.maintenance} is below 0", message))
        cause = known.get(message.header.cause)
        if cause is None:
            blind += 1
            continue
        held = [r.symbol for r in cause.body.rows if r.quantity] if isinstance(cause.body, Positions) else []
        if held and not min(margin.initial, margin.maintenance):
            found.append(broken(7, "requirement", f"0 with {', '.join(held)} held", cause, message))
    if blind and not found:
        raise NotJudged(f"{blind} margins name positions that are gone")
    return evidence.concluded(found, "margin")


def check_open_orders(evidence: Evidence) -> tuple[Violation, ...]:
    """Requirement 0 only with no open order: none that was accepted before its market time and ended after it."""
    orders = [life for life in lives(evidence).values() if life.accepted is not None]
    found = []
    for message, margin in _margins(evidence):
        if min(margin.initial, margin.maintenance) > 0:
            continue
        waiting = [life for life in orders if _open_at(life, message)]
        if waiting:
            shown = [life.accepted for life in waiting[:3] if life.accepted is not None]
            found.append(broken(7, "requirement", f"0 with {len(waiting)} orders open", *shown, message))
    return evidence.concluded(found, "margin", "order-events")


def check_call(evidence: Evidence) -> tuple[Violation, ...]:
    """Excess may be negative, then a call within one mark: in this margin or in the next."""
    found = []
    for number in evidence.replays():
        told = [(m, m.body) for m in in_replay(evidence.of("margin"), number) if isinstance(m.body, Margin)]
        for (message, margin), (later, following) in itertools.pairwise(told):
            if margin.excess < 0 and margin.call <= 0 and following.excess < 0 and following.call <= 0:
                words = f"excess {margin.excess} and no call, nor with the next mark"
                found.append(broken(7, "call", words, message, later))
    _margins(evidence)
    return evidence.concluded(found, "margin")


def _margins(evidence: Evidence) -> list[tuple[Envelope, Margin]]:
    found = list(evidence.bodies("margin", Margin))
    if not found:
        raise NotJudged("no margin was told")
    return found


def _open_at(life: Life, margin: Envelope) -> bool:
    accepted, end = life.accepted, life.end
    at = margin.header.ts_event
    if accepted is None or replay(accepted) != replay(margin) or accepted.header.ts_event >= at:
        return False
    return end is None or end.header.ts_event > at


CLAUSES = (
    Clause(7, "requirement >= 0, and 0 only when flat", check_requirement, ("margin",)),
    Clause(7, "requirement 0 only with no open order", check_open_orders, ("margin",)),
    Clause(7, "excess may be negative, then a call within one mark", check_call, ("margin",)),
)
