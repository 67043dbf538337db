"""Interactive Brokers through TWS or IB Gateway: depth, trades and bars.  It never sends an order.

`IB_HOST`, `IB_PORT` and `IB_CLIENT_ID` say where TWS listens and who asks; a host beyond loopback needs
`IB_ALLOW_REMOTE=1`, since the socket is neither authenticated nor encrypted.
"""

import asyncio
import datetime as dt
import ipaddress
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np

if TYPE_CHECKING:
    from ib_async import Contract


from engines.data.sources.endpoint import Endpoint
from engines.data.sources.errors import BadRequest, NoData, NoReply, NotConfigured, SourceError, Unsupported
from engines.data.sources.ibkr_errors import NAME
from engines.data.sources.ibkr_ladder import Ladder
from engines.data.sources.ibkr_link import Address, Link
from engines.data.sources.retry import Patience
from engines.data.sources.source import (
    Column,
    Provenance,
    Request,
    SourceState,
    Table,
    answered,
    failed,
    newest_of,
    utc_now,
)

TITLE = "Interactive Brokers"
KINDS = ("depth", "trades", "bars")
PROBE_SYMBOL = "AAPL"
_CLIENT_ID = 7310  # away from the 0 and 1 that other programs take
_MOST_TICKS = 1_000  # of one reqHistoricalTicks, by TWS
_DEPTH_ROWS, _DEPTH_UPDATES, _DEPTH_S = 5, 60, 3.0
Columns = Mapping[str, Column]


class IbkrSource:
    """The connector: each request is a connection of its own, so that a client id is held only while it is needed."""

    name = NAME
    title = TITLE
    kinds = KINDS

    def __init__(self, endpoint: Endpoint, env: Mapping[str, str], patience: Patience | None = None) -> None:
        self._endpoint = endpoint
        self._env = env
        self._patience = patience or Patience()
        self.account: str | None = None  # "paper" or "live" by TWS's account names, once it was asked

    def fetch(self, request: Request) -> Table:
        """`depth`: side, level, price, size, resets (317s on the way); extras `rows`, `updates`, `seconds`.

        `trades`: time (UTC), price, size of up to 1,000 trades from `start` on.  `bars`: date, open, high, low, close,
        volume of regular hours.  `key` is a share's symbol; extras `exchange` (SMART) and `currency` (USD).

        Raises:
            SourceError: see `errors` and `ibkr_errors`.
        """
        makers: Mapping[str, Callable[[Link, Request], Awaitable[Columns]]] = {
            "depth": _depth,
            "trades": _trades,
            "bars": _bars,
        }
        maker = makers.get(request.kind)
        if maker is None:
            raise Unsupported(NAME, f"{TITLE} has no {request.kind!r}.", f"It has {', '.join(KINDS)}.")
        where = address(self._endpoint, self._env)
        where = replace(where, connect_s=self._patience.connect_s, reply_s=self._patience.read_s)
        try:
            return asyncio.run(asyncio.wait_for(self._fetch(where, request, maker), self._patience.total_s))
        except TimeoutError:
            raise NoReply(NAME, f"{TITLE} did not answer within {self._patience.total_s:g} s.") from None

    def probe(self) -> SourceState:
        """The last five daily bars of AAPL."""
        started = time.monotonic()
        try:
            table = self.fetch(Request(kind="bars", key=PROBE_SYMBOL, limit=5))
        except SourceError as error:
            return failed(TITLE, error, (time.monotonic() - started) * 1e3)
        return answered(TITLE, self._endpoint, table, (time.monotonic() - started) * 1e3, f"{self.account} account")

    def close(self) -> None:
        """Nothing stays open between requests."""

    async def _fetch(
        self, where: Address, request: Request, maker: Callable[[Link, Request], Awaitable[Columns]]
    ) -> Table:
        async with Link(where) as link:
            self.account = "paper" if link.paper else "live"
            columns = await maker(link, request)
            digest = link.digest
        rows = len(next(iter(columns.values())))
        if not rows:
            raise NoData(NAME, f"{TITLE} sent no {request.kind} of {request.key}.")
        times = columns.get("date", columns.get("time"))
        provenance = Provenance(
            source=NAME,
            simulated=self._endpoint.simulated,
            url=f"{self._endpoint.urls['api']}/{request.kind}/{request.key}?account={self.account}",
            fetched_at=utc_now(),
            sha256=digest,
            rows=rows,
            newest=None if times is None else newest_of(times),
        )
        return Table(columns, provenance, _units(columns, request.extras.get("currency", "USD")))


