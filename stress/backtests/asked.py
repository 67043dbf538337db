"""Which backtests a phase asks for: a function of the catalogue and a seed."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlencode

import msgspec
import numpy as np

from engines.wire.bundle import Kind, bars, catalog
from stress.backtests.loop import Days, Order, crossover, days_of

_FEES = (0.0, 0.001, 0.002)
_MORE_DAYS = 60  # than the slow average needs
_MOST_DAYS = 2000


class Market(msgspec.Struct, frozen=True):
    """Days of a symbol, both ends included."""

    symbol: str
    start: dt.date
    end: dt.date
    adjusted: bool

    def days(self) -> Days:
        """Their prices."""
        return days_of(bars(self.symbol, self.start, self.end), adjusted=self.adjusted)


class Ask(msgspec.Struct, frozen=True):
    """One request.  `orders` are run in `market`, a sweep has several; none: it must be refused."""

    method: Literal["GET", "POST"]
    path: str
    body: dict[str, object] | None = None
    market: Market | None = None
    orders: tuple[Order, ...] = ()

    @property
    def wanted(self) -> Literal["succeeded", "rejected"]:
        """What should come of it."""
        return "succeeded" if self.orders else "rejected"

    @property
    def words(self) -> str:
        """The request in one line."""
        text = "" if self.body is None else f" {msgspec.json.encode(self.body).decode()}"
        return f"{self.method} {self.path}{text}"

    def independent(self) -> dict[str, float]:
        """What the answer must hold: of a single backtest its figures, of a sweep its runs and its best return."""
        if self.market is None:
            return {}
        days = self.market.days()
        if self.method == "GET":
            return crossover(days, self.orders[0])
        best = max(crossover(days, order)["total_return"] for order in self.orders)
        return {"runs": float(len(self.orders)), "best_return": best, "days": float(len(days.closes))}


def single(market: Market, order: Order) -> Ask:
    """A request for one backtest."""
    query = {
        "symbol": market.symbol, "fast": order.fast, "slow": order.slow, "start": market.start.isoformat(),
        "end": market.end.isoformat(), "fee": order.fee, "short": str(order.short).lower(),
        "adjusted": str(market.adjusted).lower(),
    }  # fmt: skip
    return Ask("GET", f"/backtest?{urlencode(query)}", market=market, orders=(order,))


def sweep(market: Market, fast: list[int], slow: list[int], *, fee: float, short: bool) -> Ask:
    """A request for every crossover of these lengths with fast < slow."""
    body: dict[str, object] = {
        "symbol": market.symbol, "fast": fast, "slow": slow, "start": market.start.isoformat(),
        "end": market.end.isoformat(), "fee": fee, "short": short, "adjusted": market.adjusted,
    }  # fmt: skip
    orders = tuple(Order(f, s, fee, short) for f in fast for s in slow if f < s)
    return Ask("POST", "/sweep", body, market, orders)


REFUSED = (
    Ask("GET", "/backtest?symbol=SPX&fast=30&slow=10"),  # the fast average is the slower one
    Ask("GET", "/backtest?symbol=NO-SUCH-SYMBOL&fast=10&slow=30"),
    Ask("GET", "/backtest?symbol=SPX&fast=10&slow=30&start=1900-01-01&end=1900-12-31"),  # no days
    Ask("GET", "/backtest?symbol=SPX&fast=10&slow=30&fee=0.5"),
    Ask("GET", "/backtest?symbol=SPX&fast=0&slow=30"),
    Ask("POST", "/sweep", {"symbol": "SPX", "fast": [30], "slow": [10]}),  # no crossover at all
)


def asked(singles: int, sweeps: int, refused: int, seed: int) -> list[Ask]:
    """So many of each, mixed."""
    rng = np.random.default_rng(seed)
    lengths = _symbols()
    found = [*_singles(singles, lengths, rng), *_sweeps(sweeps, lengths, rng)]
    found += [REFUSED[place % len(REFUSED)] for place in range(refused)]
    return [found[place] for place in rng.permutation(len(found))]


def _symbols() -> dict[str, int]:
    """Symbols with one series of bars, and its days."""
    infos = [info for info in catalog() if info.kind is Kind.BARS]
    counts = Counter(info.symbol for info in infos)
    return {info.symbol: info.rows for info in infos if counts[info.symbol] == 1}


def _market(symbol: str, rows: int, slow: int, rng: np.random.Generator) -> Market:
    least = min(rows, slow + _MORE_DAYS)
    length = int(rng.integers(least, min(rows, _MOST_DAYS) + 1))
    first = int(rng.integers(0, rows - length + 1))
    days = bars(symbol).date
    start, end = days[first].item(), days[first + length - 1].item()
    return Market(symbol, start, end, adjusted=bool(rng.integers(0, 2)))


def _singles(count: int, lengths: dict[str, int], rng: np.random.Generator) -> Iterator[Ask]:
    names = sorted(lengths)
    for place in range(count):
        symbol = names[place % len(names)]
        fast = int(rng.integers(2, 40))
        slow = fast + int(rng.integers(1, 80))
        order = Order(fast, slow, _FEES[int(rng.integers(0, len(_FEES)))], bool(rng.integers(0, 2)))
        yield single(_market(symbol, lengths[symbol], slow, rng), order)


def _sweeps(count: int, lengths: dict[str, int], rng: np.random.Generator) -> Iterator[Ask]:
    names = sorted(lengths)
    for place in range(count):
        symbol = names[place % len(names)]
        fast = sorted({int(length) for length in rng.integers(2, 30, 8)})
        slow = sorted({int(length) for length in rng.integers(20, 100, 8)})
        market = _market(symbol, lengths[symbol], max(slow), rng)
        yield sweep(market, fast, slow, fee=_FEES[place % len(_FEES)], short=bool(place % 2))
