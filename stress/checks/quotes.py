"""Invariant 11.

Quotes bid < ask outside auctions; the tape's pins hold.
"""

import datetime as dt
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from engines.wire import scenario_file
from engines.wire.errors import NautilusError
from engines.wire.messages import Halt, Session
from engines.wire.pins import Pin, pins
from engines.wire.session import CLOSE, epoch_ns
from engines.wire.ticks import Rows
from stress.checks.evidence import Evidence, in_replay
from stress.checks.tape import Ticks, closed, opening, some, ticks
from stress.checks.violation import Clause, NotJudged, Violation, broken

Flags = npt.NDArray[np.bool_]


def check_crossed(evidence: Evidence) -> tuple[Violation, ...]:
    """Quotes bid < ask outside auctions: in a halt they may meet."""
    found, judged = [], 0
    for number in some(evidence.replays()):
        quotes = ticks(evidence, "quotes", number)
        judged += quotes.rows.size
        crossed = (quotes.rows["bid"] >= quotes.rows["ask"]) & ~_halted(evidence, number, quotes)
        symbols: Counter[int] = Counter(quotes.rows["symbol"][crossed].tolist())
        for place, count in symbols.items():
            row = int(np.flatnonzero(crossed & (quotes.rows["symbol"] == place))[0])
            bid, ask, at = (int(quotes.rows[name][row]) for name in ("bid", "ask", "ts"))
            words = f"{count} quotes with bid >= ask, the first {bid} >= {ask}"
            found.append(broken(11, quotes.symbols[place], words, quotes.brought(row), at_ns=at))
    if not found and not judged:
        raise NotJudged("there was no quote")
    return evidence.concluded(found, "quotes", "halts")


def check_pins(evidence: Evidence) -> tuple[Violation, ...]:
    """The tape's pins hold: open, high, low, close and volume of each symbol, but for what an overlay released."""
    released = {tuple(each.partition(":")[0].split()[:2]) for each in evidence.released}
    found, running, stopped = [], [], []
    for number in some(evidence.replays()):
        message, session = opening(evidence, number)
        if not closed(evidence, number):
            running.append(number)
            continue
        if _early(evidence, number, session):
            stopped.append(number)
            continue
        evidence.whole("trades", "levels")
        trades, levels = ticks(evidence, "trades", number), ticks(evidence, "levels", number)
        for pin in _pins(session):
            index = pin.volume is None
            own = (levels if index else trades).of(pin.symbol).rows
            for name, due, got in _differences(pin, own, "level" if index else "price"):
                if (pin.symbol, name) not in released:
                    found.append(broken(11, pin.symbol, f"{name} is {got}, pinned at {due}", message))
    if running and not found:
        raise NotJudged(f"r{running[0]} was not replayed to its close")
    if stopped and not found:
        raise NotJudged(f"r{stopped[0]} was stopped before the market's close")
    return evidence.concluded(found, "sessions", "trades", "levels")


def _early(evidence: Evidence, number: int, session: Session) -> bool:
    """Whether its session was closed before the market's close: it was stopped."""
    due = epoch_ns(dt.date.fromisoformat(session.date), CLOSE)
    told = in_replay(evidence.of("sessions"), number)
    return any(isinstance(m.body, Session) and m.body.event == "close" and m.header.ts_event < due for m in told)


def _pins(session: Session) -> tuple[Pin, ...]:
    try:
        return pins(scenario_file.load(session.scenario))
    except NautilusError as error:
        raise NotJudged(f"the pins of {session.scenario} are not known: {error}") from error


def _differences(pin: Pin, rows: Rows, price: str) -> list[tuple[str, int, int | None]]:
    if not rows.size:
        return [("open", pin.open, None)]
    prices: npt.NDArray[Any] = rows[price]
    facts = [
        ("open", pin.open, int(prices[0])),
        ("high", pin.high, int(prices.max())),
        ("low", pin.low, int(prices.min())),
        ("close", pin.close, int(prices[-1])),
    ]
    if pin.volume is not None:
        facts.append(("volume", pin.volume, int(rows["size"].sum())))
    return [(name, due, got) for name, due, got in facts if due != got]


def _halted(evidence: Evidence, number: int, quotes: Ticks) -> Flags:
    """Which rows lie in a halt of their symbol."""
    inside: Flags = np.zeros(quotes.rows.size, np.bool_)
    for message in in_replay(evidence.of("halts"), number):
        halt = message.body
        if not isinstance(halt, Halt):
            continue
        span = (quotes.rows["ts"] >= halt.start_ns) & (quotes.rows["ts"] < halt.end_ns)
        if halt.symbol != "*":
            span &= quotes.rows["symbol"] == (
                quotes.symbols.index(halt.symbol) if halt.symbol in quotes.symbols else -1
            )
        inside |= span
    return inside


CLAUSES = (
    Clause(11, "quotes bid < ask outside auctions", check_crossed, ("quotes",)),
    Clause(11, "the tape's pins hold", check_pins, ("trades", "levels")),
)
