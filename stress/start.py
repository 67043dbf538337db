"""Brings an account into the state that a mission begins with: orders through risk to the venue, and what came of them.

The orders are those of a strategy `start`, so that no engine takes them for its own.  The cash that the account began
with is told as a funding: what is asked for before the orders, what a margin use needs after their fills.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from engines.fleet import resp
from engines.wire.manifest import discover
from engines.wire.messages import Body, Funding, Header, Order, Side, encode_body, encode_header
from engines.wire.ticks import PRICE_SCALE, to_units
from reports import records
from stress import settle
from stress.faults import bus_server
from stress.fleet import MissionFleet
from stress.history.stamp import stamp
from stress.specs.start import Start

STRATEGY = "start"
TOLERANCE = 0.05  # of margin_use
_CONTRACTS, _SHARES = 50, 2_000  # of one order
_FAR = 0.08  # below the market: inside risk's price collar, beyond any calm day
_POLL_S = 0.1
_ACCOUNTS = ("portfolio", "collateral")
_EVEN = 0.002  # margin uses closer than this are as good as the same
_STANDS_NS = 60 * 10**9  # a market outside its window comes in batches shorter than this


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


class Books(NamedTuple):
    """What the account engines say, units of 1/10,000: the cash it began with, what it gained since, and what
    collateral requires, with the equity that it reckons with; None before positions were told.
    """

    opening: int
    gain: int
    maintenance: int | None
    equity: int | None

    def use(self) -> float | None:
        """Maintenance margin over equity; None where there is no equity to use."""
        return self.maintenance / self.equity if self.maintenance is not None and self.equity else None


def realise(fleet: MissionFleet, start: Start, at: Opening) -> list[records.AnyRecord]:
    """Send the orders of a replay under way, wait for their fills, and say item by item what was reached.

    Raises:
        EngineRefused, BusError: an engine or the bus does not answer.
    """
    until = time.monotonic() + at.limit_s
    cash = None if start.cash is None else to_units(start.cash)

    def waited(there: Callable[[], bool]) -> bool:
        while not (found := there()) and time.monotonic() < until:
            time.sleep(_POLL_S)
        return found

    with bus_server.connect(bus_server.declared(fleet.home, fleet.name, "main")) as link:
        if cash is not None:
            _send(link, fleet, at.replay, [Funding(cash)])
        if waited(lambda: _taken(fleet, (*sorted(start.positions), at.symbols[0]))):
            mark = float(fleet.get("marketdata", f"/quote?symbol={at.symbols[0]}")["bid"])
            _send(link, fleet, at.replay, list(orders(start, at, mark)))
        waited(lambda: all(reached(item) for item in _state(fleet, start, at, cash)))
        if start.margin_use is not None and waited(lambda: _stands(fleet)):
            asyncio.run(_settled(fleet, until))
            cash = _use(link, fleet, at.replay, start.margin_use, until)
    return [*_state(fleet, start, at, cash, used=True), *_account(fleet, at)]


def orders(start: Start, at: Opening, mark: float) -> Iterator[Order]:
    """Market orders for the positions, in chunks, then limit orders far below `mark`, the first symbol's."""
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
        limit = to_units(math.floor(mark * (1 - _FAR)))  # a whole point is a multiple of every tick
        for number in range(start.open_orders):
            yield Order(f"{STRATEGY}-r{replay}-o{number}", STRATEGY, symbol, 1, 1, limit)


def reached(item: records.StartState) -> bool:
    """Whether an item is what was wanted."""
    if item.got is None:
        return False
    return abs(item.got - item.wanted) <= (TOLERANCE if item.item == "margin_use" else 0.0)


def _taken(fleet: MissionFleet, symbols: Sequence[str]) -> bool:
    """Whether risk would take an order of each: before a symbol has traded there is no mark."""
    return all(fleet.get("risk", f"/check?symbol={symbol}&side=1&quantity=1")["accepted"] for symbol in symbols)


def _send(link: "resp.Connection", fleet: MissionFleet, replay: int, wanted: Sequence[Body]) -> None:
    """Messages of one topic, at the market's time."""
    epoch, now_ns = time.monotonic_ns(), int(fleet.get("marketdata", "/replay")["ts_ns"])
    for seq, body in enumerate(wanted, 1):
        now = time.monotonic_ns()
        header = Header(STRATEGY, epoch, seq, "", seq - 1, f"r{replay}/{STRATEGY}", now_ns, now, now)
        link.ask("XADD", body.TOPIC, "*", "h", encode_header(header), "b", encode_body(body))


