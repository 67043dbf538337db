# budget: over 400 lines, since one file lists every message: it is the contract
"""The messages of the platform: frozen bodies, one header, MessagePack on the wire.

A body class names its topic; a topic lives on one bus.  Several bodies may share a topic: they are a tagged union.
Money and prices are integers of 1/10,000 of a currency unit; quantities are whole shares or contracts;
`*_ns` are nanoseconds since the Unix epoch of *market* time, except `mono_*`, which are CLOCK_MONOTONIC.
"""

from typing import Any, ClassVar, Literal

import msgspec

from engines.wire.errors import MessageError

BusName = Literal["market", "main"]
Side = Literal[1, -1]


class Header(msgspec.Struct, frozen=True, array_like=True):
    """Who sent a message, what caused it, and when.

    `(producer, epoch, topic)` numbers its messages 1, 2, 3 … in `seq` without a gap.  `(cause, ordinal)` names the
    effect: a message's id is the same however often the step that makes it is replayed.
    """

    producer: str
    epoch: int  # incarnation of the producer, counted by the main bus
    seq: int
    cause: str  # `<topic>/<entry id>` of the input that caused this; empty for a source
    ordinal: int  # the n-th output of that cause; for a source, its running number
    trace: str  # the replay or request that all this belongs to
    ts_event: int  # market time of the cause
    mono_intended: int  # when the tick at the root of the trace should have been sent
    mono_sent: int


class Body(msgspec.Struct, frozen=True, tag=True):
    """Base of all message bodies."""

    TOPIC: ClassVar[str] = ""


# --------------------------------------------------------------------------------------------- market bus
class MeasuredWindow(msgspec.Struct, frozen=True):
    """The measured part of a replay, [start_ns, end_ns), and its speed in market seconds per wall second."""

    start_ns: int
    end_ns: int
    speed: float
    mono_ns: int = 0  # CLOCK_MONOTONIC instant at which it was asked to begin; 0 as soon as may be


class Fault(msgspec.Struct, frozen=True, array_like=True):
    """A fault of the venue's own in [start_ns, end_ns), for one symbol or `*`.

    reject-storm: new orders are rejected.  late-fills: fills of that time are told `amount` market seconds later.
    disconnect: open orders are cancelled when it begins, and new ones rejected while it lasts.
    """

    kind: Literal["reject-storm", "late-fills", "disconnect"]
    symbol: str
    start_ns: int
    end_ns: int
    amount: float = 0.0


class Session(Body, frozen=True):
    """A trading session opens, enters its measured window, leaves it, or closes.

    `request`: the id of the request over HTTP by which this came about, that for the replay or, of an early close, that
    to stop; `requested_ns`: when it arrived (CLOCK_MONOTONIC).  Empty and 0 where there was none.
    """

    TOPIC: ClassVar[str] = "sessions"
    event: Literal["open", "window", "window-end", "close"]
    scenario: str
    date: str  # ISO 8601
    symbols: tuple[str, ...]  # tick rows index into this
    orderable: tuple[str, ...]
    seed: int
    digest: str  # sha256 of the tape
    speed: float  # market seconds per wall second from here on
    ticks: int = 0  # expected trades of the scenario
    window: MeasuredWindow | None = None
    tick_sizes: tuple[int, ...] = ()  # per symbol, 1/10,000
    multipliers: tuple[int, ...] = ()  # per symbol, currency units per point
    rules_asof: str = ""  # ISO 8601 day of a what-if's rulebook; empty: the session's own day
    faults: tuple[Fault, ...] = ()
    latency_ns: int | None = None  # market time that an order is on its way to the venue, and at most how much more
    jitter_ns: int | None = None
    request: str = ""
    requested_ns: int = 0


class Trades(Body, frozen=True):
    """A batch of trades: `rows` is a `ticks.TRADE` array, `symbols` what its symbol column indexes."""

    TOPIC: ClassVar[str] = "trades"
    symbols: tuple[str, ...]
    rows: bytes


