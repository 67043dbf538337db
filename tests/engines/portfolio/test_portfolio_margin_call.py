"""From a funding to the margin call, through the steps of portfolio, collateral and risk, against the closed form.

With cash C at the opening, fees f and q units of multiplier m held at the price p0 and marked at p, the equity is
C - f + q m (p - p0).  Maintenance is 25 % of a long share's value, 30 % of a short one's (from $16.67) and an amount a
contract of a future; the call comes where the equity is below it, so at prices beyond a threshold that is a fraction.
"""

from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.collateral import model as collateral
from engines.collateral.config import CONFIG
from engines.portfolio import model as portfolio
from engines.risk import model as risk
from engines.wire.messages import (
    Accepted,
    Body,
    Cancelled,
    Denied,
    Envelope,
    Fill,
    Funding,
    Header,
    Margin,
    Order,
    Positions,
    RiskAlert,
    Session,
    Trades,
)
from engines.wire.session import NS
from engines.wire.ticks import TRADE, to_units

SYMBOLS = ("SPX", "ESX", "AAPL")
OPEN = 1_273_152_600 * NS
FEE = 12_345
PER_CONTRACT = CONFIG.futures["ESX"].maintenance


class Chain:
    """The three engines' states; what is sent reaches each that reads it, and what they make goes on at once."""

    def __init__(self) -> None:
        self.states: dict[Any, Any] = {engine: engine.initial() for engine in (portfolio, collateral, risk)}
        self.made: list[Body] = []
        self.seconds = 0
        self.number = 0
        self.send(Session("open", "d", "2010-05-06", SYMBOLS, SYMBOLS[1:], 1, "d", 40.0, multipliers=(1, 50, 1)))

    def send(self, body: Body) -> list[Body]:
        """A message, a market second after the last; returns what risk says."""
        self.seconds += 1
        cause, said = self._next(body), list[Body]()
        if not isinstance(body, Funding):
            said = self._step(risk, cause)
        for heard in [cause, *(self._next(event, cause) for event in said)]:
            if heard.topic in ("sessions", "order-events", "fills"):
                said += self._margins(heard)
        for told in self._step(portfolio, cause):
            positions = self._next(told, cause)
            said += self._step(risk, positions) + self._margins(positions)
        return said

    def _margins(self, cause: Envelope) -> list[Body]:
        """Collateral takes a message; what risk says of its margins."""
        said: list[Body] = []
        for margin in self._step(collateral, cause):
            self.made.append(margin)
            said += self._step(risk, self._next(margin, cause))
        return said

    def mark(self, symbol: str, price: int) -> list[Body]:
        """One trade."""
        row = np.array([(OPEN + (self.seconds + 1) * NS, SYMBOLS.index(symbol), 1, price, 100)], TRADE)
        return self.send(Trades(SYMBOLS, row.tobytes()))

    def _next(self, body: Body, cause: Envelope | None = None) -> Envelope:
        """The next message of the bus."""
        self.number += 1
        header = Header("test", 1, 1, cause.id if cause else "", 0, "r1/window", OPEN + self.seconds * NS, 0, 0)
        return Envelope(body.TOPIC, f"{self.number}-0", header, body)

    def _step(self, engine: Any, message: Envelope) -> list[Body]:
        self.states[engine], out = engine.step(self.states[engine], message)
        return list(out)

    @property
    def margin(self) -> Margin:
        """The last one told."""
        return next(body for body in reversed(self.made) if isinstance(body, Margin))


class Case(NamedTuple):
    """What is held, signed, where it was bought or sold, and the margin use to begin with."""

    symbol: str
    quantity: int
    price: int
    use: Fraction

    @property
    def multiplier(self) -> int:
        return 50 if self.symbol == "ESX" else 1

    @property
    def against(self) -> int:
        """The direction that loses."""
        return -1 if self.quantity > 0 else 1

    def maintenance(self) -> Fraction:
        """At the price."""
        size = abs(self.quantity)
        if self.symbol == "ESX":
            return Fraction(size * PER_CONTRACT)
        return Fraction(size * self.price * (25 if self.quantity > 0 else 30), 100)

    def threshold(self, cash: int) -> Fraction:
        """The price beyond which the call comes, with this cash at the opening."""
        size, worth = abs(self.quantity), self.quantity * self.multiplier * self.price
        if self.symbol == "ESX":
            return Fraction(size * PER_CONTRACT - cash + FEE + worth, self.quantity * 50)
        rate = Fraction(75, 100) if self.quantity > 0 else Fraction(-130, 100)
        return (FEE - cash + worth) / (rate * size)


CASES = st.builds(
    Case,
    st.sampled_from(["ESX", "AAPL"]),
    st.integers(1, 200).flatmap(lambda size: st.sampled_from([size, -size])),
    st.integers(to_units(50), to_units(2_000)),
    st.fractions(Fraction(80, 100), Fraction(999, 1000)),
)


