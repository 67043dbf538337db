"""A simulator of Trader Workstation's API socket: market data of a seed, with TWS's refusals on demand.

It listens on loopback only and calls its account `DU…`, as paper accounts are called.  It answers no order: one is
counted and refused, so that a test can show that a client sends none.
"""

import asyncio
import datetime as dt
import itertools
import threading
import zlib
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from engines.data.simulators import tws_book as book
from engines.data.simulators import tws_wire as wire
from engines.data.simulators.tws_wire import Contract, Incoming

HOST = "127.0.0.1"
_TEXTS = {
    100: "Max rate of messages per second has been exceeded.",
    162: "Historical market data service error: HMDS query returned no data.",
    200: "No security definition has been found for the request.",
    309: "Max number (3) of market depth requests has been reached.",
    310: "Can't find the subscribed market depth.",
    316: "Market depth data has been HALTED. Please re-subscribe.",
    317: "Market depth data has been RESET. Please empty deep book contents before applying any new entries.",
    321: "Error validating request: the API interface is in read-only mode.",
    326: "Unable to connect as the client id is already in use.",
    354: "Requested market data is not subscribed.",
    505: "Fatal error: unknown message id.",
    2152: "Exchanges - Depth: none; need additional market data permissions - Depth: SIM.",
    10092: "Deep market data is not supported for this combination of security type and exchange.",
}
Events = Callable[[str, int], Iterator[book.Event]]


@dataclass(frozen=True)
class Behaviour:
    """What the simulator does.  Defaults: every symbol is known, nothing is refused."""

    seed: int = 1
    account: str = "DU0000001"
    symbols: frozenset[str] | None = None  # None: any but those with a digit
    dialect: book.Dialect = book.Dialect.FIXED
    pace_s: float = 0.005  # between two books, and between two trades
    reset_after: int | None = 20  # books before the 317
    refuse: Mapping[str, int] = field(default_factory=dict)  # symbol -> code of every answer but contract details
    taken_ids: frozenset[int] = frozenset()  # client ids that another client uses
    mute: bool = False  # accepts, and says nothing
    most_depth: int = 3
    most_rate: int = 50  # messages a second
    events: Events | None = None  # (symbol, rows) -> what its depth streams; None: the seed's script
    gate: Callable[[], Awaitable[None]] | None = None  # waited for before each event; None: `pace_s`