class Quotes(Body, frozen=True):
    """A batch of quotes: `rows` is a `ticks.QUOTE` array."""

    TOPIC: ClassVar[str] = "quotes"
    symbols: tuple[str, ...]
    rows: bytes


class Depths(Body, frozen=True):
    """A batch of displayed books, five prices a side: `rows` is a `ticks.DEPTH` array.

    One row a market second and symbol that may trade, and one after each sweep; level 1 is the quote's touch.
    """

    TOPIC: ClassVar[str] = "depths"
    symbols: tuple[str, ...]
    rows: bytes


class Busts(Body, frozen=True):
    """Trades that were broken or corrected after they were published: `rows` is a `ticks.BUST` array."""

    TOPIC: ClassVar[str] = "busts"
    symbols: tuple[str, ...]
    rows: bytes


class Levels(Body, frozen=True):
    """A batch of index levels: `rows` is a `ticks.LEVEL` array."""

    TOPIC: ClassVar[str] = "levels"
    symbols: tuple[str, ...]
    rows: bytes


# ----------------------------------------------------------------------------------------------- main bus
class FeatureRow(msgspec.Struct, frozen=True, array_like=True):
    """One symbol's features at one market second; None before there is enough data."""

    symbol: str
    ts_ns: int
    order_flow_imbalance: float | None  # Cont, Kukanov and Stoikov (2014), summed over the second, in shares
    realised_volatility: float | None  # annualised, from 1 s returns of the last 300 s
    spread_bps: float | None
    mid: float | None  # currency units


class Features(Body, frozen=True):
    """Features of several symbols."""

    TOPIC: ClassVar[str] = "features"
    rows: tuple[FeatureRow, ...]


class BarRow(msgspec.Struct, frozen=True, array_like=True):
    """A closed bar; prices are integers of 1/10,000."""

    symbol: str
    kind: Literal["time", "volume"]
    start_ns: int
    end_ns: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    trades: int


class Bars(Body, frozen=True):
    """Bars that closed."""

    TOPIC: ClassVar[str] = "bars"
    rows: tuple[BarRow, ...]


class VpinRow(msgspec.Struct, frozen=True, array_like=True):
    """VPIN after a bucket closed; `vpin` is None before the window is full."""

    symbol: str
    bucket: int
    ts_ns: int
    vpin: float | None


class Vpin(Body, frozen=True):
    """VPIN of several symbols."""

    TOPIC: ClassVar[str] = "vpin"
    rows: tuple[VpinRow, ...]


class PredictionRow(msgspec.Struct, frozen=True, array_like=True):
    """A model's forecast of the log return over the next `horizon_s` market seconds."""

    symbol: str
    model: str
    ts_ns: int
    horizon_s: float
    value: float


class Predictions(Body, frozen=True):
    """Forecasts of several symbols."""

    TOPIC: ClassVar[str] = "predictions"
    rows: tuple[PredictionRow, ...]


class Signal(Body, frozen=True):
    """What a strategy wants to hold: `target` in shares or contracts, negative for short."""

    TOPIC: ClassVar[str] = "signals"
    strategy: str
    symbol: str
    target: int
    reason: str


class FactorRow(msgspec.Struct, frozen=True, array_like=True):
    """Values of named factors for one symbol on one bar; None where the definition is undefined."""

    symbol: str
    ts_ns: int
    values: dict[str, float | None]


class Factors(Body, frozen=True):
    """Factor values of several symbols."""

    TOPIC: ClassVar[str] = "factors"
    rows: tuple[FactorRow, ...]


class PerformanceRow(msgspec.Struct, frozen=True, array_like=True):
    """Live performance of one symbol since the session's open; None before there is enough data."""

    symbol: str
    ts_ns: int
    total_return: float
    volatility: float | None  # annualised, from minute returns, ddof 1
    sharpe: float | None
    max_drawdown: float


class Performance(Body, frozen=True):
    """Live performance of several symbols."""

    TOPIC: ClassVar[str] = "performance"
    rows: tuple[PerformanceRow, ...]