def open_source(endpoint: Endpoint, env: Mapping[str, str], patience: Patience) -> IbkrSource:
    """The connector; see `registry`."""
    return IbkrSource(endpoint, env, patience)


def address(endpoint: Endpoint, env: Mapping[str, str]) -> Address:
    """Where TWS listens and who asks.

    Raises:
        NotConfigured: `IB_CLIENT_ID` is no number, or the host lies beyond loopback and that was not asked for.
    """
    parts = urlsplit(endpoint.urls["api"])
    host, port = parts.hostname or "127.0.0.1", parts.port or 7497
    if not _loopback(host) and env.get("IB_ALLOW_REMOTE") != "1":
        why = "TWS's socket has neither a password nor encryption."
        raise NotConfigured(
            NAME, f"IB_HOST={host} is not this machine.", why, "Set IB_ALLOW_REMOTE=1 if that is meant."
        )
    client = env.get("IB_CLIENT_ID") or str(_CLIENT_ID)
    if not client.isdecimal():
        raise NotConfigured(NAME, f"IB_CLIENT_ID is {client!r}.", "It is a whole number.", "Set it, or unset it.")
    return Address(host, port, int(client))


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name: where it leads is not known here


async def _depth(link: Link, request: Request) -> Columns:
    extras = request.extras
    rows = int(_number(extras, "rows", _DEPTH_ROWS))
    updates, seconds = _number(extras, "updates", _DEPTH_UPDATES), _number(extras, "seconds", _DEPTH_S)
    ladder = await link.depth(await _contract(link, request), rows, int(updates), seconds)
    return ladder_columns(ladder)


async def _trades(link: Link, request: Request) -> Columns:
    contract = await _contract(link, request)
    day = request.start or utc_now().date()
    start = dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)
    ticks = await link.ticks(contract, start, min(request.limit, _MOST_TICKS))
    found = ticks[: request.limit]
    return {
        "time": np.array([t.time.astimezone(dt.UTC).replace(tzinfo=None) for t in found], "datetime64[us]"),
        "price": np.array([t.price for t in found], np.float64),
        "size": np.array([t.size for t in found], np.float64),
    }


async def _bars(link: Link, request: Request) -> Columns:
    contract = await _contract(link, request)
    end = None if request.end is None else dt.datetime.combine(request.end, dt.time(23, 59, 59), tzinfo=dt.UTC)
    bars = await link.bars(contract, end, duration(request))
    columns: dict[str, Column] = {"date": np.array([bar.date for bar in bars], "datetime64[D]")}
    for name in ("open", "high", "low", "close", "volume"):
        columns[name] = np.array([getattr(bar, name) for bar in bars], np.float64)
    inside = np.ones(len(bars), bool)
    if request.start is not None:
        inside &= columns["date"] >= np.datetime64(request.start)
    if request.end is not None:
        inside &= columns["date"] <= np.datetime64(request.end)
    return {name: column[inside][-request.limit :] for name, column in columns.items()}


def duration(request: Request) -> str:
    """TWS's duration that covers the request: days up to a year, then years; `limit` trading days without a start."""
    days = request.limit if request.start is None else ((request.end or utc_now().date()) - request.start).days + 1
    return f"{max(1, days)} D" if days <= 365 else f"{-(-days // 365)} Y"


def ladder_columns(ladder: Ladder) -> Columns:
    """A book as columns: asks, then bids, best price first; levels count from 1."""
    sides = (("ask", ladder.asks), ("bid", ladder.bids))
    rows = [(side, level, rung) for side, rungs in sides for level, rung in enumerate(rungs, 1)]
    return {
        "side": np.array([side for side, _, _ in rows], object),
        "level": np.array([level for _, level, _ in rows], np.int64),
        "price": np.array([rung.price for _, _, rung in rows], np.float64),
        "size": np.array([rung.size for _, _, rung in rows], np.float64),
        "resets": np.full(len(rows), ladder.resets, np.int64),
    }


async def _contract(link: Link, request: Request) -> "Contract":
    return await link.contract(
        request.key, request.extras.get("exchange", "SMART"), request.extras.get("currency", "USD")
    )


def _number(extras: Mapping[str, str], name: str, default: float) -> float:
    try:
        value = float(extras.get(name, default))
    except ValueError:
        value = -1.0
    if not 0 < value <= 100_000:
        raise BadRequest(NAME, f"{name}={extras[name]!r} is not a number above 0.")
    return value


def _units(columns: Columns, currency: str) -> dict[str, str]:
    prices = {name: currency for name in ("open", "high", "low", "close", "price") if name in columns}
    return prices | {name: "shares" for name in ("volume", "size") if name in columns}
