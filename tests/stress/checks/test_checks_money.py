"""Invariants 3, 6 and 7: positions, limits, margin."""

from typing import Any

import msgspec
import pytest
from checks_rig import History, S, session, trades, words

from engines.wire.messages import (
    Accepted,
    Cancelled,
    Envelope,
    Fill,
    Funding,
    Margin,
    Order,
    PositionRow,
    Positions,
    RiskAlert,
    Side,
)
from stress.checks import limits, margin, positions
from stress.checks.evidence import Limits
from stress.checks.violation import NotJudged

CASH = 1_000_000_000
LIMITS = Limits(
    order_shares=100, order_contracts=10, position_shares=150, position_contracts=15, position_notional=200_000_000,
    order_notional=150_000_000, gross_notional=300_000_000, open_orders=3, collar_percent=10,
)  # fmt: skip


def fill(number: int, side: Side = 1, quantity: int = 10, price: int = 1_000_000, symbol: str = "AAPL") -> Fill:
    multiplier = 50 if symbol == "ESX" else 1
    return Fill(f"f{number}", "a", "s", symbol, side, quantity, price, 350, multiplier, number * S)


def row(quantity: int, mark: int = 1_000_000, realised: int = 0, unrealised: int = 0) -> PositionRow:
    return PositionRow("AAPL", quantity, 1_000_000, mark, realised, unrealised, 1)


def held() -> tuple[History, list[Envelope]]:
    """Ten bought at 100, a mark at 101, four sold at 102, with the account told each time."""
    history = History()
    opening = history.add(session(), producer="tape")
    told = [history.add(Positions((), CASH, 0, CASH), 0, "portfolio", opening)]
    bought = history.add(fill(1), S)
    told.append(positions_of(history, bought, row(10), CASH - 10_000_350, 350))
    mark = history.add(trades((2 * S, "AAPL", 1_010_000, 100)), 2 * S, "tape")
    told.append(positions_of(history, mark, row(10, 1_010_000, 0, 100_000), CASH - 10_000_350, 350))
    sold = history.add(fill(2, -1, 4, 1_020_000), 3 * S)
    cash = CASH - 10_000_350 + 4_080_000 - 350
    told.append(positions_of(history, sold, row(6, 1_020_000, 80_000, 120_000), cash, 700))
    return history, told


def positions_of(history: History, cause: Envelope, made: PositionRow, cash: int, fees: int) -> Envelope:
    body = Positions((made,), cash, fees, cash + made.quantity * made.mark)
    return history.add(body, cause.header.ts_event, "portfolio", cause)


def changed(history: History, message: Envelope, **facts: Any) -> History:
    """The same history with one field of one body changed."""
    place = history.sent.index(message)
    history.sent[place] = msgspec.structs.replace(message, body=msgspec.structs.replace(message.body, **facts))
    return history


def test_an_account_that_holds() -> None:
    evidence = held()[0].evidence()
    for check in (positions.check_positions, positions.check_cash, positions.check_fees, positions.check_equity):
        assert check(evidence) == ()
    with pytest.raises(NotJudged, match="house"):
        positions.check_all_accounts(evidence)
    with pytest.raises(NotJudged, match="no positions"):
        positions.check_positions(History().evidence())


def test_a_position_that_its_fills_do_not_make() -> None:
    history, told = held()
    changed(history, told[1], rows=(row(9),))
    assert words(positions.check_positions, history.evidence()) == ["AAPL: 9 held, the fills make 10"]
    history, told = held()
    history.add(fill(3), 4 * S)
    assert words(positions.check_positions, history.evidence()) == ["r1: its last fill is in no positions"]
    history, told = held()
    changed(history, told[2], rows=())
    assert words(positions.check_positions, history.evidence()) == ["AAPL: 0 held, the fills make 10"]


def test_positions_of_a_fill_that_nobody_told() -> None:
    history, _ = held()
    history.sent = [message for message in history.sent if message.header.ts_event != 3 * S or message.topic != "fills"]
    (said,) = words(positions.check_positions, history.evidence())
    assert "which is not there" in said


def test_cash_fees_and_equity_to_the_last_unit() -> None:
    for field, check, said in (
        ("cash", positions.check_cash, "cash: 1 of 1/10,000 appeared in it"),
        ("fees", positions.check_fees, "fees: fees of 701, the fills make 700"),
        ("equity", positions.check_equity, "equity: it changed by 1 of 1/10,000 more than gains less fees"),
    ):
        history, told = held()
        changed(history, told[3], **{field: getattr(told[3].body, field) + 1})
        assert words(check, history.evidence()) == [said]