class TwsSimulator:
    """One server.  `received` counts requests by number, `sent` depth events by symbol."""

    def __init__(self, behaviour: Behaviour | None = None) -> None:
        self.behaviour = behaviour or Behaviour()
        self.port = 0
        self.received: Counter[int] = Counter()
        self.sent: dict[str, list[book.Event]] = {}
        self.ids: set[int] = set(self.behaviour.taken_ids)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen on a free port of loopback."""
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and drop every client."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 # asyncio runs a client's callback as a task
        self._open.add(task)
        session = _Session(self, writer)
        try:
            await session.run(reader)
        except (wire.ProtocolError, ConnectionError, UnicodeDecodeError):
            writer.close()  # a client that speaks something else, or that went away
        except asyncio.CancelledError:
            writer.close()  # `close` ends every client; the task ends here
        finally:
            session.end()
            self._open.discard(task)


class _Session:
    """One client."""

    def __init__(self, server: TwsSimulator, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._does = server.behaviour
        self._writer = writer
        self._client_id: int | None = None
        self._version = 0
        self._streams: dict[int, asyncio.Task[None]] = {}
        self._depths: set[int] = set()
        self._times: deque[float] = deque()
        self._handlers: dict[int, Callable[[Sequence[str]], None]] = {
            Incoming.START: self._start,
            Incoming.CONTRACT_DETAILS: self._details,
            Incoming.DEPTH: self._depth,
            Incoming.CANCEL_DEPTH: self._cancel_depth,
            Incoming.BARS: self._bars,
            Incoming.CANCEL_BARS: lambda fields: self._cancel(int(fields[2])),
            Incoming.TICKS: self._ticks,
            Incoming.TICK_BY_TICK: self._tick_by_tick,
            Incoming.CANCEL_TICK_BY_TICK: lambda fields: self._cancel(int(fields[1])),
            Incoming.TIME: lambda _: self._send(wire.frame(49, 1, 1_706_745_600)),
            Incoming.PLACE_ORDER: lambda fields: self._error(int(fields[1]), 321),
            Incoming.CANCEL_ORDER: lambda fields: self._error(int(fields[2]), 321),
        }

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Answer until the client leaves."""
        frames = wire.Frames()
        while data := await reader.read(65_536):
            for fields in frames.feed(data):
                if not self._does.mute:
                    self._take(fields)
            await self._writer.drain()
        self._writer.close()

    def end(self) -> None:
        """Forget the client."""
        for task in self._streams.values():
            task.cancel()
        if self._client_id is not None:
            self._server.ids.discard(self._client_id)

    def _take(self, fields: list[str]) -> None:
        if not self._version:
            self._version = wire.agreed(fields[0])
            self._send(wire.frame(self._version, "20240131 16:00:00 UTC"))
            return
        number = int(fields[0])
        self._server.received[number] += 1
        if self._too_fast():
            self._error(-1, 100)
            return
        handler = self._handlers.get(number)
        if handler is None:
            self._error(-1, 505)
        else:
            handler(fields)

    def _too_fast(self) -> bool:
        now = asyncio.get_running_loop().time()
        while self._times and now - self._times[0] >= 1:
            self._times.popleft()
        self._times.append(now)
        return len(self._times) > self._does.most_rate

    def _send(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)

    def _error(self, request: int, code: int) -> None:
        self._send(wire.error(request, code, _TEXTS[code]))

    # ------------------------------------------------------------------------------------------- requests
    def _start(self, fields: Sequence[str]) -> None:
        client_id = int(fields[2])
        if client_id in self._server.ids:
            self._error(-1, 326)
            self._writer.close()
            return
        self._client_id = client_id
        self._server.ids.add(client_id)
        self._send(wire.frame(9, 1, 1) + wire.frame(15, 1, self._does.account))

    def _details(self, fields: Sequence[str]) -> None:
        request, wanted = int(fields[2]), wire.contract(fields, 3)
        if self._known(request, wanted):
            self._send(wire.details(request, wanted.symbol, zlib.crc32(wanted.symbol.encode()) % 1_000_000 + 1))

    def _known(self, request: int, wanted: Contract) -> bool:
        known = self._does.symbols
        found = wanted.symbol.isalpha() if known is None else wanted.symbol in known
        if not found:
            self._error(request, 200)
        return found

    def _served(self, request: int, wanted: Contract) -> bool:
        code = self._does.refuse.get(wanted.symbol)
        if code is not None:
            self._error(request, code)
            return False
        return self._known(request, wanted)

    def _bars(self, fields: Sequence[str]) -> None:
        request, wanted = int(fields[1]), wire.contract(fields, 2)
        if self._served(request, wanted):
            end = _day(fields[15]) if fields[15] else book.LAST_DAY
            self._send(wire.bars(request, book.daily(wanted.symbol, self._does.seed, _days(fields[17]), end)))

    def _ticks(self, fields: Sequence[str]) -> None:
        request, wanted, count = int(fields[1]), wire.contract(fields, 2), int(fields[17])
        if self._served(request, wanted):
            rows = itertools.islice(book.trades(wanted.symbol, self._does.seed), min(1_000, count))
            self._send(wire.ticks(request, list(rows)))

    def _depth(self, fields: Sequence[str]) -> None:
        request = int(fields[2])
        wanted, rows = wire.depth_contract(fields)
        if len(self._depths) >= self._does.most_depth:
            self._error(request, 309)
        elif self._served(request, wanted):
            self._depths.add(request)
            self._stream(request, self._stream_depth(request, wanted.symbol, rows))

    def _cancel_depth(self, fields: Sequence[str]) -> None:
        request = int(fields[2])
        if request not in self._depths:
            self._error(request, 310)
        self._depths.discard(request)
        self._cancel(request)

    def _tick_by_tick(self, fields: Sequence[str]) -> None:
        request, wanted = int(fields[1]), wire.contract(fields, 2)
        if self._served(request, wanted):
            self._stream(request, self._stream_trades(request, wanted.symbol))

    # -------------------------------------------------------------------------------------------- streams
    def _stream(self, request: int, work: Awaitable[None]) -> None:
        self._cancel(request)
        self._streams[request] = asyncio.ensure_future(work)

    def _cancel(self, request: int) -> None:
        task = self._streams.pop(request, None)
        if task is not None:
            task.cancel()

    async def _pace(self) -> None:
        if self._does.gate is not None:
            await self._does.gate()
        else:
            await asyncio.sleep(self._does.pace_s)

    async def _stream_depth(self, request: int, symbol: str, rows: int) -> None:
        does = self._does
        made = does.events(symbol, rows) if does.events else book.script(symbol, does.seed, rows, does.reset_after)
        before = book.Book()
        log = self._server.sent.setdefault(symbol, [])
        for event in made:
            await self._pace()
            log.append(event)
            if isinstance(event, book.Book):
                found = book.changes(before, event, does.dialect)
                self._send(b"".join(wire.depth(request, *change) for change in found))
                before = event
            elif isinstance(event, book.Reset):
                self._error(request, 317)
                before = book.Book()
            elif isinstance(event, book.Halted):
                self._depths.discard(request)
                self._error(request, 316)
                return
            else:
                self._writer.close()
                return

    async def _stream_trades(self, request: int, symbol: str) -> None:
        for trade in book.trades(symbol, self._does.seed):
            await self._pace()
            self._send(wire.tick(request, *trade))


def _days(duration: str) -> int:
    """Trading days of an IB duration such as `5 D`, `2 M`, `1 Y`; 21 a month, 252 a year.

    Raises:
        ProtocolError: it is none.
    """
    number, _, unit = duration.partition(" ")
    each = {"D": 1, "W": 5, "M": 21, "Y": 252}.get(unit)
    if each is None or not number.isdigit():
        raise wire.ProtocolError(f"{duration!r} is no duration.")
    return int(number) * each


def _day(text: str) -> dt.date:
    """The day of an IB time such as `20240131 23:59:59 UTC`.

    Raises:
        ProtocolError: it is none.
    """
    try:
        return dt.datetime.strptime(text[:8], "%Y%m%d").replace(tzinfo=dt.UTC).date()
    except ValueError:
        raise wire.ProtocolError(f"{text!r} is no time.") from None


@contextmanager
def running(behaviour: Behaviour | None = None) -> Iterator[TwsSimulator]:
    """A simulator in a thread of its own, listening when this enters; for callers without an event loop."""
    simulator = TwsSimulator(behaviour)
    loop = asyncio.new_event_loop()
    started = threading.Event()

    async def serve() -> None:
        await simulator.start()
        started.set()

    def work() -> None:
        loop.run_until_complete(serve())
        loop.run_forever()

    thread = threading.Thread(target=work, name="tws-simulator", daemon=True)
    thread.start()
    started.wait(10)
    try:
        yield simulator
    finally:
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(simulator.close(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