def _use(link: "resp.Connection", fleet: MissionFleet, replay: int, wanted: float, until: float) -> int | None:
    """Fund the account until its margin use is what is wanted; returns the cash that it was funded with last.

    It is not funded before something is held: no cash brings a use about then.
    """
    cash: int | None = None
    fits = 0
    while fits < 2 and time.monotonic() < until:
        books = _books(fleet)
        use = books.use()
        if use is not None and books.opening == cash and abs(use - wanted) <= _EVEN:
            fits += 1
        elif books.maintenance:
            cash, fits = math.ceil(books.maintenance / wanted) - books.gain, 0
            _send(link, fleet, replay, [Funding(cash)])
        time.sleep(_POLL_S)
    return cash


def _stands(fleet: MissionFleet) -> bool:
    """Whether the market has come to its measured window, or waits for its beginning."""
    status = fleet.get("marketdata", "/replay")
    if status["window"] is None or status["segment"] is None:
        return False
    return status["segment"] != "before" or int(status["window"]["start_ns"]) - int(status["ts_ns"]) < _STANDS_NS


async def _settled(fleet: MissionFleet, until: float) -> None:
    """Where the market waits for its window, wait until the account has heard all of it: cash for less would call."""
    if fleet.get("marketdata", "/replay")["segment"] != "before":
        return
    buses = {name: fleet.bus(name) for name in ("main", "market")}
    try:
        accounts = [manifest for manifest in discover() if manifest.name in _ACCOUNTS]
        await settle.drained(buses, accounts, max(0.0, until - time.monotonic()))
    finally:
        for bus in buses.values():
            await bus.close()


def _books(fleet: MissionFleet) -> Books:
    pnl, margin = fleet.get("portfolio", "/pnl"), fleet.get("collateral", "/margin")
    told = [None if margin[name] is None else to_units(margin[name]) for name in ("maintenance", "equity")]
    return Books(to_units(pnl["opening"]), to_units(pnl["gain"]), *told)


def _state(
    fleet: MissionFleet, start: Start, at: Opening, cash: int | None, *, used: bool = False
) -> list[records.StartState]:
    """What is there now.  `cash`: what the account was funded with, if it was; `used`: its margin use too."""
    held: dict[str, int] = {row[0]: row[1] for row in fleet.get("portfolio", "/positions")["rows"]}
    for leg in (leg for each in fleet.get("strategy", "/strategies") for leg in each["legs"]):
        held[leg["symbol"]] = held.get(leg["symbol"], 0) - leg["position"]  # theirs are none of the start's

    def item(name: str, wanted: float, got: float | None) -> records.StartState:
        return records.StartState(**stamp(), phase=at.phase, item=name, wanted=wanted, got=got)

    found = [item(f"position {symbol}", want, held.get(symbol, 0)) for symbol, want in sorted(start.positions.items())]
    if start.open_orders:
        found.append(item("open_orders", start.open_orders, _open_orders(fleet, at.symbols)))
    if cash is not None:
        found.append(item("cash", cash / PRICE_SCALE, fleet.get("portfolio", "/pnl")["opening"]))
    if used and start.margin_use is not None:
        found.append(item("margin_use", start.margin_use, _books(fleet).use()))
    return found


def _account(fleet: MissionFleet, at: Opening) -> list[records.StartAccount]:
    """The account at that moment; nothing before its margin was told."""
    books = _books(fleet)
    if books.maintenance is None or books.equity is None:
        return []
    cash, equity, maintenance = (units / PRICE_SCALE for units in (books.opening, books.equity, books.maintenance))
    return [records.StartAccount(**stamp(), phase=at.phase, cash=cash, equity=equity, maintenance=maintenance)]


def working(fleet: MissionFleet, symbols: Sequence[str]) -> list[dict[str, Any]]:
    """Our open orders at the venue."""
    books = [fleet.get("marketdata", f"/book?symbol={symbol}") for symbol in symbols]
    return [order for book in books for order in (*book["buys"], *book["sells"])]


def _open_orders(fleet: MissionFleet, symbols: Sequence[str]) -> int:
    return sum(order["strategy"] == STRATEGY and order["limit"] is not None for order in working(fleet, symbols))
