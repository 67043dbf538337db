"""Messages for the risk tests: envelopes, a session, ticks."""

from typing import Any

import numpy as np

from engines.risk.model import State, initial, step
from engines.wire.messages import Body, Envelope, Header, Levels, Order, Session, Side, Trades
from engines.wire.session import open_ns, session_s
from engines.wire.ticks import LEVEL, TRADE, to_units

SYMBOLS = ("SPX", "ESX", "AAPL", "GOOG", "IBM", "MSFT")
DAY = "2010-05-06"


def envelope(body: Body, ts_ns: int = 0, trace: str = "r1/before", entry: str = "1-0") -> Envelope:
    return Envelope(body.TOPIC, entry, Header("test", 1, 1, "", 0, trace, ts_ns, 0, 0), body)


def session(event: str = "open", day: str = DAY) -> Session:
    multipliers = (1, 50, 1, 1, 1, 1)
    kind: Any = event
    return Session(kind, "flash-crash-2010", day, SYMBOLS, SYMBOLS[1:], 1, "digest", 40.0, multipliers=multipliers)


def trades(rows: list[tuple[int, str, float]]) -> Trades:
    """Trades from (ts, symbol, price)."""
    made = np.zeros(len(rows), TRADE)
    for place, (ts, symbol, price) in enumerate(rows):
        made[place] = (ts, SYMBOLS.index(symbol), 1, to_units(price), 100)
    return Trades(SYMBOLS, made.tobytes())


def levels(rows: list[tuple[int, float]]) -> Levels:
    """Levels of the index from (ts, level)."""
    made = np.zeros(len(rows), LEVEL)
    for place, (ts, level) in enumerate(rows):
        made[place] = (ts, 0, to_units(level))
    return Levels(SYMBOLS, made.tobytes())


def order(number: int, symbol: str, side: Side, quantity: int, limit: float | None = None) -> Order:
    return Order(f"o{number}", "test", symbol, side, quantity, None if limit is None else to_units(limit))


class Desk:
    """A live risk state that is fed one body after another."""

    def __init__(self, day: str = DAY, trace: str = "r1/before") -> None:
        import datetime as dt

        self.state: State = initial()
        self.trace = trace
        self.open_ns = open_ns(dt.date.fromisoformat(day))
        self.day = day

    def at(self, clock: str) -> int:
        import datetime as dt

        return self.open_ns + round(session_s(dt.time.fromisoformat(clock)) * 1e9)

    def send(self, body: Body, ts_ns: int | None = None, trace: str | None = None) -> list[Body]:
        ts = self.open_ns if ts_ns is None else ts_ns
        self.state, out = step(self.state, envelope(body, ts, trace or self.trace))
        return list(out)

    def begin(self) -> "Desk":
        """Open the session with a mark for each symbol: 1000, except ESX at 1100."""
        self.send(session(day=self.day))
        prices = {"ESX": 1100.0}
        self.send(trades([(self.open_ns, symbol, prices.get(symbol, 1000.0)) for symbol in SYMBOLS[1:]]))
        return self
