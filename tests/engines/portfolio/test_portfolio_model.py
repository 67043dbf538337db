"""When positions are told, across sessions and replays, and replay determinism with the state stored in between."""

import numpy as np

from engines.kit import codec
from engines.portfolio.model import State, initial, step
from engines.portfolio.service import _checks, pnl_of
from engines.wire.messages import Body, Envelope, Fill, Funding, Header, Positions, Session, Side, Trades
from engines.wire.session import NS
from engines.wire.ticks import PRICE_SCALE, TRADE, to_units

SYMBOLS = ("SPX", "ESX", "AAPL")
OPEN = 1_273_152_600 * NS


class Desk:
    """A live portfolio state."""

    def __init__(self) -> None:
        self.state = initial()

    def send(self, body: Body, ts_ns: int = OPEN, trace: str = "r1/before") -> list[Body]:
        header = Header("test", 1, 1, "", 0, trace, ts_ns, 0, 0)
        self.state, out = step(self.state, Envelope(body.TOPIC, "1-0", header, body))
        return list(out)


def session() -> Session:
    return Session("open", "flash-crash-2010", "2010-05-06", SYMBOLS, SYMBOLS[1:], 1, "d", 40.0)


def trades(*rows: tuple[float, str, float]) -> Trades:
    """Trades from (seconds after the open, symbol, price)."""
    made = np.zeros(len(rows), TRADE)
    for place, (seconds, symbol, price) in enumerate(rows):
        made[place] = (OPEN + round(seconds * NS), SYMBOLS.index(symbol), 1, to_units(price), 100)
    return Trades(SYMBOLS, made.tobytes())


def fill(number: int, side: Side, quantity: int, price: float) -> Fill:
    return Fill(f"f{number}", f"o{number}", "s", "AAPL", side, quantity, to_units(price), 10_000, 1)


def test_positions_are_told_at_the_open_after_fills_and_once_a_market_second() -> None:
    desk = Desk()
    (opened,) = desk.send(session())
    assert opened == Positions((), 10_000_000 * PRICE_SCALE, 0, 10_000_000 * PRICE_SCALE)
    assert desk.send(trades((1.0, "AAPL", 250.0))) == []  # nothing is held
    (told,) = desk.send(fill(1, 1, 100, 251.0), OPEN + 2 * NS)
    assert isinstance(told, Positions)
    assert told.rows[0].mark == to_units(250.0)  # the market's price, not the fill's
    assert desk.send(trades((2.5, "AAPL", 252.0))) == []  # the same second
    assert desk.send(trades((3.5, "ESX", 1100.0))) != []  # the mark of second 2, told in the next one
    assert desk.send(trades((4.0, "ESX", 1101.0), (5.0, "ESX", 1102.0))) == []  # nothing held has moved
    (told,) = desk.send(trades((6.0, "AAPL", 253.0), (9.9, "AAPL", 254.0)))
    assert isinstance(told, Positions)
    assert told.equity == (10_000_000 + 300 - 1) * PRICE_SCALE


def test_a_new_replay_starts_flat_and_ignores_the_last_one() -> None:
    desk = Desk()
    desk.send(session())
    desk.send(fill(1, 1, 100, 250.0))
    assert desk.send(trades((1.0, "AAPL", 240.0)), trace="r2/before") == []
    assert desk.state.account.positions == {}
    assert desk.send(fill(2, 1, 100, 250.0), trace="r1/window") == []
    (opened,) = desk.send(session(), trace="r2/before")
    assert isinstance(opened, Positions)
    assert opened.cash == 10_000_000 * PRICE_SCALE
    assert desk.state.marks == {"AAPL": to_units(240.0)}
    assert desk.state.fills == 1


def test_a_funding_is_of_its_replay_only_and_is_the_same_told_twice() -> None:
    desk = Desk()
    desk.send(session())
    for _ in range(2):
        (told,) = desk.send(Funding(to_units(473_685)), trace="r1/start")
        assert told == Positions((), to_units(473_685), 0, to_units(473_685))
    desk.send(fill(1, 1, 100, 250.0))
    found = pnl_of(desk.state)
    assert (found.opening, found.gain, found.equity) == (473_685.0, -1.0, 473_684.0)
    (opened,) = desk.send(session(), trace="r2/before")
    assert isinstance(opened, Positions)
    assert opened.cash == 10_000_000 * PRICE_SCALE
    assert desk.send(Funding(1), trace="r1/start") == []  # it comes too late
    assert desk.state.account.opening == 10_000_000 * PRICE_SCALE


def test_a_funding_may_come_before_its_session() -> None:
    desk = Desk()
    desk.send(Funding(5), trace="r1/start")
    (opened,) = desk.send(session())
    assert opened == Positions((), 5, 0, 5)


def test_a_second_open_without_a_replays_number_starts_flat_too() -> None:
    desk = Desk()
    desk.send(session(), trace="")
    desk.send(fill(1, 1, 100, 250.0), trace="")
    desk.send(session(), trace="")
    assert desk.state.account.positions == {}


def flow() -> list[Body]:
    chance = np.random.default_rng(11)
    out: list[Body] = [session()]
    for number in range(200):
        side: Side = 1 if chance.random() < 0.5 else -1
        out.append(fill(number, side, int(chance.integers(1, 300)), float(chance.uniform(200, 260))))
        seconds = np.sort(chance.uniform(number, number + 1, 5))
        out.append(trades(*((float(s), "AAPL", float(chance.uniform(200, 260))) for s in seconds)))
    return out


def test_storing_the_state_between_messages_changes_nothing() -> None:
    plain, stored = Desk(), Desk()
    for number, body in enumerate(flow()):
        expected = plain.send(body, OPEN + number * NS // 2)
        assert stored.send(body, OPEN + number * NS // 2) == expected
        stored.state = codec.decode(codec.encode(stored.state), State)
    assert stored.state == plain.state
    assert plain.state.reports > 200


def test_the_gains_served_are_the_accounts() -> None:
    desk = Desk()
    desk.send(session())
    desk.send(fill(1, 1, 100, 250.0))
    desk.send(trades((3.0, "AAPL", 247.5)))
    found = pnl_of(desk.state)
    assert (found.realised, found.unrealised, found.fees, found.gain) == (0.0, -250.0, 1.0, -251.0)
    assert found.equity == found.opening + found.gain


def test_the_health_check_sees_a_broken_account() -> None:
    desk = Desk()
    desk.send(fill(1, 1, 100, 250.0))

    class Runtime:
        state = desk.state

    def account() -> str:
        return next(check.status for check in _checks(Runtime()) if check.name == "accounts")  # type: ignore[arg-type]

    assert account() == "ok"
    desk.state.account.cash += 1
    assert account() == "fail"
