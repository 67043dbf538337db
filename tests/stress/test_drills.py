"""Drills: bisection against a closed form, orders of a starting state, and what a mission may ask for."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.wire.errors import NautilusError
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
    made = list(start.orders(wanted, AT, {"ESX": 1_165.25, "AAPL": 250.0}))
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

    def post(self, engine: str, path: str, _: dict[str, object]) -> Any:
        self.posted.append(f"{engine}{path}")
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
        collateral_margin=lambda _: {"maintenance": 950.0, "equity": 1000.0},
    )
    wanted = Start(positions={"ESX": 300, "AAPL": 5}, open_orders=2, margin_use=0.9)
    found = start._state(fleet_of(told), wanted, AT)
    assert [(item.item, item.wanted, item.got, start.reached(item)) for item in found] == [
        ("position AAPL", 5, 0, False),
        ("position ESX", 300, 300, True),
        ("open_orders", 2, 1, False),
        ("margin_use", 0.9, 0.95, True),
    ]
    told.answers["collateral_margin"] = lambda _: {"maintenance": None, "equity": None}
    assert not start.reached(start._state(fleet_of(told), wanted, AT)[-1])


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
    assert told.posted == ["strategy/kill"]
    assert (found.open_orders, found.positions, found.exposure, found.residual) == (1, 1, 2 * 1165.0 * 50, 0.0)
    assert found.orders_gone_ns is not None and found.flat_ns is not None and found.flat_ns >= found.ordered_ns


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
        (("positions = { ESX = 360 }\nopen_orders = 20", ""), "start: positions or open_orders"),
        (("open_orders = 20", "open_ordres = 20"), "start.open_ordres: There is no field"),
        (("open_orders = 20", "margin_use = 1.5"), "start.margin_use"),
    ],
)
def test_mistakes_of_a_start_and_of_drills(change: tuple[str, str], words: str) -> None:
    assert change[0] in REVERSE
    with pytest.raises(MissionErrors) as caught:
        parse(REVERSE.replace(*change))
    assert words in "\n".join(caught.value.mistakes)


def test_the_drills_are_missions() -> None:
    assert load("kill-switch").of(KillSwitch)
    found = load("reverse-stress")
    assert found.of(ReverseStress) and found.start is not None and found.start.positions == {"ESX": 360}
