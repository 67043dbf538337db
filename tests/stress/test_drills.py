"""Drills: bisection against a closed form, orders of a starting state, and what a mission may ask for."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.wire.bus import Saved, StreamStats
from engines.wire.errors import NautilusError
from engines.wire.messages import TOPICS, Funding, decode
from engines.wire.ticks import PRICE_SCALE
from reports import records
from stress import start
from stress.fleet import MissionFleet
from stress.mission import FOLDER, MissionErrors, load, parse
from stress.reverse import search
from stress.roles import drill
from stress.run import Run
from stress.specs.drill import KillSwitch, ReverseStress
from stress.specs.start import Start

REVERSE = (FOLDER / "reverse-stress.toml").read_text()


@given(st.floats(1e-4, 0.999), st.floats(1e-6, 0.01))
def test_a_linear_portfolio_breaches_where_its_closed_form_says(threshold: float, resolution: float) -> None:
    found = search(lambda fall: fall >= threshold, 1.0, resolution)
    assert found.breaches is not None
    assert found.holds < threshold <= found.breaches
    assert found.breaches - found.holds <= resolution


def test_what_never_breaches_and_what_breaches_at_once() -> None:
    assert search(lambda fall: False, 0.5, 0.01) == (0.5, None)
    with pytest.raises(NautilusError, match="before any fall"):
        search(lambda fall: True, 0.5, 0.01)


AT = start.Opening("storm", 3, {"ESX": 50, "AAPL": 1}, 5.0)


def test_a_start_is_reached_in_chunks_and_its_limits_lie_far_below() -> None:
    wanted = Start(positions={"ESX": -120, "AAPL": 4_500}, open_orders=3)
    made = list(start.orders(wanted, AT, 1_165.25))
    assert len({order.order_id for order in made}) == len(made)
    assert {order.strategy for order in made} == {"start"}
    market = [order for order in made if order.limit is None]
    for symbol, quantity in wanted.positions.items():
        assert sum(order.side * order.quantity for order in market if order.symbol == symbol) == quantity
    assert max(order.quantity for order in market if order.symbol == "ESX") == 50
    resting = [order for order in made if order.limit is not None]
    assert [(order.symbol, order.quantity, order.limit) for order in resting] == [("ESX", 1, 1_072 * 10_000)] * 3


class Told:
    """A fleet that answers from functions by (engine, path without its query)."""

    def __init__(self, **answers: Callable[[str], Any]) -> None:
        self.answers = answers
        self.posted: list[str] = []

    def get(self, engine: str, path: str) -> Any:
        return self.answers[f"{engine}_{path.partition('?')[0].strip('/')}"](path)

    def operation(self) -> str:
        return f"run-op-{len(self.posted) + 1}"

    def post(self, engine: str, path: str, _: dict[str, object], request: str = "") -> Any:
        self.posted.append(f"{engine}{path} {request}")
        return {}


def fleet_of(told: Told) -> MissionFleet:
    return cast(MissionFleet, told)


def test_the_state_is_said_item_by_item() -> None:
    book = {"buys": [{"strategy": "start", "limit": 1072.0, "order_id": "start-r3-o0"}], "sells": []}
    other = {"buys": [{"strategy": "momentum", "limit": 1.0, "order_id": "m"}], "sells": []}
    told = Told(
        portfolio_positions=lambda _: {"rows": [["ESX", 302, 0, 0, 0, 0, 50]]},
        strategy_strategies=lambda _: [{"legs": [{"symbol": "ESX", "position": 2}]}],  # which trade as well
        marketdata_book=lambda path: book if "ESX" in path else other,
        portfolio_pnl=lambda _: {"opening": 1001.25, "gain": -1.25},
        collateral_margin=lambda _: {"maintenance": 950.0, "equity": 1000.0},
    )
    wanted = Start(positions={"ESX": 300, "AAPL": 5}, open_orders=2, margin_use=0.9)
    found = start._state(fleet_of(told), wanted, AT, 10_012_500, used=True)
    assert [(item.item, item.wanted, item.got, start.reached(item)) for item in found] == [
        ("position AAPL", 5, 0, False),
        ("position ESX", 300, 300, True),
        ("open_orders", 2, 1, False),
        ("cash", 1001.25, 1001.25, True),
        ("margin_use", 0.9, 0.95, True),
    ]
    (account,) = start._account(fleet_of(told), AT)
    assert (account.cash, account.equity, account.maintenance) == (1001.25, 1000.0, 950.0)
    assert not start.reached(start._state(fleet_of(told), wanted, AT, 10_012_501)[-1])
    told.answers["collateral_margin"] = lambda _: {"maintenance": None, "equity": None}
    assert not start.reached(start._state(fleet_of(told), wanted, AT, None, used=True)[-1])
    assert start._account(fleet_of(told), AT) == []


class Accounts:
    """Portfolio and collateral of 100 contracts that lost 300,000 since they were bought; fundings are booked late."""

    def __init__(self, maintenance: float) -> None:
        self.opening, self.booked, self.maintenance, self.sent = 10_000_000.0, 10_000_000.0, maintenance, 0

    def told(self) -> Told:
        return Told(portfolio_pnl=self._pnl, collateral_margin=self._margin, marketdata_replay=lambda _: {"ts_ns": 7})

    def _pnl(self, _: str) -> Any:
        return {"opening": self.opening, "gain": -300_000.0}

    def _margin(self, _: str) -> Any:
        """What collateral was told before the last look at it."""
        booked, self.booked = self.booked, self.opening
        return {"maintenance": self.maintenance, "equity": booked - 300_000.0}

    def ask(self, *words: Any) -> None:
        """The bus: a funding."""
        body = words[-1]
        found = decode(words[1], "1-0", words[4], body)
        assert (found.topic, found.header.trace, found.header.ts_event) == ("funding", "r3/start", 7)
        assert isinstance(found.body, Funding)
        self.sent += 1
        self.opening = found.body.cash / PRICE_SCALE


@given(st.floats(0.05, 1.0), st.floats(1_000, 1e9))
def test_cash_is_found_that_brings_a_margin_use_about(wanted: float, maintenance: float) -> None:
    accounts = Accounts(maintenance)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(start, "_POLL_S", 0.0)
        cash = start._use(cast(Any, accounts), fleet_of(accounts.told()), 3, wanted, math.inf)
    assert cash is not None and cash / PRICE_SCALE == accounts.opening
    equity = accounts.opening - 300_000
    assert equity >= maintenance - 1e-4  # not called at once, even at a use of 1
    assert maintenance / equity == pytest.approx(wanted, abs=1e-6)
    assert accounts.sent <= 2


def test_without_a_position_no_cash_is_found() -> None:
    accounts = Accounts(0.0)
    assert start._use(cast(Any, accounts), fleet_of(accounts.told()), 3, 0.9, time.monotonic() + 0.15) is None
    assert accounts.sent == 0


class Waiting(Told):
    """A fleet whose market is in a segment, and whose portfolio is behind by `behind` looks at its cursor."""

    def __init__(self, segment: str, behind: int) -> None:
        super().__init__(marketdata_replay=lambda _: {"segment": segment})
        self.behind, self.closed = behind, 0

    def bus(self, name: str) -> Any:
        return Bus(self, name)


class Bus:
    """One bus of it, each topic with one entry."""

    def __init__(self, fleet: Waiting, name: str) -> None:
        self.fleet, self.name = fleet, name

    async def saved(self, owner: str) -> Any:
        late = owner == "portfolio" and self.fleet.behind > 0
        self.fleet.behind -= late
        return Saved(epoch=1, cursors=dict.fromkeys(TOPICS, "0-0" if late else "1-1"))

    async def stats(self, _: str) -> Any:
        return StreamStats(1, 1, "1-1", "1-1")

    async def close(self) -> None:
        self.fleet.closed += 1


@pytest.mark.parametrize(("segment", "left", "closed"), [("before", 0, 2), ("window", 3, 0)])
def test_the_account_has_heard_all_before_it_is_funded(segment: str, left: int, closed: int) -> None:
    waiting = Waiting(segment, 3)
    asyncio.run(start._settled(fleet_of(waiting), math.inf))
    assert (waiting.behind, waiting.closed) == (left, closed)


@pytest.mark.parametrize(
    ("segment", "ts_ns", "stands"),
    [(None, 0, False), ("before", 30, False), ("before", 141, True), ("window", 0, True)],
)
def test_the_market_stands_before_its_window(segment: str | None, ts_ns: int, stands: bool) -> None:
    status = {"segment": segment, "ts_ns": ts_ns * 10**9, "window": {"start_ns": 200 * 10**9}}
    assert start._stands(fleet_of(Told(marketdata_replay=lambda _: status))) is stands


class Watched:
    """A run with such a fleet."""

    def __init__(self, told: Told) -> None:
        self.fleet = fleet_of(told)


def positions(legs: list[int]) -> dict[str, Callable[[str], Any]]:
    """Strategies whose positions are these, whatever the time."""
    return {
        "portfolio_positions": lambda _: {"rows": [["ESX", 2, 0, 11_650_000, 0, 0, 50]]},
        "strategy_strategies": lambda _: [{"legs": [{"symbol": "ESX", "position": held} for held in legs]}],
    }


def test_the_kill_switch_is_watched_until_all_is_gone() -> None:
    told = Told(strategy_orders=lambda _: {"open": []}, marketdata_book=lambda _: {"buys": [], "sells": []})
    told.answers.update(positions([2, 1]))

    def legs(_: str) -> Any:
        held = 0 if told.posted else 2
        return [{"legs": [{"symbol": "ESX", "position": held}, {"symbol": "AAPL", "position": 0}]}]

    def orders(_: str) -> Any:
        rows = [{"status": "accepted", "order": {"order_id": "r-1"}}, {"status": "pending", "order": {"order_id": "x"}}]
        return {"open": [] if told.posted else rows}

    told.answers.update(strategy_strategies=legs, strategy_orders=orders)
    found = drill._kill(cast(Run, Watched(told)), KillSwitch())
    assert (found.open_orders, found.positions, found.exposure, found.residual) == (1, 1, 2 * 1165.0 * 50, 0.0)
    assert found.orders_gone_ns is not None and found.flat_ns is not None and found.flat_ns >= found.ordered_ns
    assert told.posted == ["strategy/kill run-op-1"] and found.request == "run-op-1"
    assert found.answered_ns is not None and found.ordered_ns <= found.answered_ns <= found.flat_ns


def test_what_does_not_go_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill, "_looks", lambda _: iter((1, 2, 3)))
    book = {"buys": [{"order_id": "r-1", "strategy": "reversion", "limit": 1.0}], "sells": []}
    open_ = {"open": [{"status": "partial", "order": {"order_id": "r-1"}}]}
    told = Told(strategy_orders=lambda _: open_, marketdata_book=lambda _: book, **positions([-3]))
    found = drill._kill(cast(Run, Watched(told)), KillSwitch())
    assert (found.orders_gone_ns, found.flat_ns, found.residual) == (None, None, 3 * 1165.0 * 50)


def test_a_reverse_stress_asks_the_risk_engine_step_by_step() -> None:
    exposure, pnl, limit = 22_000_000.0, 50_000.0, 1_000_000.0

    def stress(path: str) -> Any:
        fall = float(path.partition("fall=")[2])
        return {"loss": exposure * fall, "loss_limit": limit, "kills": exposure * fall - pnl >= limit}

    limits = {"pnl": pnl, "holdings": [{"notional": exposure + 5}, {"notional": -5.0}]}
    told = Told(risk_limits=lambda _: limits, risk_stress=stress)
    head, *steps = drill._search(cast(Run, Watched(told)), ReverseStress(resolution=1e-4))
    assert isinstance(head, records.ReverseStress) and head.exposure == exposure
    asked = [step for step in steps if isinstance(step, records.ReverseStep)]
    assert [step.number for step in asked] == list(range(1, len(steps) + 1))
    smallest = min(step.fall for step in asked if step.breaches)
    assert 0 <= smallest - (limit + pnl) / exposure <= 1e-4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("ESX = 360", "ESY = 380"), "start.positions: ESY cannot be ordered in the mission's replays"),
        (("ESX = 360", "ESX = 0"), "start.positions: ESX is 0"),
        (('id = "start-state"', 'id = "pss"'), "start: name the criterion 'start-state'"),
        (
            ('role = "reverse-stress"\nspeed = 10\nresolution = 0.0001', 'role = "data"'),
            "start: no phase of the mission",
        ),
        (("resolution = 0.0001", "resolution = 0.1\nmost = 0.05"), "resolution: not finer than the largest fall"),
        (("positions = { ESX = 360 }\nopen_orders = 20", ""), "start: positions, open_orders or cash"),
        (("open_orders = 20", "cash = 5e5\nmargin_use = 0.9"), "start: cash or margin_use, not both"),
        (("positions = { ESX = 360 }", "margin_use = 0.9"), "start.margin_use: without positions"),
        (("open_orders = 20", "cash = -1.0"), "start.cash"),
        (("open_orders = 20", "cash = nan"), "start.cash"),
        (("open_orders = 20", "cash = inf"), "start.cash"),
        (("open_orders = 20", "margin_use = nan"), "start.margin_use"),
        (("open_orders = 20", "margin_use = 0.0"), "start.margin_use"),
        (("open_orders = 20", "open_ordres = 20"), "start.open_ordres: There is no field"),
        (("open_orders = 20", "margin_use = 1.5"), "start.margin_use"),
    ],
)
def test_mistakes_of_a_start_and_of_drills(change: tuple[str, str], words: str) -> None:
    assert change[0] in REVERSE
    with pytest.raises(MissionErrors) as caught:
        parse(REVERSE.replace(*change))
    assert words in "\n".join(caught.value.mistakes)


def test_all_mistakes_of_a_start_come_at_once_and_cash_alone_is_none() -> None:
    with pytest.raises(MissionErrors) as caught:
        parse(REVERSE.replace("positions = { ESX = 360 }", "cash = 5\nmargin_use = 0.9"))
    assert len(caught.value.mistakes) == 2
    found = parse(REVERSE.replace("positions = { ESX = 360 }\nopen_orders = 20", "cash = 250_000"))
    assert found.start is not None and found.start.cash == 250_000


def test_a_margin_use_needs_the_lead_in_which_the_market_comes_to_its_window() -> None:
    call = (FOLDER / "margin-call.toml").read_text()
    assert "lead_s = 60" in call
    with pytest.raises(MissionErrors, match="needs a lead_s of 30 at least"):
        parse(call.replace("lead_s = 60", "lead_s = 29"))
    parse(call.replace("lead_s = 60", "lead_s = 15").replace("margin_use = 0.95", "cash = 480_000"))


def test_the_drills_are_missions() -> None:
    assert load("kill-switch").of(KillSwitch)
    found = load("reverse-stress")
    assert found.of(ReverseStress) and found.start is not None and found.start.positions == {"ESX": 360}
