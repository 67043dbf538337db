"""What leaves the venue, and when: a fault of the scenario may tell fills late.

What is told of one order stays in its order: behind a fill that is kept back, everything else about it waits too.
"""

from collections.abc import Iterable

from engines.marketdata.venue_state import EVERYTHING, Held, Told, Venue
from engines.wire.messages import Body, Fill
from engines.wire.session import NS


def tell(venue: Venue, bodies: Iterable[Body]) -> list[Body]:
    """Those that leave now; the others are kept back.  A closed session keeps nothing."""
    if venue.closed or not (venue.held or any(fault.kind == "late-fills" for fault in venue.faults)):
        return list(bodies)
    out: list[Body] = []
    for body in bodies:
        due = _due(venue, body) if isinstance(body, Told) else None
        if due is None or not isinstance(body, Told):
            out.append(body)
        else:
            venue.held.append(Held(due, body))
    return out


def release(venue: Venue, now_ns: int | None) -> list[Body]:
    """What was kept back and is due; with None, all of it."""
    if not venue.held:
        return []
    due = [item for item in venue.held if now_ns is None or item.due_ns <= now_ns]
    venue.held = [item for item in venue.held if now_ns is not None and item.due_ns > now_ns]
    return [item.body for item in due]


def _due(venue: Venue, body: Told) -> int | None:
    """When a message may be told, None for now."""
    behind = [item.due_ns for item in venue.held if item.body.order_id == body.order_id]
    own = [
        body.ts_ns + round(fault.amount * NS)
        for fault in venue.faults
        if isinstance(body, Fill) and fault.kind == "late-fills" and fault.symbol in (EVERYTHING, body.symbol)
        and fault.start_ns <= body.ts_ns < fault.end_ns
    ]  # fmt: skip
    return max([*behind, *own], default=None)
