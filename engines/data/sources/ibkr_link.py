"""One connection to TWS through ib_async: market data only.

Only contract details, depth, trades and bars are ever asked for: this connects with ib_async's client, not with
`IB.connectAsync`, which would also ask for positions, orders and executions.
"""

import asyncio
import datetime as dt
import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from engines.data.sources import ibkr_errors
from engines.data.sources.errors import CutShort, NoReply, NotFound, SourceError, Unreachable
from engines.data.sources.ibkr_errors import HALTED, NAME, NOTICES, RESET, typed
from engines.data.sources.ibkr_ladder import Ladder

if TYPE_CHECKING:
    from ib_async import IB, BarDataList, Contract, Ticker
    from ib_async.objects import HistoricalTickLast

T = TypeVar("T")
MOST_HALTS = 3
logging.getLogger("ib_async").addHandler(logging.NullHandler())  # its errors come back typed


@dataclass(frozen=True)
class Address:
    """Where TWS listens and who asks.  Times are seconds."""

    host: str
    port: int
    client_id: int
    connect_s: float = 4.0
    reply_s: float = 15.0


@dataclass(frozen=True)
class Trade:
    """A tick-by-tick trade.  It has no time: ib_async drops TWS's own stamp, and whoever takes it has a clock."""

    price: float
    size: float