def funded(history: History, told: list[Envelope], *, booked: int | None) -> list[Envelope]:
    """The account is then funded with 700,000 at the opening; what is booked of it, None for nothing."""
    funding = history.add(Funding(7_000_000_000), 4 * S, "start", trace="r1/start")
    if booked is None:
        return told
    last = told[-1].body
    assert isinstance(last, Positions)
    return [*told, positions_of(history, funding, last.rows[0], last.cash + booked, last.fees)]


def test_a_funding_changes_cash_and_equity_by_what_it_says() -> None:
    history, told = held()
    funded(history, told, booked=7_000_000_000 - CASH)
    history.add(Positions((), CASH, 0, CASH), 0, "portfolio", trace="r2/before")  # the next replay has its own
    for check in (positions.check_positions, positions.check_cash, positions.check_fees, positions.check_equity):
        assert check(history.evidence()) == ()


def test_cash_that_no_funding_says_and_a_funding_that_is_not_booked() -> None:
    history, told = held()
    funded(history, told, booked=7_000_000_000 - CASH - 1)
    assert words(positions.check_cash, history.evidence()) == ["cash: -1 of 1/10,000 appeared in it"]
    assert len(positions.check_equity(history.evidence())) == 1
    history, told = held()
    funded(history, told, booked=None)
    assert words(positions.check_cash, history.evidence()) == ["cash: its last funding is in no positions"]
    history, told = held()
    changed(history, told[3], cash=told[3].body.cash + 1)  # type: ignore[attr-defined]
    funded(history, told, booked=7_000_000_000 - CASH)
    assert words(positions.check_cash, history.evidence()) == ["cash: 1 of 1/10,000 appeared in it"]


def test_trimmed_positions_are_judged_from_the_first_fill_on() -> None:
    history, told = held()
    evidence = history.evidence()
    cut = msgspec.structs.replace(evidence, topics={**evidence.topics, "positions": evidence.topics["positions"][2:]})
    assert positions.check_positions(cut) == ()
    changed(history, told[3], rows=(row(7),))
    evidence = history.evidence()
    cut = msgspec.structs.replace(evidence, topics={**evidence.topics, "positions": evidence.topics["positions"][2:]})
    assert words(positions.check_positions, cut) == ["AAPL: 7 held, the fills make 6"]


# --------------------------------------------------------------------------------------------------- limits
def accept(
    history: History, name: str, quantity: int, side: Side = 1, symbol: str = "AAPL", *,
    limit: int | None = 1_000_000, marks: dict[str, int] | None = None,
) -> None:  # fmt: skip
    order = Order(name, "s", symbol, side, quantity, limit)
    asked = history.add(order, 0, "strategy")
    history.add(Accepted(order, marks or {}), 0, "risk", asked)


def test_orders_within_the_limits() -> None:
    history = History()
    history.add(session(), producer="tape")
    accept(history, "a", 100)
    history.add(fill(1, 1, 60))
    accept(history, "b", 50)
    history.add(Cancelled("b", "AAPL", 50, ""))
    accept(history, "c", 50)
    assert limits.check_quantities(history.evidence(limits=LIMITS)) == ()
    with pytest.raises(NotJudged, match="not asked for"):
        limits.check_quantities(history.evidence())
    with pytest.raises(NotJudged, match="3 accepted orders do not tell all marks"):
        limits.check_money(history.evidence(limits=LIMITS))


def test_orders_within_the_limits_of_money() -> None:
    history = History()
    history.add(session(), producer="tape")
    accept(history, "a", 100, marks={"AAPL": 1_000_000})
    history.add(fill(1, 1, 100))
    accept(history, "out", 100, -1, marks={"AAPL": 1_000_000})
    accept(history, "far", 50, marks={"AAPL": 1_090_000})
    accept(history, "future", 1, symbol="ESX", marks={"ESX": 1_000_000, "AAPL": 1_000_000}, limit=None)
    assert limits.check_money(history.evidence(limits=LIMITS)) == ()


def test_gross_exposure_counts_what_the_other_symbols_could_reach() -> None:
    def made(others: dict[str, int]) -> History:
        history = History()
        history.add(session(), producer="tape")
        accept(history, "a", 100, marks={"AAPL": 1_000_000})
        history.add(Cancelled("a", "AAPL", 40, ""))
        history.add(fill(1, 1, 60))
        accept(history, "b", 50, marks={"AAPL": 1_000_000})
        accept(history, "future", 2, symbol="ESX", marks={"ESX": 2_000_000, **others}, limit=None)
        return history

    limited = msgspec.structs.replace(LIMITS, order_notional=10**12, position_notional=10**12)
    assert limits.check_money(made({"AAPL": 900_000}).evidence(limits=limited)) == ()
    assert words(limits.check_money, made({"AAPL": 1_000_000}).evidence(limits=limited)) == [
        "future: 310000000 of money could be held in all, 300000000 allowed"
    ]
    with pytest.raises(NotJudged, match="1 accepted orders"):
        limits.check_money(made({}).evidence(limits=limited))