class Order(Body, frozen=True):
    """A strategy asks to trade.  `limit` is None for a market order.

    `tif`, time in force: "day" until the session closes, "ioc" what does not trade at once is cancelled.
    """

    TOPIC: ClassVar[str] = "orders"
    order_id: str
    strategy: str
    symbol: str
    side: Side
    quantity: int
    limit: int | None = None
    tif: Literal["day", "ioc"] = "day"


class Cancel(Body, frozen=True):
    """A strategy withdraws what is left of an order."""

    TOPIC: ClassVar[str] = "orders"
    order_id: str
    strategy: str


class Replace(Body, frozen=True):
    """A strategy changes an open order: `quantity` in all, what has filled included, and `limit` from now on."""

    TOPIC: ClassVar[str] = "orders"
    order_id: str
    strategy: str
    quantity: int
    limit: int | None = None


class Accepted(Body, frozen=True):
    """Risk lets an order through to the venue; it carries the order.

    `marks`: at the check, by symbol: of the order's own, and of all that are held or on order.
    """

    TOPIC: ClassVar[str] = "order-events"
    order: Order
    marks: dict[str, int] = {}


class Denied(Body, frozen=True):
    """Risk refuses an order: terminal.  `code` is one of risk's denial codes."""

    TOPIC: ClassVar[str] = "order-events"
    order_id: str
    symbol: str
    code: str
    detail: str


class CancelRequested(Body, frozen=True):
    """Risk forwards a cancel to the venue (cancels are never refused)."""

    TOPIC: ClassVar[str] = "order-events"
    order_id: str


class ReplaceRequested(Body, frozen=True):
    """Risk checked a change of an order as if it were a new one, and forwards it to the venue."""

    TOPIC: ClassVar[str] = "order-events"
    order_id: str
    quantity: int
    limit: int | None = None


class ReplaceRejected(Body, frozen=True):
    """Risk or the venue refuses a change; the order stands as it was.  `code` is one of risk's or the venue's codes."""

    TOPIC: ClassVar[str] = "order-events"
    order_id: str
    symbol: str
    code: str
    reason: str


class Replaced(Body, frozen=True):
    """The venue changed an order.  `kept_place`: it only shrank, and stands where it stood in its queue."""

    TOPIC: ClassVar[str] = "order-events"
    order_id: str
    symbol: str
    quantity: int
    limit: int | None
    kept_place: bool


class Rejected(Body, frozen=True):
    """The venue refuses an order: terminal.  `code` is one of the venue's codes."""

    TOPIC: ClassVar[str] = "order-events"
    order_id: str
    symbol: str
    reason: str
    code: str = ""


class Cancelled(Body, frozen=True):
    """The venue took an order, or what was left of it, off the book: terminal.  `code` is one of the venue's codes."""

    TOPIC: ClassVar[str] = "order-events"
    order_id: str
    symbol: str
    remaining: int
    reason: str
    code: str = ""


class Filled(Body, frozen=True):
    """The venue filled the last of an order: terminal."""

    TOPIC: ClassVar[str] = "order-events"
    order_id: str
    symbol: str


class Fill(Body, frozen=True):
    """A trade of ours at the venue."""

    TOPIC: ClassVar[str] = "fills"
    fill_id: str
    order_id: str
    strategy: str
    symbol: str
    side: Side
    quantity: int
    price: int
    fee: int
    multiplier: int
    ts_ns: int = 0  # market time: of the quote that came to it, or when it met one that stood


class PositionRow(msgspec.Struct, frozen=True, array_like=True):
    """One symbol's holding.  `average`, `mark` are prices; `realised`, `unrealised` money; all of 1/10,000."""

    symbol: str
    quantity: int
    average: int
    mark: int
    realised: int
    unrealised: int
    multiplier: int


class Funding(Body, frozen=True):
    """The account began its session with `cash` (1/10,000; below 0: borrowed).  The last one of a session counts."""

    TOPIC: ClassVar[str] = "funding"
    cash: int


class Positions(Body, frozen=True):
    """All holdings after a fill or a mark.  Money of 1/10,000."""

    TOPIC: ClassVar[str] = "positions"
    rows: tuple[PositionRow, ...]
    cash: int
    fees: int
    equity: int