class Link:
    """A connection.  `async with Link(address) as link: …`"""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._broken: asyncio.Future[SourceError] | None = None
        self._ib: IB | None = None
        self._contracts: dict[str, Contract] = {}
        self._digest = hashlib.sha256()
        self._streams: dict[int, asyncio.Future[None]] = {}
        self._depths: dict[int, _Depth] = {}
        self.halts = 0

    async def __aenter__(self) -> "Link":
        """Connect and shake hands.

        Raises:
            Unreachable: nobody listens; NoReply: somebody does and does not answer; SourceError: TWS refuses.
        """
        import ib_async

        self._broken = asyncio.get_running_loop().create_future()
        ib = self._ib = ib_async.IB()
        ib.RaiseRequestErrors = True
        ib.errorEvent += self._on_error
        ib.client.apiError += self._on_end
        ib.client.apiEnd += self._on_end
        ib.client.conn.hasData += self._digest.update
        where, a = f"{self._address.host}:{self._address.port}", self._address
        try:
            link = ib.client.connectAsync(a.host, a.port, a.client_id, a.connect_s)  # type: ignore[no-untyped-call] # ib_async leaves it untyped
            await self._within(link, a.connect_s + 1)
        except SourceError:
            await self.__aexit__()
            raise
        except TimeoutError:
            await self.__aexit__()
            why = f"Nothing within {a.connect_s:g} s."
            raise NoReply(NAME, f"{where} does not complete TWS's handshake.", why, "Is it TWS?") from None
        except OSError as error:
            await self.__aexit__()
            next_step = "Start TWS or IB Gateway, log in, and enable its API socket; or set IB_HOST and IB_PORT."
            raise Unreachable(NAME, f"No TWS at {where}.", str(error), next_step) from None
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        if self._ib is None:
            return
        ib, self._ib = self._ib, None
        ib.client.disconnect()  # type: ignore[no-untyped-call] # same
        ib.wrapper.reset()  # type: ignore[no-untyped-call] # same
        if self._broken is not None:
            self._broken.cancel()
        await asyncio.sleep(0)  # the transport closes

    @property
    def ib(self) -> "IB":
        """ib_async's own object."""
        assert self._ib is not None, "not connected"  # noqa: S101 # a mistake of the caller's code, not of the world
        return self._ib

    @property
    def paper(self) -> bool:
        """Every account of this login is a paper account (`D…`)."""
        return all(account.startswith("D") for account in self.ib.client.getAccounts())

    @property
    def version(self) -> int:
        """TWS's protocol version."""
        return self.ib.client.serverVersion()

    @property
    def digest(self) -> str:
        """sha256 of all bytes that came."""
        return self._digest.hexdigest()

    def pause(self, *, paused: bool) -> None:
        """Stop reading the socket, or go on: TWS then waits, as its client does."""
        transport = self.ib.client.conn.transport
        if transport is not None:
            (transport.pause_reading if paused else transport.resume_reading)()

    async def contract(self, symbol: str, exchange: str, currency: str) -> "Contract":
        """The share that TWS knows by this symbol.  Raises SourceError."""
        import ib_async

        key = f"{symbol}/{exchange}/{currency}"
        if key not in self._contracts:
            stock = ib_async.Stock(symbol, exchange, currency)
            found = await self._reply(self.ib.reqContractDetailsAsync(stock))
            if not found or found[0].contract is None:
                raise NotFound(NAME, f"TWS knows no contract {symbol}.")
            self._contracts[key] = found[0].contract
        return self._contracts[key]

    async def bars(self, contract: "Contract", end: dt.datetime | None, duration: str) -> "BarDataList":
        """Daily bars of regular hours.  Raises SourceError."""
        wanted = self.ib.reqHistoricalDataAsync(contract, end or "", duration, "1 day", "TRADES", True, timeout=0)
        return await self._reply(wanted)

    async def ticks(self, contract: "Contract", start: dt.datetime, count: int) -> "list[HistoricalTickLast]":
        """Up to `count` (1,000 at most, by TWS) trades from `start` on.  Raises SourceError."""
        return await self._reply(self.ib.reqHistoricalTicksAsync(contract, start, "", count, "TRADES", True))

    async def depth(self, contract: "Contract", rows: int, updates: int, seconds: float) -> Ladder:
        """The book after `updates` operations or `seconds`, whichever comes first.  Raises SourceError."""
        depth = self._subscribe(_Depth(contract, rows))
        enough = asyncio.get_running_loop().create_future()
        depth.on_change = lambda: _settle(enough) if depth.final or depth.ladder.operations >= updates else None
        try:
            await self._within(enough, seconds)
        except TimeoutError:
            pass  # fewer operations came; what came is the book
        finally:
            self._unsubscribe(depth)
        if depth.refusal is not None and not (depth.ladder.asks or depth.ladder.bids):
            raise depth.refusal
        return depth.ladder

    async def stream_depth(self, contract: "Contract", rows: int, on_book: Callable[[Ladder], None]) -> None:
        """Hand over the book after each packet, until cancelled or the connection ends.  Raises SourceError."""
        depth = self._subscribe(_Depth(contract, rows))
        over = asyncio.get_running_loop().create_future()
        depth.on_change = lambda: _settle(over) if depth.final else on_book(depth.ladder)
        try:
            await self._within(over, None)
        finally:
            self._unsubscribe(depth)
        if depth.refusal is not None:
            raise depth.refusal

    async def stream_trades(self, contract: "Contract", on_trades: Callable[[list[Trade]], None]) -> None:
        """Hand over every trade as it comes, until cancelled or the connection ends.  Raises SourceError."""
        ticker = self.ib.reqTickByTickData(contract, "AllLast")
        request = self.ib.wrapper.ticker2ReqId["AllLast"][ticker]
        refusal: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._streams[request] = refusal

        def take(ticker: "Ticker") -> None:
            found = [Trade(t.price, t.size) for t in ticker.tickByTicks]  # type: ignore[union-attr] # AllLast: trades only
            if found:
                on_trades(found)

        ticker.updateEvent += take
        try:
            await self._within(refusal, None)
        finally:
            del self._streams[request]
            ticker.updateEvent -= take
            if self._ib is not None and self._ib.client.isReady():
                self.ib.cancelTickByTickData(contract, "AllLast")

    # -------------------------------------------------------------------------------------------- waiting
    async def _reply(self, awaitable: Awaitable[T]) -> T:
        import ib_async

        try:
            return await self._within(awaitable, self._address.reply_s)
        except TimeoutError:
            raise NoReply(NAME, f"TWS did not answer within {self._address.reply_s:g} s.") from None
        except ib_async.RequestError as error:
            raise typed(error.code, error.message) from None
        except ConnectionError as error:
            raise CutShort(NAME, "The connection to TWS ended.", str(error)) from None

    async def _within(self, awaitable: Awaitable[T], seconds: float | None) -> T:
        """The result, unless the connection breaks or the time is over first.  Raises SourceError, TimeoutError."""
        assert self._broken is not None  # noqa: S101 # set on entry
        task = asyncio.ensure_future(awaitable)
        both: set[asyncio.Future[Any]] = {task, self._broken}
        await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if self._broken.done() and not self._broken.cancelled():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise self._broken.result()
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise TimeoutError
        return task.result()

    # --------------------------------------------------------------------------------------------- events
    def _break(self, error: SourceError) -> None:
        if self._broken is not None and not self._broken.done():
            self._broken.set_result(error)

    def _on_end(self, *reason: str) -> None:
        ib = self._ib
        if ib is not None and (not reason or "closed connection" in reason[0] or "version" in reason[0]):
            self._break(CutShort(NAME, "The connection to TWS ended.", reason[0] if reason else ""))

    def _on_error(self, request: int, code: int, text: str, _contract: object) -> None:
        if ibkr_errors.breaks_connection(request, code):
            self._break(typed(code, text))
        stream, depth = self._streams.get(request), self._depths.get(request)
        if stream is not None and code not in NOTICES and not stream.done():
            stream.set_exception(typed(code, text))
        if depth is None:
            return
        if code == RESET:
            depth.on_reset()
        elif code == HALTED and self.halts < MOST_HALTS:
            self._resubscribe(depth)
        elif code not in NOTICES:
            depth.refuse(typed(code, text), final=not 2100 <= code < 2200)  # a warning: other exchanges may send

    # ---------------------------------------------------------------------------------------------- depth
    def _subscribe(self, depth: "_Depth") -> "_Depth":
        depth.ticker = self.ib.reqMktDepth(depth.contract, depth.rows)
        depth.ticker.updateEvent += depth.take
        depth.request = self.ib.wrapper.ticker2ReqId["mktDepth"][depth.ticker]
        self._depths[depth.request] = depth
        return depth

    def _unsubscribe(self, depth: "_Depth") -> None:
        self._depths.pop(depth.request, None)
        if depth.ticker is not None:
            depth.ticker.updateEvent -= depth.take
        if self._ib is not None and self._ib.client.isReady():
            self._ib.cancelMktDepth(depth.contract)

    def _resubscribe(self, depth: "_Depth") -> None:
        self.halts += 1
        depth.on_reset(counted=False)
        del self._depths[depth.request]
        if depth.ticker is not None:
            depth.ticker.updateEvent -= depth.take
        self._subscribe(depth)


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


class _Depth:
    """One depth subscription and its ladder."""

    def __init__(self, contract: "Contract", rows: int) -> None:
        self.contract = contract
        self.rows = rows
        self.request = -1
        self.ladder = Ladder()
        self.ticker: Ticker | None = None
        self.refusal: SourceError | None = None
        self.final = False  # nothing comes any more
        self.on_change: Callable[[], object] = lambda: None
        self._skip = 0  # operations of the packet at hand that a reset made void

    def on_reset(self, *, counted: bool = True) -> None:
        """A 317 in the middle of a packet voids what the packet brought so far, ib_async's own deletes included."""
        self._skip = len(self.ticker.domTicks) if self.ticker is not None else 0
        if counted:
            self.ladder.reset()
        else:
            self.ladder.clear()

    def refuse(self, error: SourceError, *, final: bool) -> None:
        """TWS refuses the subscription, or a part of it."""
        self.refusal, self.final = error, final
        self.on_change()

    def take(self, ticker: "Ticker") -> None:
        """Apply a packet's operations."""
        for tick in ticker.domTicks[self._skip :]:
            self.ladder.apply(tick.position, tick.operation, tick.side, tick.price, tick.size)
        self._skip = 0
        self.on_change()
