"""The lives of orders: what was asked, decided, told and filled, by order id."""

from dataclasses import dataclass, field

from engines.wire.messages import (
    Accepted,
    Body,
    Cancelled,
    Denied,
    Envelope,
    Fill,
    Filled,
    Order,
    Rejected,
    Replaced,
)
from stress.checks.evidence import Evidence

TERMINAL = (Denied, Rejected, Cancelled, Filled)
STATES = (Accepted, *TERMINAL, Replaced)  # requests and refused changes do not change an order


@dataclass
class Life:
    """One order id.  Lists are in stream order, each of its own stream."""

    asked: list[Envelope] = field(default_factory=list)
    states: list[Envelope] = field(default_factory=list)
    fills: list[Envelope] = field(default_factory=list)

    @property
    def order(self) -> Order | None:
        """The order as it was asked for."""
        body = self.asked[0].body if self.asked else None
        return body if isinstance(body, Order) else None

    @property
    def accepted(self) -> Envelope | None:
        """Risk's letting it through."""
        return next((state for state in self.states if isinstance(state.body, Accepted)), None)

    @property
    def end(self) -> Envelope | None:
        """Its first terminal state."""
        return next((state for state in self.states if isinstance(state.body, TERMINAL)), None)

    @property
    def quantity(self) -> int:
        """What it asks for in the end, changes included."""
        changed = [state.body.quantity for state in self.states if isinstance(state.body, Replaced)]
        if changed:
            return changed[-1]
        return self.order.quantity if self.order is not None else 0

    @property
    def filled(self) -> int:
        """What all its fills make."""
        return sum(fill.body.quantity for fill in self.fills if isinstance(fill.body, Fill))


def lives(evidence: Evidence) -> dict[str, Life]:
    """Every order id that any message names, in the order of its first mention."""
    found: dict[str, Life] = {}
    for message, order in evidence.bodies("orders", Order):
        found.setdefault(order.order_id, Life()).asked.append(message)
    for message in evidence.of("order-events"):
        if isinstance(message.body, STATES):
            found.setdefault(order_id(message.body), Life()).states.append(message)
    for message, fill in evidence.bodies("fills", Fill):
        found.setdefault(fill.order_id, Life()).fills.append(message)
    return found


def order_id(body: Body) -> str:
    """The order that an order event is about; empty where it names none."""
    if isinstance(body, Accepted):
        return body.order.order_id
    named: str = getattr(body, "order_id", "")
    return named


def after(one: Envelope, other: Envelope) -> bool:
    """Whether the sender of both surely sent `one` after `other`, also across its topics.

    By its clock; where the stamps are equal, by their place among the outputs of one cause.
    """
    if one.header.producer != other.header.producer:
        return False
    if one.header.mono_sent != other.header.mono_sent:
        return one.header.mono_sent > other.header.mono_sent
    return (
        one.header.cause != "" and one.header.cause == other.header.cause and one.header.ordinal > other.header.ordinal
    )