class Margin(Body, frozen=True):
    """Margin of the account.  Money of 1/10,000; `call` is what must be paid in, 0 when none.

    `orders`: what open orders ask for beside `initial`, which is for what is held; `excess` and `call` leave it out.
    """

    TOPIC: ClassVar[str] = "margin"
    initial: int
    maintenance: int
    equity: int
    excess: int
    call: int
    orders: int = 0


class RiskAlert(Body, frozen=True):
    """A limit is breached, or came close."""

    TOPIC: ClassVar[str] = "risk-alerts"
    kind: str
    symbol: str
    value: float
    limit: float
    detail: str


class Halt(Body, frozen=True):
    """Trading stops in [start_ns, end_ns).  `symbol` is `*` for a market-wide halt."""

    TOPIC: ClassVar[str] = "halts"
    kind: Literal["market-wide", "pause"]
    level: int
    symbol: str
    start_ns: int
    end_ns: int
    rule: str


class FleetEngine(msgspec.Struct, frozen=True, array_like=True):
    """One engine as the supervisor sees it."""

    engine: str
    state: str
    pid: int
    restarts: int


class Fleet(Body, frozen=True):
    """The supervisor's view of the fleet."""

    TOPIC: ClassVar[str] = "fleet"
    engines: tuple[FleetEngine, ...]


MARKET: tuple[type[Body], ...] = (Session, Trades, Quotes, Levels, Depths, Busts)
MAIN: tuple[type[Body], ...] = (
    Features, Bars, Vpin, Predictions, Signal, Factors, Performance, Order, Cancel, Replace, Accepted, Denied,
    CancelRequested, ReplaceRequested, ReplaceRejected, Replaced, Rejected, Cancelled, Filled, Fill, Funding,
    Positions, Margin, RiskAlert, Halt, Fleet,
)  # fmt: skip
KEPT = frozenset(
    {"orders", "order-events", "fills", "funding", "halts", "risk-alerts", "sessions", "busts"}
)  # never trimmed while a session lasts


def _topics() -> dict[str, BusName]:
    found: dict[str, BusName] = {}
    for body in MARKET:
        found[body.TOPIC] = "market"
    for body in MAIN:
        found[body.TOPIC] = "main"
    return found


TOPICS: dict[str, BusName] = _topics()


class Envelope(msgspec.Struct, frozen=True):
    """A message as it was read: its stream entry, header and body."""

    topic: str
    entry_id: str
    header: Header
    body: Body

    @property
    def id(self) -> str:
        """`<topic>/<entry id>`: what outputs of this input name as their cause."""
        return f"{self.topic}/{self.entry_id}"


_encoder = msgspec.msgpack.Encoder()
_header_decoder = msgspec.msgpack.Decoder(Header)


def _decoders() -> dict[str, msgspec.msgpack.Decoder[Any]]:
    unions: dict[str, Any] = {}
    for body in MARKET + MAIN:
        unions[body.TOPIC] = unions[body.TOPIC] | body if body.TOPIC in unions else body
    return {topic: msgspec.msgpack.Decoder(union) for topic, union in unions.items()}


_decoders_by_topic = _decoders()


def encode_header(header: Header) -> bytes:
    """MessagePack of a header."""
    return _encoder.encode(header)


def encode_body(body: Body) -> bytes:
    """MessagePack of a body."""
    return _encoder.encode(body)


def decode_header(data: bytes) -> Header:
    """A header from its MessagePack.

    Raises:
        MessageError: it does not fit the schema.
    """
    try:
        return _header_decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MessageError("A message header cannot be decoded.", str(error)) from error


def decode(topic: str, entry_id: str, header: bytes, body: bytes) -> Envelope:
    """The message of a stream entry.

    Raises:
        MessageError: the topic is unknown, or header or body do not fit their schema.
    """
    decoder = _decoders_by_topic.get(topic)
    if decoder is None:
        raise MessageError(f"There is no topic {topic!r}.")
    try:
        return Envelope(topic, entry_id, decode_header(header), decoder.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MessageError(f"A message of {topic!r} cannot be decoded.", str(error)) from error
