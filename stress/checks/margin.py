"""Invariant 7.

Requirement >= 0, and 0 only when flat with no open order; excess may be negative, then a call within one mark.

The requirement is `initial`, for what is held, and `orders`, for what open orders ask beside it.
"""

import itertools

from engines.wire.messages import Envelope, Margin, Positions
from stress.checks.evidence import Evidence, in_replay, replay
from stress.checks.order_margin import check_heard, check_open_orders
from stress.checks.violation import Clause, NotJudged, Violation, broken

_BESIDE = ("order-events", "fills", "sessions")  # what changes a margin beside positions


def check_requirement(evidence: Evidence) -> tuple[Violation, ...]:
    """Requirement >= 0; for what is held, 0 exactly when flat, by the positions that the margin is for.

    A margin that an order or a fill caused is for the positions of the one before it.
    """
    known = {message.id: message for message in evidence.of("positions")}
    behind: dict[int | None, Envelope | None] = {}
    found, blind = [], 0
    for message, margin in _margins(evidence):
        if min(margin.initial, margin.maintenance, margin.orders) < 0:
            words = f"{margin.initial}, {margin.maintenance}, {margin.orders} is below 0"
            found.append(broken(7, "requirement", words, message))
        number = replay(message)
        if message.header.cause.partition("/")[0] not in _BESIDE:
            behind[number] = known.get(message.header.cause)
            blind += behind[number] is None
        cause = behind.get(number)
        if cause is None or not isinstance(cause.body, Positions):
            continue
        held = [row.symbol for row in cause.body.rows if row.quantity]
        if held and not min(margin.initial, margin.maintenance):
            found.append(broken(7, "requirement", f"0 with {', '.join(held)} held", cause, message))
        if not held and max(margin.initial, margin.maintenance) > 0:
            words = f"{margin.initial}, {margin.maintenance} with nothing held"
            found.append(broken(7, "requirement", words, cause, message))
    if blind and not found:
        raise NotJudged(f"{blind} margins name positions that are gone")
    return evidence.concluded(found, "margin")


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


CLAUSES = (
    Clause(7, "requirement >= 0, and 0 only when flat", check_requirement, ("margin",)),
    Clause(7, "requirement 0 only with no open order", check_open_orders, ("margin",)),
    Clause(7, "every accepted order causes a margin", check_heard, ("order-events",)),
    Clause(7, "excess may be negative, then a call within one mark", check_call, ("margin",)),
)