def begun(case: Case) -> tuple[Chain, int]:
    """The position, then the funding that its margin use needs; and that funding."""
    chain, side = Chain(), 1 if case.quantity > 0 else -1
    fill = Fill("f", "o", "start", case.symbol, side, abs(case.quantity), case.price, FEE, case.multiplier)  # type: ignore[arg-type]
    assert chain.send(fill) == []
    cash = -(-case.maintenance() // case.use) + FEE  # the gain so far is the fee
    assert chain.send(Funding(int(cash))) == []
    return chain, int(cash)


@settings(deadline=None, max_examples=60)
@given(CASES, st.lists(st.integers(1, 200), min_size=1, max_size=40))
def test_the_call_comes_at_the_first_tick_beyond_the_closed_form(case: Case, steps: list[int]) -> None:
    chain, cash = begun(case)
    threshold = case.threshold(cash)
    gap = max(1, abs(int(threshold) - case.price) * 2 // len(steps) // 100)
    price, called = case.price, False
    for step in steps:
        price += case.against * step * gap
        if price < to_units(20):  # the other rule for short shares, and no price at all
            break
        beyond = price < threshold if case.quantity > 0 else price > threshold
        alerts = [body.kind for body in chain.mark(case.symbol, price) if isinstance(body, RiskAlert)]
        assert ("margin-call" in alerts) == (beyond and not called), (price, float(threshold))
        called |= beyond
        assert (chain.margin.call > 0) == beyond
        order = Order(f"x{chain.seconds}", "s", case.symbol, -case.against, 1)  # type: ignore[arg-type]
        denied = [body.code for body in chain.send(order) if isinstance(body, Denied)]
        if chain.states[risk].account.killed:  # the loss limit is looked at before the margin
            break
        assert (denied == ["MARGIN"]) == beyond


@settings(deadline=None, max_examples=60)
@given(CASES)
def test_the_tick_on_the_threshold_calls_nobody_and_the_next_one_does(case: Case) -> None:
    chain, cash = begun(case)
    threshold = case.threshold(cash)
    last = -(-threshold // 1) if case.quantity > 0 else threshold // 1  # the last price without a call
    if min(last, case.price) <= to_units(20):
        return
    if last != case.price:
        assert chain.mark(case.symbol, int(last)) == []
    kinds = [body.kind for body in chain.mark(case.symbol, int(last) + case.against) if isinstance(body, RiskAlert)]
    assert "margin-call" in kinds


@settings(deadline=None, max_examples=60)
@given(CASES)
def test_the_funding_brings_the_margin_use_about_that_it_was_made_for(case: Case) -> None:
    chain, cash = begun(case)
    margin = chain.margin
    assert margin.excess >= 0
    assert Fraction(margin.maintenance, margin.equity) == pytest.approx(float(case.use), rel=1e-5)
    assert margin.equity == cash - FEE


def bought(number: int, symbol: str, quantity: int, price: int) -> Fill:
    """Sold below 0."""
    multiplier = 50 if symbol == "ESX" else 1
    return Fill(f"f{number}", "o", "start", symbol, 1 if quantity > 0 else -1, abs(quantity), price, FEE, multiplier)


SYMBOL = st.sampled_from(["ESX", "AAPL"])
STEPS = st.one_of(
    st.tuples(st.just("order"), SYMBOL, st.sampled_from([1, -1])),
    st.tuples(st.just("fill"), SYMBOL, st.integers(-3, 3).filter(bool)),
    st.tuples(st.just("mark"), SYMBOL, st.integers(to_units(90), to_units(110))),
    st.tuples(st.just("fund"), SYMBOL, st.integers(-to_units(10_000), to_units(10_000_000))),
)


@settings(deadline=None, max_examples=100)
@given(st.lists(STEPS, min_size=1, max_size=30))
def test_a_margin_is_required_exactly_while_something_is_held_or_on_order(steps: list[tuple[str, str, int]]) -> None:
    chain, held, orders, price = Chain(), dict.fromkeys(("ESX", "AAPL"), 0), 0, to_units(100)
    for symbol in held:
        chain.mark(symbol, price)
    for number, (what, symbol, amount) in enumerate(steps):
        if what == "order":
            said = chain.send(Order(f"w{number}", "s", symbol, 1 if amount > 0 else -1, 1))
            orders += sum(isinstance(body, Accepted) for body in said)
        elif what == "fill":
            held[symbol] += amount
            chain.send(bought(number, symbol, amount, price))
        elif what == "mark":
            chain.mark(symbol, amount)
        else:
            chain.send(Funding(amount))
        margin = chain.margin
        assert (margin.maintenance > 0) == (margin.initial > 0) == any(held.values())
        assert (margin.initial + margin.orders > 0) == (any(held.values()) or orders > 0)
        assert margin.excess == margin.equity - margin.maintenance


def test_an_order_that_waits_asks_for_its_initial_margin_and_calls_for_nothing() -> None:
    """Ten shares at the mark of 100, dearer than the limit, half of that; the equity is less."""
    chain = Chain()
    chain.send(Funding(to_units(400)))
    chain.mark("AAPL", to_units(100))
    (accepted,) = chain.send(Order("w", "s", "AAPL", 1, 10, to_units(95)))
    assert isinstance(accepted, Accepted)
    assert chain.margin == Margin(0, 0, to_units(400), to_units(400), 0, to_units(500))
    (accepted,) = chain.send(Order("v", "s", "AAPL", 1, 10))  # risk's own check is of limits, not of this
    assert isinstance(accepted, Accepted)
    assert chain.margin.orders == to_units(1_000)
    chain.send(Cancelled("w", "AAPL", 10, "requested"))
    assert chain.margin == Margin(0, 0, to_units(400), to_units(400), 0, to_units(500))


def test_funding_is_what_the_account_began_with_whenever_it_is_told() -> None:
    told: list[Positions] = []
    for place in range(3):
        state = portfolio.initial()
        fills = [Fill(f"f{n}", "o", "s", "AAPL", 1, 10, to_units(250 + n), FEE, 1) for n in range(2)]
        bodies: list[Body] = [*fills]
        bodies.insert(place, Funding(to_units(5_000)))
        for body in bodies:
            header = Header("test", 1, 1, "", 0, "r1/start", OPEN, 0, 0)
            state, out = portfolio.step(state, Envelope(body.TOPIC, "1-0", header, body))
        told += [body for body in out if isinstance(body, Positions)]
    assert all(one == other for one, other in pairwise(told))
    assert told[0].cash == to_units(5_000 - 2_500 - 2_510) - 2 * FEE < 0  # the rest is borrowed
