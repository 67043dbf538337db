"""Brings an account into the state that a mission begins with: orders through risk to the venue, and what came of them.

The orders are those of a strategy `start`, so that no engine takes them for its own.
"""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from engines.fleet import resp
from engines.wire.messages import Header, Order, Side, encode_body, encode_header
from engines.wire.ticks import to_units
from reports import records
from stress.faults import bus_server
from stress.fleet import MissionFleet
from stress.history.stamp import stamp
from stress.specs.start import Start

STRATEGY = "start"
TOLERANCE = 0.05  # of margin_use
_CONTRACTS, _SHARES = 50, 2_000  # of one order
_FAR = 0.08  # below the market: inside risk's price collar, beyond any calm day
_POLL_S = 0.1


class Opening(NamedTuple):
    """Where a start is realised: the phase of its records, the replay under way, and what may be ordered in it, with
    its multipliers; `limit_s`: longest wait for all of it.
    """

    phase: str
    replay: int
    multipliers: dict[str, float]
    limit_s: float

    @property
    def symbols(self) -> tuple[str, ...]:
        """What may be ordered."""
        return tuple(self.multipliers)


def realise(fleet: MissionFleet, start: Start, at: Opening) -> list[records.StartState]:
    """Send the orders of a replay under way, wait for their fills, and say item by item what was reached.

    Raises:
        EngineRefused, BusError: an engine or the bus does not answer.
    """
    until = time.monotonic() + at.limit_s
    marks = {symbol: _mark(fleet, symbol, until) for symbol in (*sorted(start.positions), at.symbols[0])}
    with bus_server.connect(bus_server.declared(fleet.home, fleet.name, "main")) as link:
        _send(link, at.replay, list(orders(start, at, marks)))
    while time.monotonic() < until and not all(reached(item) for item in _state(fleet, start, at)):
        time.sleep(_POLL_S)
    return _state(fleet, start, at)


def orders(start: Start, at: Opening, marks: dict[str, float]) -> Iterator[Order]:
    """Market orders for the positions, in chunks, then limit orders far below the first symbol's mark."""
    count, replay = 0, at.replay
    for symbol, wanted in sorted(start.positions.items()):
        side: Side = 1 if wanted > 0 else -1
        left, chunk = abs(wanted), _CONTRACTS if at.multipliers[symbol] > 1 else _SHARES
        while left:
            count += 1
            quantity = min(left, chunk)
            left -= quantity
            yield Order(f"{STRATEGY}-r{replay}-{count}", STRATEGY, symbol, side, quantity)
    if start.open_orders:
        symbol = at.symbols[0]
        limit = to_units(math.floor(marks[symbol] * (1 - _FAR)))  # a whole point is a multiple of every tick
        for number in range(start.open_orders):
            yield Order(f"{STRATEGY}-r{replay}-o{number}", STRATEGY, symbol, 1, 1, limit)


def reached(item: records.StartState) -> bool:
    """Whether an item is what was wanted."""
    if item.got is None:
        return False
    return abs(item.got - item.wanted) <= (TOLERANCE if item.item == "margin_use" else 0.0)


def _mark(fleet: MissionFleet, symbol: str, until: float) -> float:
    """The market's bid, once risk would take an order: before that it has no mark.  The last word of risk otherwise."""
    asked = f"/check?symbol={symbol}&side=1&quantity=1"
    while not fleet.get("risk", asked)["accepted"] and time.monotonic() < until:
        time.sleep(_POLL_S)
    return float(fleet.get("marketdata", f"/quote?symbol={symbol}")["bid"])


def _send(link: "resp.Connection", replay: int, wanted: list[Order]) -> None:
    epoch = time.monotonic_ns()
    for seq, order in enumerate(wanted, 1):
        now = time.monotonic_ns()
        header = Header(STRATEGY, epoch, seq, "", seq - 1, f"r{replay}/{STRATEGY}", 0, now, now)
        link.ask("XADD", Order.TOPIC, "*", "h", encode_header(header), "b", encode_body(order))


def _state(fleet: MissionFleet, start: Start, at: Opening) -> list[records.StartState]:
    """What is there now."""
    held: dict[str, int] = {row[0]: row[1] for row in fleet.get("portfolio", "/positions")["rows"]}
    for leg in (leg for each in fleet.get("strategy", "/strategies") for leg in each["legs"]):
        held[leg["symbol"]] = held.get(leg["symbol"], 0) - leg["position"]  # theirs are none of the start's

    def item(name: str, wanted: float, got: float | None) -> records.StartState:
        return records.StartState(**stamp(), phase=at.phase, item=name, wanted=wanted, got=got)

    found = [item(f"position {symbol}", want, held.get(symbol, 0)) for symbol, want in sorted(start.positions.items())]
    if start.open_orders:
        found.append(item("open_orders", start.open_orders, _open_orders(fleet, at.symbols)))
    if start.margin_use is not None:
        found.append(item("margin_use", start.margin_use, _margin_use(fleet.get("collateral", "/margin"))))
    return found


def working(fleet: MissionFleet, symbols: Sequence[str]) -> list[dict[str, Any]]:
    """Our open orders at the venue."""
    books = [fleet.get("marketdata", f"/book?symbol={symbol}") for symbol in symbols]
    return [order for book in books for order in (*book["buys"], *book["sells"])]


def _open_orders(fleet: MissionFleet, symbols: Sequence[str]) -> int:
    return sum(order["strategy"] == STRATEGY and order["limit"] is not None for order in working(fleet, symbols))


def _margin_use(margin: dict[str, Any]) -> float | None:
    return margin["maintenance"] / margin["equity"] if margin.get("equity") else None
