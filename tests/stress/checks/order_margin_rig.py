"""Risk, portfolio and collateral as they are, on streams that each reads topic by topic as a test has it; the venue is
the test's.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from checks_rig import SYMBOLS, History, S, session, trades

from engines.collateral import model as collateral
from engines.portfolio import model as portfolio
from engines.risk import model as risk
from engines.wire.messages import (
    Accepted,
    Body,
    Cancelled,
    Envelope,
    Fill,
    Filled,
    Order,
    Rejected,
    Replaced,
    Side,
)
from stress.checks.evidence import Evidence

Step = Callable[[Any, Envelope], tuple[Any, Sequence[Body]]]
READS = {
    "risk": ("sessions", "trades", "orders", "order-events", "fills", "positions", "margin"),
    "portfolio": ("sessions", "trades", "fills", "funding"),
    "collateral": ("sessions", "order-events", "fills", "positions"),
}
MONEY = 200  # prices are multiples of it, so that no share of one is rounded
PRICE = 1_000_000
FEE = 35


class Desk:
    """`step` takes the place of collateral's; `open`: orders at the venue, with what is left of them."""

    def __init__(self, step: Step = collateral.step) -> None:
        self.history = History()
        self.steps: dict[str, Step] = {"risk": risk.step, "portfolio": portfolio.step, "collateral": step}
        self.states: dict[str, Any] = {
            "risk": risk.initial(), "portfolio": portfolio.initial(), "collateral": collateral.initial()
        }  # fmt: skip
        self.streams: dict[str, list[Envelope]] = {}
        self.read = {name: dict.fromkeys(topics, 0) for name, topics in READS.items()}
        self.open: dict[str, tuple[Order, int]] = {}
        self.accepted: dict[str, Envelope] = {}
        self.held = dict.fromkeys(SYMBOLS[1:], 0)
        self.number = 0
        self.replay = 0
        self.begin()

    def begin(self) -> None:
        """A session of the next replay; every symbol trades once."""
        self.replay += 1
        self.open.clear()
        self.held = dict.fromkeys(SYMBOLS[1:], 0)
        self.send(session(), "tape")
        for symbol in SYMBOLS[1:]:
            self.mark(symbol, PRICE)
        self.drain("risk")

    def send(self, body: Body, producer: str, cause: Envelope | None = None) -> Envelope:
        """Publish a message."""
        trace, ts = f"r{self.replay}/window", (len(self.history.sent) + 1) * S
        if cause is not None and producer in READS:
            trace, ts = cause.header.trace, cause.header.ts_event
        message = self.history.add(body, ts, producer, cause, trace)
        self.streams.setdefault(message.topic, []).append(message)
        if isinstance(body, Accepted):
            self.open[body.order.order_id] = body.order, body.order.quantity
            self.accepted[body.order.order_id] = message
        return message

    def take(self, name: str, topic: str) -> bool:
        """An engine takes the next message of a topic; False when there is none."""
        stream, place = self.streams.get(topic, []), self.read[name][topic]
        if place == len(stream):
            return False
        message = stream[place]
        self.read[name][topic] += 1
        self.states[name], made = self.steps[name](self.states[name], message)
        for body in made:
            self.send(body, name, message)
        return True

    def drain(self, *names: str) -> None:
        """These engines, by default all, take what there is."""
        while sum(self.take(name, topic) for name in names or READS for topic in READS[name]):
            pass

    def mark(self, symbol: str, price: int) -> None:
        """A trade."""
        self.send(trades(((len(self.history.sent) + 1) * S, symbol, price, 100)), "tape")

    def ask(self, symbol: str, side: Side, quantity: int, limit: int | None = None) -> str:
        """Send an order and have risk decide it; its id."""
        self.number += 1
        order = Order(f"a{self.number}", "s", symbol, side, quantity, limit)
        self.send(order, "strategy")
        self.drain("risk")
        return order.order_id

    def fill(self, order_id: str, quantity: int, price: int = PRICE) -> None:
        """The venue fills some of an order, at most what is left."""
        order, left = self.open[order_id]
        size, multiplier = min(quantity, left), 50 if order.symbol == "ESX" else 1
        self.number += 1
        fill = Fill(f"f{self.number}", order_id, "s", order.symbol, order.side, size, price, FEE, multiplier)
        self.send(fill, "venue", self.accepted[order_id])
        self.held[order.symbol] += order.side * size
        self.open[order_id] = order, left - size
        if size == left:
            self.send(Filled(order_id, order.symbol), "venue", self.accepted[order_id])
            del self.open[order_id]

    def cancel(self, order_id: str) -> None:
        """The venue takes what is left of an order off the book."""
        order, left = self.open.pop(order_id)
        self.send(Cancelled(order_id, order.symbol, left, "requested"), "venue", self.accepted[order_id])

    def refuse(self, order_id: str) -> None:
        """The venue rejects an order of which nothing has filled, else cancels it."""
        order, left = self.open[order_id]
        if left < order.quantity:
            self.cancel(order_id)
            return
        del self.open[order_id]
        self.send(Rejected(order_id, order.symbol, "no"), "venue", self.accepted[order_id])

    def replace(self, order_id: str, more: int, limit: int | None) -> None:
        """The venue changes an order so that `more` (above 0) of it is left."""
        order, left = self.open[order_id]
        quantity = order.quantity - left + more
        self.send(Replaced(order_id, order.symbol, quantity, limit, False), "venue", self.accepted[order_id])
        self.open[order_id] = msgspec.structs.replace(order, quantity=quantity, limit=limit), more

    def flatten(self, price: int) -> None:
        """All that is open is cancelled, all that is held is traded away."""
        for order_id in list(self.open):
            self.cancel(order_id)
        for symbol, held in self.held.items():
            if held:
                self.fill(self.ask(symbol, -1 if held > 0 else 1, abs(held)), abs(held), price)

    def end(self) -> None:
        """The session closes, and everything is read."""
        self.send(session("close"), "tape")
        self.drain()

    def act(self, what: str, place: int, size: int, price: int) -> None:
        """One of the steps of `acts`."""
        ids, symbol = sorted(self.open), SYMBOLS[1 + place % 2]
        if what == "order":
            self.ask(symbol, 1 if place % 4 < 2 else -1, size, price if place % 3 else None)
        elif what == "mark":
            self.mark(symbol, price)
        elif what == "take":
            name = ("portfolio", "collateral", "collateral")[place % 3]
            self.take(name, READS[name][size % 4])
        elif what == "flatten":
            self.flatten(price)
        elif ids and what == "fill":
            self.fill(ids[place % len(ids)], size, price)
        elif ids and what == "replace":
            self.replace(ids[place % len(ids)], size, price)
        elif ids:
            (self.cancel if what == "cancel" else self.refuse)(ids[place % len(ids)])

    def evidence(self) -> Evidence:
        """What the streams hold."""
        return self.history.evidence()


_WEIGHTS = {"order": 5, "fill": 5, "cancel": 1, "refuse": 1, "replace": 2, "mark": 1, "flatten": 2, "take": 24}


def acts(seed: int, count: int) -> Iterator[tuple[str, int, int, int]]:
    """So many steps of a desk: what, which one, how much, at what price."""
    chance = random.Random(seed)
    kinds = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=count)
    for what in kinds:
        yield what, chance.randrange(12), chance.randint(1, 9), chance.randint(4_800, 5_200) * MONEY
