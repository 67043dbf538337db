"""Invariant 7, its part on orders: requirement 0 only with no open order.

Which messages collateral had taken when it told a margin is judged by causes, never by market time.  Its margins stand
in the order in which it worked: one that entry n of a topic caused was told after all entries up to n were taken, and
none behind n was by then; nor was any that was sent after the margin.  What lies between may have been taken or not,
and is read in the engine's favour.  An order keeps its margin until it is cancelled or positions tell of its fills.
"""

from collections import deque
from dataclasses import dataclass

from engines.wire.bus import parse_id
from engines.wire.messages import Accepted, Cancelled, Envelope, Fill, Margin, Order, Rejected, Replaced, Session
from stress.checks.evidence import Evidence, replay
from stress.checks.lives import Life, lives
from stress.checks.violation import NotJudged, Violation, broken

_TOPICS = ("order-events", "fills", "positions")
_Place = tuple[int, int]


@dataclass(frozen=True)
class _Order:
    """An order of a replay, as risk accepted it, and its life."""

    message: Envelope
    replay: int
    order: Order
    life: Life


@dataclass(frozen=True)
class _Told:
    """A margin, and how far collateral had read: at least up to `least`, and nothing from `most` on, by topic."""

    message: Envelope
    margin: Margin
    least: dict[str, _Place]
    most: dict[str, _Place]

    def surely(self, message: Envelope) -> bool:
        """Whether a message was taken for sure."""
        return parse_id(message.entry_id) <= self.least.get(message.topic, (-1, -1))

    def maybe(self, message: Envelope) -> bool:
        """Whether a message may have been taken."""
        most = self.most.get(message.topic)
        early = most is None or parse_id(message.entry_id) < most
        return early and message.header.mono_sent <= self.message.header.mono_sent


def check_open_orders(evidence: Evidence) -> tuple[Violation, ...]:
    """Requirement 0 only with no open order: none that collateral had surely taken, and surely not seen settled."""
    booked, found, known = _booked(evidence), [], list[_Order]()
    waiting = deque(_accepted(evidence))
    for told in _told(evidence):
        while waiting and told.surely(waiting[0].message):
            known.append(waiting.popleft())
        if told.margin.initial + told.margin.orders > 0:
            continue
        known = [order for order in known if _left(order, told, booked) > 0]  # that only ever shrinks
        own = [order.message for order in known if order.replay == replay(told.message)]
        if own:
            found.append(broken(7, "requirement", f"0 with {len(own)} orders open", *own[:3], told.message))
    return evidence.concluded(found, "margin", *_TOPICS)


def check_heard(evidence: Evidence) -> tuple[Violation, ...]:
    """Every order that risk lets through causes a margin, which the clause before then judges.

    Only the last replay is judged: of one that another followed collateral may have left orders unread.  So it may
    while a session lasts, behind the last order that caused one; and before the first positions no order causes one.
    """
    number, told = max(evidence.replays(), default=None), _told(evidence)
    own = [item for item in told if replay(item.message) == number]
    causes = {item.message.header.cause for item in own}
    over = any(body.event == "close" and replay(m) == number for m, body in evidence.bodies("sessions", Session))
    found = []
    for order in _accepted(evidence):
        accepted = order.message
        if order.replay != number or not own or own[0].message.header.mono_sent >= accepted.header.mono_sent:
            continue
        if (over or own[-1].surely(accepted)) and accepted.id not in causes:
            found.append(broken(7, "requirement", "no margin was told for an order", accepted))
    return evidence.concluded(found, "margin", "order-events")


def _accepted(evidence: Evidence) -> list[_Order]:
    """Accepted orders of numbered replays, in the order of their stream."""
    known = lives(evidence)
    return [
        _Order(message, number, body.order, known[body.order.order_id])
        for message, body in evidence.bodies("order-events", Accepted)
        if (number := replay(message)) is not None
    ]


def _told(evidence: Evidence) -> list[_Told]:
    """The margins, in the order in which they were told."""
    margins = list(evidence.bodies("margin", Margin))
    if not margins:
        raise NotJudged("no margin was told")
    behind: list[dict[str, _Place]] = [{}]
    for message, _ in reversed(margins):
        behind.append(behind[-1] | _cause(message))
    least: dict[str, _Place] = {}
    found = []
    for (message, margin), most in zip(margins, reversed(behind[:-1]), strict=True):
        least = least | _cause(message)
        found.append(_Told(message, margin, least, most))
    return found


def _cause(message: Envelope) -> dict[str, _Place]:
    topic, _, entry_id = message.header.cause.partition("/")
    return {topic: parse_id(entry_id)} if topic in _TOPICS else {}


def _booked(evidence: Evidence) -> dict[str, Envelope]:
    """The positions that each fill caused, by the fill's id."""
    return {message.header.cause: message for message in evidence.of("positions")}


def _left(order: _Order, told: _Told, booked: dict[str, Envelope]) -> int:
    """The least that collateral can have known of an order to be open, or filled and in no positions."""
    changes = [state.body for state in order.life.states if told.maybe(state)]
    left = min([order.order.quantity] + [body.quantity for body in changes if isinstance(body, Replaced)])
    for fill in order.life.fills:
        positions = booked.get(fill.id)  # None: they were told before this evidence, or are still to come
        if isinstance(fill.body, Fill) and (positions is None or told.maybe(positions)):
            left -= fill.body.quantity
    for body in changes:
        if isinstance(body, Rejected):
            return 0
        left -= body.remaining if isinstance(body, Cancelled) else 0
    return left