def test_orders_beyond_the_limits_of_money() -> None:
    history = History()
    history.add(session(), producer="tape")
    accept(history, "big", 100, marks={"AAPL": 1_600_000})
    accept(history, "more", 26, marks={"AAPL": 1_600_000})
    accept(history, "far", 1, -1, marks={"AAPL": 1_120_000})
    accept(history, "future", 3, symbol="ESX", marks={"ESX": 1_100_000, "AAPL": 1_000})
    assert words(limits.check_money, history.evidence(limits=LIMITS)) == [
        "big: 160000000 of money in one order, 150000000 allowed",
        "more: 201600000 of money could be held, 200000000 allowed",
        "far: 12000000 hundredths beyond the mark, 11200000 allowed",
        "future: 165000000 of money in one order, 150000000 allowed",
    ]


def test_orders_beyond_the_limits() -> None:
    history = History()
    history.add(session(), producer="tape")
    accept(history, "big", 101)
    accept(history, "future", 11, symbol="ESX")
    accept(history, "worst", 50)
    accept(history, "most", 1, -1)
    assert words(limits.check_quantities, history.evidence(limits=LIMITS)) == [
        "big: 101 in one order, 100 allowed",
        "future: 11 in one order, 10 allowed",
        "worst: 151 could be held, 150 allowed",
        "most: 4 orders open, 3 allowed",
    ]


def test_a_passive_breach_needs_its_alert_by_the_next_tick() -> None:
    def history(alert_at: int | None) -> History:
        made = History()
        made.add(session(), producer="tape")
        made.add(Positions((row(300),), 0, 0, 0), 5 * S, "portfolio")
        if alert_at is not None:
            made.add(RiskAlert("position-limit", "AAPL", 0.0, 0.0, ""), alert_at, "risk")
        for second in (6, 7):
            made.add(trades((second * S, "AAPL", 1_000_000, 1)), second * S, "tape")
        return made

    assert limits.check_passive(history(6 * S).evidence(limits=LIMITS)) == ()
    for late in (None, 7 * S):
        assert words(limits.check_passive, history(late).evidence(limits=LIMITS)) == [
            "AAPL: above its limit of money, and no alert by the next tick"
        ]


# --------------------------------------------------------------------------------------------------- margin
def margins(requirement: int, excess: int = 5, call: int = 0, quantity: int = 6) -> History:
    history = History()
    history.add(session(), producer="tape")
    for _ in range(2):
        told = history.add(Positions((row(quantity),), 0, 0, 0), 5 * S, "portfolio")
        history.add(Margin(requirement, requirement, 10, excess, call), 5 * S, "collateral", told)
    return history


def test_margins_that_hold() -> None:
    waiting = margins(0, quantity=0)
    order = Order("a", "s", "AAPL", 1, 5)
    waiting.add(order, 4 * S, "strategy")
    accepted = waiting.add(Accepted(order), 4 * S, "risk")
    waiting.add(Margin(0, 0, 10, 5, 0, 7), 4 * S, "collateral", accepted)  # for the positions told last
    for history in (margins(5), margins(0, quantity=0), margins(5, -1, 1), waiting):
        for clause in margin.CLAUSES:
            assert clause.check(history.evidence()) == ()
    with pytest.raises(NotJudged, match="no margin"):
        margin.check_call(History().evidence())


def test_margins_that_must_fail() -> None:
    assert words(margin.check_requirement, margins(-1).evidence())[0] == "requirement: -1, -1, 0 is below 0"
    assert words(margin.check_requirement, margins(0).evidence()) == 2 * ["requirement: 0 with AAPL held"]
    assert words(margin.check_call, margins(5, -1, 0).evidence()) == [
        "call: excess -1 and no call, nor with the next mark"
    ]
    assert words(margin.check_requirement, margins(5, quantity=0).evidence()) == 2 * [
        "requirement: 5, 5 with nothing held"
    ]
    history = margins(0, quantity=0)
    order = Order("a", "s", "AAPL", 1, 5)
    history.add(order, 4 * S, "strategy")
    accepted = history.add(Accepted(order), 4 * S, "risk")
    history.add(session("close"), 4 * S, "tape")
    assert words(margin.check_heard, history.evidence()) == ["requirement: no margin was told for an order"]
    history.add(Margin(5, 5, 10, 5, 0, -7), 4 * S, "collateral", accepted)
    assert words(margin.check_requirement, history.evidence()) == [
        "requirement: 5, 5, -7 is below 0",
        "requirement: 5, 5 with nothing held",
    ]
    history.add(Margin(0, 0, 10, 5, 0), 5 * S, "collateral", history.add(Positions((), 0, 0, 0), 5 * S, "portfolio"))
    assert words(margin.check_open_orders, history.evidence()) == 2 * ["requirement: 0 with 1 orders open"]
